"""Changes that somebody makes to settings or stacks, and what a review must say of each."""

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
from stacks.settings import load_environments
from synthesized.platform import Body, Platform, Stack

# isort: split
from cdktf import App

from local_aws.server import LocalAws
from operations.review.rules import CAPACITY, DATA_LOSS, DOWNTIME, EXPOSURE, OTHER, ROTATION, Level
from operations.terraform import terraform
from tests.conftest import merged, to_toml

Rows = set[tuple[Level, str, str]]
"""Level, address within the stack, and argument, which is empty where it is the whole resource."""


@dataclass(frozen=True)
class Edit:
    """A change, and what a review of its plan says."""

    tier: str
    """Whose plan is reviewed."""
    verdict: Level | None
    rows: Rows = field(default_factory=set)
    settings: Body = field(default_factory=dict)
    """Keys of the environment's file."""
    stack: Callable[[Body], None] = lambda _: None
    """Done to what was synthesized of the tier."""
    outside: Callable[[LocalAws, Body], None] | None = None
    """Done to the AWS behind Terraform's back; it is given the state, by address."""
    options: tuple[str, ...] = ()
    """Of `terraform plan`."""
    and_more: bool = False
    """Whether there are rows that are not named here."""


def resource(address: str, **arguments: Any) -> Callable[[Body], None]:
    """Sets arguments of a resource; a call is given what is there."""
    type_, name = address.split(".")

    def edit(document: Body) -> None:
        body = document["resource"][type_][name]
        for argument, value in arguments.items():
            body[argument] = value(body.get(argument)) if callable(value) else value

    return edit


def without(address: str, *, forgotten: bool = False) -> Callable[[Body], None]:
    """Takes a resource, which no other reads, out of the stack."""

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
    """Calls a resource otherwise, and says so."""
    type_, old = address.split(".")

    def edit(document: Body) -> None:
        document["resource"][type_][name] = document["resource"][type_].pop(old)
        for output in document["output"].values():
            output["value"] = output["value"].replace(address, f"{type_}.{name}")
        document["moved"] = [{"from": address, "to": f"{type_}.{name}"}]

    return edit


def without_prevent_destroy(*addresses: str) -> Callable[[Body], None]:
    """Takes `prevent_destroy` from resources, without which Terraform would refuse to plan what it prevents."""

    def edit(document: Body) -> None:
        for address in addresses:
            type_, name = address.split(".")
            del document["resource"][type_][name]["lifecycle"]["prevent_destroy"]

    return edit


def statement(document_name: str, sid: str, **elements: Any) -> Callable[[Body], None]:
    """Changes a statement of a policy."""

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
KEYS = ("alarms", "backup", "backup-copies", "database", "files", "files-replica", "images", "logs", "secrets")
LIMIT_OF_A_CLIENT = "rule/requests-per-client/statement/0/rate_based_statement/0/limit"
CACHE = "aws_elasticache_replication_group.cache"
SERVICE_RULE = "aws_vpc_security_group_ingress_rule.load-balancer-to-service-8443-in"
LISTENER = "aws_lb_listener.https"
ALARM = "aws_cloudwatch_metric_alarm.alarm-cpu"
BLOCK = "aws_s3_bucket_public_access_block.audit-public-access"
FUNCTION = "aws_lambda_function.function"

