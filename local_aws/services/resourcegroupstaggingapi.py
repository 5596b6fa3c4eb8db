"""Resource Groups Tagging API: finds tagged resources that moto's search omits."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.backends import get_backend
from moto.core.resource_tagging import (
    TaggedResource,
    iter_taggable_backends,
    make_tag_matcher,
    match_resource_type,
)
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from moto.resourcegroupstaggingapi.responses import ResourceGroupsTaggingAPIResponse

from local_aws.extension import Extension

Tagged = tuple[str, dict[str, str]]
"""An ARN and its tags."""

# AWS's resource type by moto's, where they differ.
TYPES = {"ec2:flow-logs": "ec2:vpc-flow-log", "logs:loggroup": "logs:log-group"}


def _of_ec2(kind: str, resources: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterator[Tagged]]:
    def read(backend: Any) -> Iterator[Tagged]:
        for resource in resources(backend):
            arn = f"arn:{backend.partition}:ec2:{backend.region_name}:{backend.account_id}:{kind}/{resource.id}"
            yield arn, dict(backend.tags.get(resource.id, {}))

    return read


def _of_rds(resources: str) -> Callable[[Any], Iterator[Tagged]]:
    def read(backend: Any) -> Iterator[Tagged]:
        for resource in getattr(backend, resources).values():
            yield resource.arn, {tag["Key"]: tag["Value"] for tag in resource.get_tags()}

    return read


def _of_tagger(tagger: str, resources: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterator[Tagged]]:
    def read(backend: Any) -> Iterator[Tagged]:
        for resource in resources(backend):
            yield resource.arn, getattr(backend, tagger).get_tag_dict_for_resource(resource.arn)

    return read


# Resources that moto's search omits: moto's name of the service, AWS's resource type, and how to list them.
# AWS's API does not find IAM roles either. https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
MISSING_FROM_MOTO: tuple[tuple[str, str, Callable[[Any], Iterator[Tagged]]], ...] = (
    ("cloudtrail", "cloudtrail:trail", _of_tagger("tagging_service", lambda cloudtrail: cloudtrail.trails.values())),
    (
        "config",
        "config:config-rule",
        lambda config: ((rule.config_rule_arn, rule.tags) for rule in config.config_rules.values()),
    ),
    ("ec2", "ec2:elastic-ip", _of_ec2("elastic-ip", lambda ec2: ec2.addresses)),
    ("ec2", "ec2:network-acl", _of_ec2("network-acl", lambda ec2: ec2.network_acls.values())),
    (
        "ec2",
        "ec2:security-group-rule",
        _of_ec2(
            "security-group-rule",
            lambda ec2: (
                rule
                for groups in ec2.groups.values()
                for group in groups.values()
                for rule in (*group.ingress_rules, *group.egress_rules)
            ),
        ),
    ),
    (
        "ec2",
        "ec2:vpc-endpoint",
        _of_ec2(
            "vpc-endpoint",
            lambda ec2: (endpoint for endpoint in ec2.vpc_end_points.values() if endpoint.state != "deleted"),
        ),
    ),
    ("ecr", "ecr:repository", _of_tagger("tagger", lambda ecr: ecr.repositories.values())),
    (
        "elbv2",
        "elasticloadbalancing:listener",
        _of_tagger(
            "tagging_service",
            lambda elb: (listener for lb in elb.load_balancers.values() for listener in lb.listeners.values()),
        ),
    ),
    (
        "events",
        "events:rule",
        _of_tagger(
            "tagger", lambda events: (rule for bus in events.event_buses.values() for rule in bus.rules.values())
        ),
    ),
    (
        "guardduty",
        "guardduty:detector",
        lambda guardduty: ((guardduty.arn(detector), detector.tags) for detector in guardduty.detectors.values()),
    ),
    ("rds", "rds:cluster-pg", _of_rds("db_cluster_parameter_groups")),
    ("rds", "rds:es", _of_rds("event_subscriptions")),
    ("rds", "rds:pg", _of_rds("db_parameter_groups")),
    ("rds", "rds:subgrp", _of_rds("subnet_groups")),
    ("wafv2", "wafv2:regional/webacl", _of_tagger("tagging_service", lambda waf: waf.wacls.values())),
)


class Backend(ResourceGroupsTaggingAPIBackend):
    """Also searches the services that moto's search omits."""

    def _get_resources_generator(
        self,
        tag_filters: list[dict[str, Any]] | None = None,
        resource_type_filters: list[str] | None = None,
        resource_arn_list: list[str] | None = None,
    ) -> Iterator[TaggedResource]:
        matches = make_tag_matcher(tag_filters)
        # A list, because resources change while a client pages through them.
        found = [
            resource
            for resource in self._all()
            if match_resource_type(resource.resource_type, resource_type_filters)
            and matches(resource.tags)
            and (not resource_arn_list or resource.arn in resource_arn_list)
        ]
        yield from found

    def _get_tag_keys_generator(self) -> Iterator[str]:
        yield from sorted({key for resource in self._all() for key in resource.tags})

    def _get_tag_values_generator(self, tag_key: str) -> Iterator[str]:
        yield from sorted({resource.tags[tag_key] for resource in self._all() if tag_key in resource.tags})

    def _all(self) -> Iterator[TaggedResource]:
        """All tagged resources, without duplicates."""
        seen: set[str] = set()
        for resource in [*self._from_moto(), *self._missing_from_moto()]:
            if resource.tags and resource.arn not in seen:
                seen.add(resource.arn)
                yield resource

    def _from_moto(self) -> Iterator[TaggedResource]:
        for backend in iter_taggable_backends(self.account_id, self.region_name):
            # moto's S3 has one backend for all Regions.
            buckets = getattr(backend, "buckets", {})
            elsewhere = {name for name, bucket in buckets.items() if bucket.region_name != self.region_name}
            for resource in _in_backend(backend):
                if resource.arn.removeprefix("arn:aws:s3:::") not in elsewhere:
                    yield resource

    def _missing_from_moto(self) -> Iterator[TaggedResource]:
        for service in dict.fromkeys(service for service, _, _ in MISSING_FROM_MOTO):
            backends: Any = get_backend(service)  # pyright: ignore[reportArgumentType, reportCallIssue] - overloads for literal names only
            yield from _missing_in(service, backends[self.account_id][self.region_name])


def tagged_resources(service: str, backend: Any) -> Iterator[TaggedResource]:
    """Tagged resources of a service, by moto's name of it, in one of its backends."""
    if hasattr(backend, "iter_tagged_resources"):
        yield from _in_backend(backend)
    yield from _missing_in(service, backend)


def _in_backend(backend: Any) -> Iterator[TaggedResource]:
    for resource in backend.iter_tagged_resources():
        kind = TYPES.get(str(resource.resource_type), str(resource.resource_type))
        arn = resource.arn.replace(":flow-logs/", ":vpc-flow-log/")
        yield TaggedResource(arn, resource.tags, kind)


def _missing_in(service: str, backend: Any) -> Iterator[TaggedResource]:
    for name, kind, read in MISSING_FROM_MOTO:
        if name == service:
            for arn, tags in read(backend):
                yield TaggedResource(arn, tags, kind)


EXTENSION = Extension("resourcegroupstaggingapi", ResourceGroupsTaggingAPIResponse, Backend)
