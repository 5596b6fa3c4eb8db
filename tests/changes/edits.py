"""Changes to settings and stacks, and what the review of each must report."""

import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

# Before cdktf, as in main.py.
from main import build
from stacks import ROOT
from stacks.foundation.keys import KEYS, SECOND_REGION_KEYS
from stacks.settings import load_environments
from stacks.settings.files import merged
from synthesized.platform import Body, Platform, Stack

# isort: split
from cdktf import App

from local_aws.server import LocalAws
from operations.review.rules import CAPACITY, DATA_LOSS, DOWNTIME, EXPOSURE, OTHER, ROTATION, Level
from operations.terraform import terraform
from tests.conftest import to_toml

Rows = set[tuple[Level, str, str]]
"""Level, address in the stack, and argument; the argument is empty for findings on the resource."""


@dataclass(frozen=True)
class Edit:
    """A change, and the expected review of its plan."""

    tier: str
    """Tier to plan and review."""
    verdict: Level | None
    rows: Rows = field(default_factory=set)
    settings: Body = field(default_factory=dict)
    """Changed keys of the environment's file."""
    stack: Callable[[Body], None] = lambda _: None
    """Changes the synthesized stack."""
    outside: Callable[[LocalAws, Body], None] | None = None
    """Changes resources behind Terraform's back; takes the attributes in the state, by address."""
    options: tuple[str, ...] = ()
    """Options of `terraform plan`."""
    and_more: bool = False
    """Whether the review may have other rows, too."""


def resource(address: str, **arguments: Any) -> Callable[[Body], None]:
    """Set arguments of a resource; a callable gets the current value."""
    type_, name = address.split(".")

    def edit(document: Body) -> None:
        body = document["resource"][type_][name]
        for argument, value in arguments.items():
            body[argument] = value(body.get(argument)) if callable(value) else value

    return edit


def without(address: str, *, forgotten: bool = False) -> Callable[[Body], None]:
    """Remove a resource that no other refers to; `forgotten` keeps it in AWS."""

    def edit(document: Body) -> None:
        type_, name = address.split(".")
        del document["resource"][type_][name]
        if not document["resource"][type_]:
            del document["resource"][type_]
        for other in chain.from_iterable(each.values() for each in document["resource"].values()):
            if address in other.get("depends_on", ()):
                other["depends_on"].remove(address)
        outputs = document["output"]
        document["output"] = {key: output for key, output in outputs.items() if address not in str(output["value"])}
        if forgotten:
            document["removed"] = [{"from": address, "lifecycle": {"destroy": False}}]

    return edit


def with_renamed(address: str, name: str) -> Callable[[Body], None]:
    """Rename a resource, with a `moved` block."""
    type_, old = address.split(".")

    def edit(document: Body) -> None:
        document["resource"][type_][name] = document["resource"][type_].pop(old)
        for output in document["output"].values():
            output["value"] = output["value"].replace(address, f"{type_}.{name}")
        document["moved"] = [{"from": address, "to": f"{type_}.{name}"}]

    return edit


def without_prevent_destroy(*addresses: str) -> Callable[[Body], None]:
    """Remove `prevent_destroy` from resources, so that Terraform plans their replacement."""

    def edit(document: Body) -> None:
        for address in addresses:
            type_, name = address.split(".")
            del document["resource"][type_][name]["lifecycle"]["prevent_destroy"]

    return edit


def statement(document_name: str, sid: str, **elements: Any) -> Callable[[Body], None]:
    """Change a statement of a policy document."""

    def edit(document: Body) -> None:
        for each in document["data"]["aws_iam_policy_document"][document_name]["statement"]:
            if each["sid"] == sid:
                each |= elements

    return edit


def _without_rule(rules: list[Body]) -> list[Body]:
    return [rule for rule in rules if rule["name"] != rules[-1]["name"]]


