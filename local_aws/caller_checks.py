"""What services check of their caller beyond a call's own action: passed roles, keys, tags at birth, and more.

Each row names where AWS documents it. The Service Authorization Reference omits most of them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.actions import (
    NAMING_MEMBER,
    OPAQUE_MEMBERS,
    Call,
    Check,
    any_resource,
    backend,
    checks_of,
    key_arn,
    leaves,
    own_checks,
    privileges,
    resources,
    without_streams,
)

ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")
# Services that a role is passed to, by the call. The reference of each service lists `iam:PassRole` as a dependency.
PASSED_TO: Mapping[str, str] = {
    "backup:CreateBackupSelection": "backup.amazonaws.com",
    "backup:CreateRestoreTestingSelection": "restore-testing.backup.amazonaws.com",
    "backup:UpdateRestoreTestingSelection": "restore-testing.backup.amazonaws.com",
    "cloudtrail:CreateTrail": "cloudtrail.amazonaws.com",
    "cloudtrail:UpdateTrail": "cloudtrail.amazonaws.com",
    "config:PutConfigurationRecorder": "config.amazonaws.com",
    "ec2:CreateFlowLogs": "vpc-flow-logs.amazonaws.com",
    "ecs:RegisterTaskDefinition": "ecs-tasks.amazonaws.com",
    "events:PutTargets": "events.amazonaws.com",
    "lambda:CreateFunction": "lambda.amazonaws.com",
    "logs:PutSubscriptionFilter": "logs.amazonaws.com",
    "lambda:UpdateFunctionConfiguration": "lambda.amazonaws.com",
    "rds:CreateDBInstance": "monitoring.rds.amazonaws.com",
    "rds:ModifyDBInstance": "monitoring.rds.amazonaws.com",
    "rds:CreateDBCluster": "monitoring.rds.amazonaws.com",
    "rds:ModifyDBCluster": "monitoring.rds.amazonaws.com",
    "s3:PutBucketReplication": "s3.amazonaws.com",
    "scheduler:CreateSchedule": "scheduler.amazonaws.com",
    "scheduler:UpdateSchedule": "scheduler.amazonaws.com",
    "states:CreateStateMachine": "states.amazonaws.com",
    "states:UpdateStateMachine": "states.amazonaws.com",
}
PASSING_NOTHING = {"iam", "sts", "kms", "tag", "secretsmanager", "sns", "sqs", "resource-groups"}
"""Services to which an ARN of a role is no role to use."""
# Tagging actions of IAM, by type. Other services have one action for all types.
TAGGING_IN_IAM = {"role": "TagRole", "policy": "TagPolicy", "oidc-provider": "TagOpenIDConnectProvider"}
READING = {"GetObject", "HeadObject"}
WRITING = {"CopyObject", "CreateMultipartUpload", "PutObject"}
"""Operations of S3 on objects, which may be encrypted with a key."""
CREATING = re.compile(r"(?:Create|Put|Register|Request|Copy|Restore)(\w+)")
# Types of resources whose names in operations differ.
NOUNS: Mapping[str, str] = {
    "CacheParameterGroup": "parametergroup",
    "CacheSubnetGroup": "subnetgroup",
    "CompositeAlarm": "alarm",
    "DBCluster": "cluster",
    "DBClusterParameterGroup": "cluster-pg",
    "DBClusterSnapshot": "cluster-snapshot",
    "DBInstance": "db",
    "DBParameterGroup": "pg",
    "DBSubnetGroup": "subgrp",
    "EventSubscription": "es",
    "Listener": "listener/app",
    "LoadBalancer": "loadbalancer/app/",
    "MetricAlarm": "alarm",
    "OpenIDConnectProvider": "oidc-provider",
    "Rule": "rule-on-default-event-bus",
}
# Service-linked roles that a service makes if they are missing.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
SERVICE_ROLES: Mapping[str, str] = {
    "backup:CreateRestoreTestingPlan": "restore-testing.backup.amazonaws.com",
    "ecs:CreateCluster": "ecs.amazonaws.com",
    "elasticache:CreateReplicationGroup": "elasticache.amazonaws.com",
    "elasticfilesystem:CreateFileSystem": "elasticfilesystem.amazonaws.com",
    "elasticfilesystem:CreateMountTarget": "elasticfilesystem.amazonaws.com",
    "elasticfilesystem:CreateReplicationConfiguration": "elasticfilesystem.amazonaws.com",
    "elasticloadbalancing:CreateLoadBalancer": "elasticloadbalancing.amazonaws.com",
    "guardduty:CreateDetector": "guardduty.amazonaws.com",
    "inspector2:Enable": "inspector2.amazonaws.com",
    "rds:CreateDBCluster": "rds.amazonaws.com",
    "rds:CreateDBInstance": "rds.amazonaws.com",
    "securityhub:EnableSecurityHub": "securityhub.amazonaws.com",
    "wafv2:PutLoggingConfiguration": "wafv2.amazonaws.com",
}
SCALED = {
    "ecs": "ecs.application-autoscaling.amazonaws.com",
    "elasticache": "elasticache.application-autoscaling.amazonaws.com",
    "rds": "rds.application-autoscaling.amazonaws.com",
}
"""By namespace. https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html"""


@dataclass(frozen=True)
class KeyUse:
    """How a service uses a key of the caller while it serves a call."""

    calls: str
    """Calls, separated by spaces."""
    member: str
    """Member of the request that names the key."""
    actions: str
    source: str
    service: str = ""
    """The service through which the key is used, if it is not the called one."""


_KMS = "https://docs.aws.amazon.com/kms/latest/developerguide"
_ECR = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html#encryption-customer-managed-key"
_RDS = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Overview.Encryption.Keys.html"
_MASTER = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-secrets-manager.html#rds-secrets-manager-permissions"
_EFS = "https://docs.aws.amazon.com/efs/latest/ug/encryption-at-rest.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html"
_BACKUP = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html"
_CACHE = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/at-rest-encryption.html"
KEY_USES = (
    KeyUse("ecr:CreateRepository", "kmsKey", "kms:CreateGrant kms:DescribeKey kms:RetireGrant", _ECR),
    KeyUse("rds:CreateDBCluster", "KmsKeyId", "kms:CreateGrant kms:DescribeKey", _RDS),
    KeyUse("rds:CreateDBInstance", "PerformanceInsightsKMSKeyId", "kms:CreateGrant kms:DescribeKey", _RDS),
    KeyUse(
        "rds:CreateDBCluster rds:ModifyDBCluster",
        "MasterUserSecretKmsKeyId",
        "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:GenerateDataKey",
        _MASTER,
        "secretsmanager",
    ),
    KeyUse("elasticache:CreateReplicationGroup", "KmsKeyId", "kms:CreateGrant kms:DescribeKey", _CACHE),
    KeyUse(
        "elasticfilesystem:CreateFileSystem",
        "KmsKeyId",
        "kms:CreateGrant kms:DescribeKey kms:GenerateDataKeyWithoutPlaintext",
        _EFS,
    ),
    KeyUse("lambda:CreateFunction", "KMSKeyArn", "kms:CreateGrant kms:Encrypt", _LAMBDA),
    KeyUse(
        "backup:CreateBackupVault",
        "EncryptionKeyArn",
        "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:GenerateDataKey kms:RetireGrant",
        _BACKUP,
    ),
)

# Application Auto Scaling makes calls with missing and invalid arguments, and refuses if one is denied.
_VALIDATION = "https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html"
_TARGETS = "https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html#application-auto-scaling-additional-permissions"
_WAF = "https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html#security_iam_action-additions"
_LOAD_BALANCING = "https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html"


@dataclass(frozen=True)
class Need:
    """Actions that a service checks, or calls, on behalf of its caller."""

    calls: str
    """Calls, separated by spaces."""
    actions: str
    source: str
    resource: Callable[[Call], list[str]] = lambda _: ["*"]
    """ARNs of what the actions are checked on."""


def _scaled(namespace: str) -> Callable[[Call], list[str]]:
    """What Application Auto Scaling scales, if it is in a namespace."""

    def arns(call: Call) -> list[str]:
        if call.arguments.get("ServiceNamespace") != namespace:
            return []
        kind, _, own = call.arguments["ResourceId"].partition("/" if namespace == "ecs" else ":")
        if namespace == "elasticache":
            return [call.arn(f"replicationgroup:{call.arguments['ResourceId'].rpartition('/')[2]}", namespace)]
        return [call.arn(f"{kind}/{own}" if namespace == "ecs" else f"cluster:{own}", namespace)]

    return arns


def _dummy(service: str, own: str, account: str = "") -> Callable[[Call], list[str]]:
    def arns(call: Call) -> list[str]:
        return [f"arn:aws:{service}:{call.region}:{account or call.account}:{own}"]

    return arns


def _for_databases(resource: Callable[[Call], list[str]]) -> Callable[[Call], list[str]]:
    return lambda call: resource(call) if call.arguments.get("ServiceNamespace") == "rds" else []


def _named(member: str) -> Callable[[Call], list[str]]:
    return lambda call: [value for value in call.get(member) if value.startswith("arn:")]


def _protected_load_balancers(call: Call) -> list[str]:
    return [value for value in call.get("ResourceArn") if ":loadbalancer/" in value]


def _master_secret(call: Call) -> list[str]:
    if not call.arguments.get("ManageMasterUserPassword"):
        return []
    # The secret's name has the cluster's resource ID, which is not known yet.
    return [call.arn("secret:rds!cluster-????????", "secretsmanager")]


_SCALING = "application-autoscaling:PutScalingPolicy application-autoscaling:RegisterScalableTarget"
NEEDS = (
    Need(_SCALING, "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms", _VALIDATION, _dummy("cloudwatch", "alarm:")),
    Need(_SCALING, "rds:CreateDBInstance rds:DeleteDBInstance", _VALIDATION, _for_databases(_dummy("rds", "db:"))),
    Need(
        _SCALING,
        "rds:AddTagsToResource",
        _VALIDATION,
        _for_databases(_dummy("rds", "db:non-existing-db", "12345")),
    ),
    Need(_SCALING, "cloudwatch:DescribeAlarms", _TARGETS),
    Need(_SCALING, "ecs:DescribeServices ecs:UpdateService", _TARGETS, _scaled("ecs")),
    Need(_SCALING, "rds:DescribeDBClusters", _TARGETS, _scaled("rds")),
    Need(
        _SCALING,
        "elasticache:DecreaseReplicaCount elasticache:DescribeReplicationGroups elasticache:IncreaseReplicaCount "
        "elasticache:ModifyReplicationGroupShardConfiguration",
        _TARGETS,
        _scaled("elasticache"),
    ),
    # WAF accepts either set of permissions, and announces the second as the new one. Here, both are needed.
    Need("wafv2:AssociateWebACL", "elasticloadbalancing:SetWebAcl", _WAF),
    Need(
        "wafv2:AssociateWebACL",
        "elasticloadbalancing:CreateWebACLAssociation",
        _WAF,
        _protected_load_balancers,
    ),
    Need("wafv2:DisassociateWebACL", "elasticloadbalancing:SetWebAcl", _WAF),
    Need(
        "wafv2:DisassociateWebACL",
        "elasticloadbalancing:DeleteWebACLAssociation",
        _WAF,
        _protected_load_balancers,
    ),
    Need(
        "wafv2:GetWebACLForResource",
        "elasticloadbalancing:GetLoadBalancerWebACL",
        _WAF,
        _protected_load_balancers,
    ),
    Need(
        "wafv2:PutLoggingConfiguration",
        "logs:CreateLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies logs:PutResourcePolicy",
        "https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html",
    ),
    Need(
        "elasticloadbalancing:CreateLoadBalancer",
        "ec2:DescribeAccountAttributes ec2:DescribeAddresses ec2:DescribeInternetGateways ec2:DescribeSecurityGroups "
        "ec2:DescribeSubnets ec2:DescribeVpcs",
        _LOAD_BALANCING,
    ),
    Need("elasticloadbalancing:CreateTargetGroup", "ec2:DescribeInternetGateways ec2:DescribeVpcs", _LOAD_BALANCING),
    Need("elasticloadbalancing:SetSubnets", "ec2:DescribeSubnets", _LOAD_BALANCING),
    Need(
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        "ec2:DescribeNetworkInterfaceAttribute",
        "https://docs.aws.amazon.com/efs/latest/ug/API_DescribeMountTargetSecurityGroups.html",
    ),
    Need(
        "elasticfilesystem:CreateMountTarget",
        "ec2:DescribeNetworkInterfaces ec2:DescribeSubnets",
        "https://docs.aws.amazon.com/efs/latest/ug/API_CreateMountTarget.html",
    ),
    Need(
        "secretsmanager:RotateSecret",
        "lambda:InvokeFunction",
        "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html",
        _named("RotationLambdaARN"),
    ),
    Need("rds:CreateDBCluster", "secretsmanager:CreateSecret secretsmanager:TagResource", _MASTER, _master_secret),
    Need("backup:CreateBackupVault", "backup-storage:MountCapsule", _BACKUP),
    Need(
        "lambda:CreateFunction",
        "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs",
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions",
        lambda call: ["*"] if call.arguments.get("VpcConfig") else [],
    ),
)


def all_checks(call: Call) -> Iterator[Check]:
    """All checks of a call: its own action, and what services check beyond it."""
    yield from own_checks(call)
    yield from _passed_roles(call)
    yield from _service_roles(call)
    yield from _tags_at_birth(call)
    yield from _uses_of_keys(call)
    for need in NEEDS:
        if call.name in need.calls.split():
            for action in need.actions.split():
                for resource in need.resource(call):
                    yield Check(action, resource)


def _passed_roles(call: Call) -> Iterator[Check]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    if call.service in PASSING_NOTHING or call.operation.startswith(("Describe", "Get", "List", "Tag", "Untag")):
        return
    passed = [value for name, value in leaves(call.arguments, OPAQUE_MEMBERS) if _is_role(name, value)]
    if call.name == "ecs:RegisterTaskDefinition":
        own = [call.arguments.get(member) for member in ("executionRoleArn", "taskRoleArn")]
        # A name stands for a role without a path.
        passed = [each if ":" in each else f"arn:aws:iam::{call.account}:role/{each}" for each in own if each]
    for role in dict.fromkeys(passed):
        if call.name not in PASSED_TO:
            raise NotImplementedError(f"the service that {call.name} passes a role to is not known")
        yield Check("iam:PassRole", role, {"iam:PassedToService": PASSED_TO[call.name]})


def _is_role(name: str, value: str) -> bool:
    return bool(NAMING_MEMBER.search(name) or name.lower().endswith("role")) and bool(ROLE.fullmatch(value))


def _service_roles(call: Call) -> Iterator[Check]:
    service = SERVICE_ROLES.get(call.name)
    if call.name == "application-autoscaling:RegisterScalableTarget":
        service = SCALED[call.arguments["ServiceNamespace"]]
    path = f"/aws-service-role/{service}/"
    if service and not any(role.path == path for role in list(backend("iam", call).roles.values())):
        arn = f"arn:aws:iam::{call.account}:role{path}AWSServiceRoleFor"
        yield Check("iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": service})


def _tags_at_birth(call: Call) -> Iterator[Check]:
    """Tags of a request are checked like a call that tags what it creates.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html, and each service's guide
    """
    if call.service == "ec2":
        for each in call.arguments.get("TagSpecifications") or []:
            tags = {f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in each.get("Tags", [])}
            keys = {**tags, "aws:TagKeys": [tag["Key"] for tag in each.get("Tags", [])]}
            arn = call.arn(f"{each['ResourceType']}/*")
            yield Check("ec2:CreateTags", arn, {**keys, "ec2:CreateAction": call.operation})
        return
    noun = CREATING.fullmatch(call.operation)
    if not noun or not call.tags:
        return
    for action, type_ in _tagging(call.service, noun[1]):
        *_, arn = resources(call.service, type_, call) or [any_resource(action, type_, call)]
        yield Check(action, without_streams(arn), next(checks_of(action, call)).keys)


def _tagging(service: str, noun: str) -> Iterator[tuple[str, str]]:
    """The tagging action for what an operation creates, and its type."""
    found = {
        type_: name
        # Of several, `TagResource` is the newest.
        for name, described in sorted(privileges(service).items(), key=lambda each: each[0] == "TagResource")
        if described["access_level"] == "Tagging" and not re.match(r"Un|Remove|Delete", name)
        for type_ in described["resource_types"]
        if type_ and (type_ == NOUNS.get(noun) or (noun not in NOUNS and _is_called(type_, noun)))
        if service != "iam" or TAGGING_IN_IAM.get(type_) == name
    }
    for type_, name in found.items():
        yield f"{service}:{name}", type_


def _is_called(type_: str, noun: str) -> bool:
    return re.sub(r"\W", "", type_).lower() == noun.lower()


def _uses_of_keys(call: Call) -> Iterator[Check]:
    for use in KEY_USES:
        if call.name in use.calls.split():
            for value in dict.fromkeys(call.get(use.member)):
                yield from _through(use.service or call.service, use.actions, key_arn(value, call), call)
    if call.service == "secretsmanager":
        yield from _secrets(call)
    elif call.service == "s3" and call.operation in {*READING, *WRITING}:
        yield from _objects(call)
    elif call.service == "lambda" and call.operation in {"GetFunction", "GetFunctionConfiguration"}:
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        name = call.arguments["FunctionName"].rpartition(":")[2]
        functions = {each.function_name: each for each in backend("lambda", call).list_functions()}
        if name in functions and functions[name].kms_key_arn and functions[name].environment_vars:
            yield from _through("lambda", "kms:Decrypt", functions[name].kms_key_arn, call)
    elif call.name == "sns:Publish" and (key := key_of_topic(str(call.arguments.get("TopicArn")), call)):
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        yield from _through("sns", "kms:Decrypt kms:GenerateDataKey", key, call)


def key_of_topic(topic_arn: str, call: Call) -> str:
    """ARN of the customer's key that encrypts a topic; empty if there is none."""
    topic = backend("sns", call).topics.get(topic_arn)
    if not topic or not topic.kms_master_key_id or topic.kms_master_key_id.startswith("alias/aws/"):
        return ""
    return key_arn(topic.kms_master_key_id, call)