EDITS: Mapping[str, Edit] = {
    "nothing": Edit("database", None),
    "another owner": Edit("storage", OTHER, settings={"owner": "sre@globecart.example"}),
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
    "database of another name": Edit(
        "database",
        DATA_LOSS,
        {(DATA_LOSS, CLUSTER, ""), (DOWNTIME, WRITER, ""), (DOWNTIME, READER, "")},
        settings={"database": {"name": "shop2"}},
        stack=without_prevent_destroy(CLUSTER, WRITER, READER),
        and_more=True,
    ),
    "the versions of a bucket are taken out": Edit(
        "foundation",
        DATA_LOSS,
        {(DATA_LOSS, "aws_s3_bucket_versioning.config-versioning", "")},
        stack=without("aws_s3_bucket_versioning.config-versioning"),
    ),
    "what was done behind Terraform's back is undone": Edit(
        "foundation", DATA_LOSS, {(DATA_LOSS, "aws_ecr_repository.images", "")}, outside=_delete_and_open
    ),
    # Downtime.
    "a reader is made anew": Edit(
        "database",
        DOWNTIME,
        {(DOWNTIME, READER, "")},
        stack=without_prevent_destroy(READER),
        options=(f"-replace={READER}",),
    ),
    # A rule to a group is none to a range: AWS makes another.
    "a rule to the world": Edit(
        "network",
        DOWNTIME,
        {(DOWNTIME, SERVICE_RULE, ""), (EXPOSURE, SERVICE_RULE, "")},
        stack=resource(SERVICE_RULE, referenced_security_group_id=None, cidr_ipv4="0.0.0.0/0"),
    ),
    "engine upgrade": Edit(
        "database",
        DOWNTIME,
        {(DOWNTIME, each, "engine_version") for each in (CLUSTER, WRITER, READER)},
        settings={"database": {"engine_version": "17.5"}},
    ),
    "larger cache nodes": Edit(
        "cache", DOWNTIME, {(DOWNTIME, CACHE, "node_type")}, settings={"cache": {"node_type": "cache.r7g.xlarge"}}
    ),
    # Their number is autoscaling's to set; its least is what a plan shows.
    "more shards": Edit(
        "cache",
        CAPACITY,
        {(CAPACITY, "aws_appautoscaling_target.shard-target", "min_capacity")},
        settings={"cache": {"shards": 3}},
    ),
    "another range": Edit(
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
        settings={"service": {"domain": "store.globecart.example"}},
    ),
    "load balancer unprotected": Edit(
        "service",
        DOWNTIME,
        {(DOWNTIME, "aws_lb.load-balancer", "enable_deletion_protection")},
        stack=resource("aws_lb.load-balancer", enable_deletion_protection=False),
    ),
    # Exposure.
    "a way out": Edit(
        "network",
        EXPOSURE,
        {(EXPOSURE, "aws_vpc_security_group_egress_rule.service-to-198-51-100-0-24-443-out", "")},
        settings={"network": {"egress": [{"cidr": "198.51.100.0/24", "reason": "payment provider"}]}},
    ),
    "an older TLS policy": Edit(
        "service",
        EXPOSURE,
        {(EXPOSURE, LISTENER, "ssl_policy")},
        stack=resource(LISTENER, ssl_policy="ELBSecurityPolicy-2016-08"),
    ),
    "an alarm is taken out": Edit("cache", EXPOSURE, {(EXPOSURE, ALARM, "")}, stack=without(ALARM)),
    "an alarm of nobody's": Edit(
        "cache", EXPOSURE, {(EXPOSURE, ALARM, "alarm_actions")}, stack=resource(ALARM, alarm_actions=[])
    ),
    "the flow log is taken out": Edit(
        "network", EXPOSURE, {(EXPOSURE, "aws_flow_log.flow-log", "")}, stack=without("aws_flow_log.flow-log")
    ),
    "a wider policy": Edit(
        "rotation",
        EXPOSURE,
        {(EXPOSURE, "aws_iam_role_policy.rotation-policy", "policy")},
        stack=statement("rotation-permissions", "RotateCredential", resources=["*"]),
    ),
    "a denial less": Edit(
        "rotation",
        EXPOSURE,
        {(EXPOSURE, "aws_secretsmanager_secret_policy.credential-policy", "policy")},
        stack=statement("credential-access", "DenyPlaintext", effect="Allow"),
    ),
    "another administrator of keys": Edit(
        "foundation",
        EXPOSURE,
        {(EXPOSURE, f"aws_kms_key.key-{name}", "policy") for name in KEYS},
        settings={
            "foundation": {
                "key_administrators": [
                    f"arn:aws:iam::111122223333:role/{name}"
                    for name in ("globecart-prod-key-administrators", "globecart-prod-auditors")
                ]
            }
        },
    ),
    "a public bucket": Edit(
        "foundation",
        EXPOSURE,
        {(EXPOSURE, BLOCK, name) for name in ("block_public_policy", "restrict_public_buckets")},
        stack=resource(BLOCK, block_public_policy=False, restrict_public_buckets=False),
    ),
    "more requests of a client": Edit(
        "service",
        EXPOSURE,
        {(EXPOSURE, "aws_wafv2_web_acl.firewall", LIMIT_OF_A_CLIENT)},
        settings={"service": {"requests_per_client": 20000}},
    ),
    "the firewall lacks a rule": Edit(
        "service",
        EXPOSURE,
        {(EXPOSURE, "aws_wafv2_web_acl.firewall", "rule")},
        stack=resource("aws_wafv2_web_acl.firewall", rule=_without_rule),
    ),
    "somebody else hears the alarms": Edit(
        "foundation",
        EXPOSURE,
        {(EXPOSURE, "aws_sns_topic_subscription.alarms-to-24b9a94f", "")},
        settings={
            "foundation": {"alarm_subscriptions": [{"protocol": "email", "endpoint": "night@globecart.example"}]}
        },
    ),
    "connections in clear": Edit(
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
        CAPACITY,
        {(CAPACITY, CLUSTER, "serverlessv2_scaling_configuration/0/max_capacity")},
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
        {(CAPACITY, "aws_ecs_task_definition.task", "cpu"), (CAPACITY, "aws_ecs_task_definition.task", "memory")},
        settings={"service": {"cpu": 2048, "memory": 4096}},
    ),
    "more tasks": Edit(
        "service",
        CAPACITY,
        {(CAPACITY, "aws_appautoscaling_target.task-target", "max_capacity")},
        settings={"service": {"maximum_tasks": 80}},
    ),
    "an alarm is forgotten": Edit("cache", CAPACITY, {(CAPACITY, ALARM, "")}, stack=without(ALARM, forgotten=True)),
    # Nothing of weight.
    "another image": Edit("service", OTHER, settings={"service": {"image": f"@sha256:{'9' * 64}"}}),
    "an alarm is called otherwise": Edit("cache", OTHER, stack=with_renamed(ALARM, "alarm-processors")),
}


def synthesized(name: str, change: Body, folder: Path) -> Platform:
    """The project's own environment with some keys changed."""
    table = merged(tomllib.loads((ROOT / "environments" / f"{name}.toml").read_text(encoding="utf-8")), change)
    (environments := folder / "environments").mkdir(parents=True)
    (environments / f"{name}.toml").write_text(to_toml(table), encoding="utf-8")
    (settings,) = load_environments(environments)
    app = App(outdir=str(folder / "out"))
    build(app, settings)
    app.synth()
    return Platform.read(folder / "out", name)


def plan(stack: Stack, initialized: Path, options: tuple[str, ...]) -> str:
    """What Terraform would do with a stack, as it tells it; `initialized` is the folder that it was deployed from."""
    (stack.folder / ".terraform").symlink_to(initialized / ".terraform")
    shutil.copy(initialized / ".terraform.lock.hcl", stack.folder)
    terraform("plan", *options, "-input=false", "-no-color", "-out=plan", cwd=stack.folder)
    return terraform("show", "-json", "plan", cwd=stack.folder)