def _delete_and_open(aws: LocalAws, state: Body) -> None:
    aws.client("ecr").delete_repository(repositoryName=state["aws_ecr_repository.images"]["name"], force=True)
    aws.client("s3").delete_public_access_block(Bucket=state[BLOCK]["bucket"])


CLUSTER, WRITER, READER = (
    "aws_rds_cluster.cluster",
    "aws_rds_cluster_instance.writer",
    "aws_rds_cluster_instance.reader-1",
)
DEPLOYED = max(load_environments(ROOT / "environments"), key=lambda environment: environment.production)
"""The environment that the tests deploy: one in production, if there is one."""
KEY_PURPOSES = (*KEYS, *(SECOND_REGION_KEYS if DEPLOYED.second_region else ()))
LIMIT_OF_A_CLIENT = "rule/requests-per-client/statement/0/rate_based_statement/0/limit"
CACHE = "aws_elasticache_replication_group.cache"
SERVICE_RULE = "aws_vpc_security_group_ingress_rule.load-balancer-to-service-8443-in"
LISTENER = "aws_lb_listener.https"
ALARM = "aws_cloudwatch_metric_alarm.alarm-cpu"
BLOCK = "aws_s3_bucket_public_access_block.audit-public-access"
FUNCTION = "aws_lambda_function.function"