def _secrets(call: Call) -> Iterator[Check]:
    """https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html"""
    actions = {
        "CreateSecret": "kms:Decrypt kms:GenerateDataKey",
        "GetSecretValue": "kms:Decrypt",
        "PutSecretValue": "kms:Decrypt kms:GenerateDataKey",
        "UpdateSecret": "kms:Decrypt kms:GenerateDataKey",
    }.get(call.operation)
    if not actions:
        return
    secrets: Any = backend("secretsmanager", call).secrets
    name = call.arguments.get("SecretId")
    key = call.arguments.get("KmsKeyId") or (secrets[name].kms_key_id if name and name in secrets else None)
    if key:
        yield from _through("secretsmanager", actions, key_arn(key, call), call)


def _objects(call: Call) -> Iterator[Check]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html"""
    bucket = backend("s3", call).buckets.get(call.arguments["Bucket"])
    if not bucket:
        return
    rule = bucket.encryption["Rule"]["ApplyServerSideEncryptionByDefault"] if bucket.encryption else {}
    if call.operation in WRITING:
        if call.arguments.get("ServerSideEncryption") == "AES256":
            return
        key = call.arguments.get("SSEKMSKeyId") or rule.get("KMSMasterKeyID")
        actions = "kms:GenerateDataKey"
    else:
        found = backend("s3", call).get_object(call.arguments["Bucket"], call.arguments["Key"])
        key, actions = found and found.kms_key_id, "kms:Decrypt"
    if key:
        yield from _through("s3", actions, key_arn(key, call), call)


def _through(service: str, actions: str, key: str, call: Call) -> Iterator[Check]:
    """Uses of a key through a service. https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"""
    # AWS's own key of a service may be used by everyone in the account; a missing one, the service reports.
    if key.rpartition("/")[2] not in backend("kms", call).keys:
        return
    via = {"kms:ViaService": f"{service}.{call.region}.amazonaws.com", "kms:CallerAccount": call.account}
    for action in actions.split():
        is_grant = action == "kms:CreateGrant"
        yield Check(action, key, {**via, "kms:GrantIsForAWSResource": "true"} if is_grant else via)