EDITS: Mapping[str, Edit] = {
    "nothing": Edit("database", None),
    "another owner": Edit("storage", OTHER, settings={"owner": "sre@acme.example"}),
    # Data.
    "no deletion protection": Edit(
        "database",
        DATA_LOSS,
        {(DATA_LOSS, CLUSTER, "deletion_protection"), (DATA_LOSS, CLUSTER, "skip_final_snapshot")},
        stack=resource(CLUSTER, deletion_protection=False, skip_final_snapshot=True),
    ),
    "logs for less time": Edit(
        "cache",
        DATA_LOSS,
        {(DATA_LOSS, f"aws_cloudwatch_log_group.log-{name}-log", "retention_in_days") for name in ("engine", "slow")},
        settings={"log_retention_days": 365},
    ),
    "renamed database": Edit(
        "database",
        DATA_LOSS,
        {(DATA_LOSS, CLUSTER, ""), (DOWNTIME, WRITER, ""), (DOWNTIME, READER, "")},
        settings={"database": {"name": "shop2"}},
        stack=without_prevent_destroy(CLUSTER, WRITER, READER),
        and_more=True,
    ),
    "no bucket versioning": Edit(
        "foundation",
        DATA_LOSS,
        {(DATA_LOSS, "aws_s3_bucket_versioning.config-versioning", "")},
        stack=without("aws_s3_bucket_versioning.config-versioning"),
    ),
    "drift is reverted": Edit(
        "foundation", DATA_LOSS, {(DATA_LOSS, "aws_ecr_repository.images", "")}, outside=_delete_and_open
    ),
    # Downtime.
    "replaced reader": Edit(
        "database",
        DOWNTIME,
        {(DOWNTIME, READER, "")},
        stack=without_prevent_destroy(READER),
        options=(f"-replace={READER}",),
    ),
    # AWS cannot change a rule's source from a security group to a range: it is replaced.
    "rule open to anywhere": Edit(
        "network",
        DOWNTIME,
        {(DOWNTIME, SERVICE_RULE, ""), (EXPOSURE, SERVICE_RULE, "")},
        stack=resource(SERVICE_RULE, referenced_security_group_id=None, cidr_ipv4="0.0.0.0/0"),
    ),
    "engine upgrade": Edit(
        "database",
        DOWNTIME,
        {(DOWNTIME, each, "engine_version") for each in (CLUSTER, WRITER, READER)},
        settings={"database": {"engine_version": "17.9"}},
    ),
    "larger cache nodes": Edit(
        "cache", DOWNTIME, {(DOWNTIME, CACHE, "node_type")}, settings={"cache": {"node_type": "cache.r7g.xlarge"}}
    ),
    # Application Auto Scaling sets the number; the plan shows the minimum.
    "more shards": Edit(
        "cache",
        CAPACITY,
        {(CAPACITY, "aws_appautoscaling_target.shard-target", "min_capacity")},
        settings={"cache": {"shards": 3}},
    ),
    "another CIDR block": Edit(
        "network",
        DOWNTIME,
        {(DOWNTIME, "aws_vpc.vpc", "")},
        and_more=True,
        settings={"network": {"cidr": "10.64.0.0/16"}},
    ),
    "another domain": Edit(
        "service",
        DOWNTIME,
        {(DOWNTIME, "aws_route53_record.domain", "")},
        and_more=True,
        settings={"service": {"domain": f"store.{DEPLOYED.service.hosted_zone}"}},
    ),
    "load balancer unprotected": Edit(
        "service",
        DOWNTIME,
        {(DOWNTIME, "aws_lb.load-balancer", "enable_deletion_protection")},
        stack=resource("aws_lb.load-balancer", enable_deletion_protection=False),
    ),
    # Exposure.
    "more egress": Edit(
        "network",
        EXPOSURE,
        {(EXPOSURE, "aws_vpc_security_group_egress_rule.service-to-198-51-100-0-24-443-out", "")},
        settings={"network": {"egress": [{"cidr": "198.51.100.0/24", "reason": "payment provider"}]}},
    ),
    "older TLS policy": Edit(
        "service",
        EXPOSURE,
        {(EXPOSURE, LISTENER, "ssl_policy")},
        stack=resource(LISTENER, ssl_policy="ELBSecurityPolicy-2016-08"),
    ),
    "removed alarm": Edit("cache", EXPOSURE, {(EXPOSURE, ALARM, "")}, stack=without(ALARM)),
    "alarm without action": Edit(
        "cache", EXPOSURE, {(EXPOSURE, ALARM, "alarm_actions")}, stack=resource(ALARM, alarm_actions=[])
    ),
    "removed flow log": Edit(
        "network", EXPOSURE, {(EXPOSURE, "aws_flow_log.flow-log", "")}, stack=without("aws_flow_log.flow-log")
    ),
    "wider policy": Edit(
        "rotation",
        EXPOSURE,
        {(EXPOSURE, "aws_iam_role_policy.rotation-policy", "policy")},
        stack=statement("rotation-permissions", "RotateCredential", resources=["*"]),
    ),
    "removed denial": Edit(
        "rotation",
        EXPOSURE,
        {(EXPOSURE, "aws_secretsmanager_secret_policy.credential-policy", "policy")},
        stack=statement("credential-access", "DenyPlaintext", effect="Allow"),
    ),
    "another key administrator": Edit(
        "foundation",
        EXPOSURE,
        {(EXPOSURE, f"aws_kms_key.key-{name}", "policy") for name in KEY_PURPOSES},
        settings={
            "foundation": {
                "key_administrators": [
                    *DEPLOYED.foundation.key_administrators,
                    f"arn:aws:iam::{DEPLOYED.account}:role/auditors",
                ]
            }
        },
    ),
    "public bucket": Edit(
        "foundation",
        EXPOSURE,
        {(EXPOSURE, BLOCK, name) for name in ("block_public_policy", "restrict_public_buckets")},
        stack=resource(BLOCK, block_public_policy=False, restrict_public_buckets=False),
    ),
    "higher rate limit": Edit(
        "service",
        EXPOSURE,
        {(EXPOSURE, "aws_wafv2_web_acl.firewall", LIMIT_OF_A_CLIENT)},
        settings={"service": {"requests_per_client": 20000}},
    ),
    "removed WAF rule": Edit(
        "service",
        EXPOSURE,
        {(EXPOSURE, "aws_wafv2_web_acl.firewall", "rule")},
        stack=resource("aws_wafv2_web_acl.firewall", rule=_without_rule),
    ),
    "another alarm subscription": Edit(
        "foundation",
        EXPOSURE,
        {(EXPOSURE, "aws_sns_topic_subscription.alarms-to-24b9a94f", "")},
        settings={"foundation": {"alarm_subscriptions": [{"protocol": "email", "endpoint": "night@acme.example"}]}},
    ),
    "unencrypted connections": Edit(
        "cache",
        EXPOSURE,
        {(EXPOSURE, CACHE, "transit_encryption_mode")},
        stack=resource(CACHE, transit_encryption_mode="preferred"),
    ),
    # Rotation.
    "rotation every 15 days": Edit(
        "rotation",
        ROTATION,
        {(ROTATION, "aws_secretsmanager_secret_rotation.rotation-schedule", "")},
        settings={"rotation": {"days": 15}},
    ),
    "another function": Edit(
        "rotation",
        ROTATION,
        {(ROTATION, FUNCTION, ""), (CAPACITY, FUNCTION, "memory_size")},
        stack=resource(FUNCTION, memory_size=1024),
    ),
    # Capacity.
    "more ACU": Edit(
        "database",
        EXPOSURE,
        {
            (CAPACITY, CLUSTER, "serverlessv2_scaling_configuration/0/max_capacity"),
            # More vCPUs, more sessions before the alarm.
            (EXPOSURE, "aws_cloudwatch_metric_alarm.alarm-load", "threshold"),
        },
        settings={"database": {"maximum_capacity": 128}},
    ),
    "another reader": Edit(
        "database",
        CAPACITY,
        {
            (CAPACITY, "aws_rds_cluster_instance.reader-2", ""),
            (CAPACITY, "aws_appautoscaling_target.reader-target", "min_capacity"),
        },
        settings={"database": {"readers": 2}},
    ),
    "larger tasks": Edit(
        "service",
        CAPACITY,
        {
            (CAPACITY, "aws_ecs_task_definition.task", "container_definitions/application/memory"),
            (CAPACITY, "aws_ecs_task_definition.task", "cpu"),
            (CAPACITY, "aws_ecs_task_definition.task", "memory"),
        },
        settings={"service": {"cpu": 2048, "memory": 4096}},
    ),
    "more tasks": Edit(
        "service",
        CAPACITY,
        {(CAPACITY, "aws_appautoscaling_target.task-target", "max_capacity")},
        settings={"service": {"maximum_tasks": 80}},
    ),
    "forgotten alarm": Edit("cache", CAPACITY, {(CAPACITY, ALARM, "")}, stack=without(ALARM, forgotten=True)),
    # Other.
    "another image": Edit("service", OTHER, settings={"service": {"image": f"@sha256:{'9' * 64}"}}),
    "renamed alarm": Edit("cache", OTHER, stack=with_renamed(ALARM, "alarm-processors")),
}


def synthesized(name: str, change: Body, folder: Path) -> Platform:
    """One of the project's environments with changed settings."""
    table = merged(tomllib.loads((ROOT / "environments" / f"{name}.toml").read_text(encoding="utf-8")), change)
    environments = folder / "environments"
    shutil.copytree(ROOT / "environments", environments)
    (environments / f"{name}.toml").write_text(to_toml(table), encoding="utf-8")
    (settings,) = load_environments(environments, only=name)
    app = App(outdir=str(folder / "out"))
    build(app, settings)
    app.synth()
    return Platform.read(folder / "out", name)


def plan(stack: Stack, initialized: Path, options: tuple[str, ...]) -> str:
    """A plan for a stack as JSON; `initialized` is the folder from which it was deployed."""
    (stack.folder / ".terraform").symlink_to(initialized / ".terraform")
    shutil.copy(initialized / ".terraform.lock.hcl", stack.folder)
    terraform("plan", *options, "-input=false", "-no-color", "-out=plan", cwd=stack.folder)
    return terraform("show", "-json", "plan", cwd=stack.folder)
