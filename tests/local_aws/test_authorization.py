"""Authorization of calls: by roles, with their policies, boundaries, and the policies of resources."""

import base64
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.utils import utcnow

from local_aws.actions import (
    MEMBERS,
    NEW_ACTIONS,
    OTHER_NAMES,
    S3_ACTIONS,
    any_resource,
    call_of,
    checks_of,
    privileges,
)
from local_aws.caller_checks import KEY_USES, NEEDS, NOUNS, PASSED_TO, SERVICE_ROLES, all_checks
from local_aws.server import LocalAws
from tests.local_aws.conftest import create_role, document

BAD_REQUEST, FORBIDDEN = 400, 403
NUMBERS = count(1)
ISSUER = "token.actions.githubusercontent.com"
Statement = Mapping[str, Any]


def allow(*actions: str, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": "*", **more}


class Caller:
    """A role of its own, whose session makes calls."""

    def __init__(self, aws: LocalAws, *statements: Statement, boundary: str = "") -> None:
        self.aws, self.name = aws, f"caller-{next(NUMBERS)}"
        iam = aws.client("iam")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": aws.account}}
        limit = {"PermissionsBoundary": boundary} if boundary else {}
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=document(trust), **limit)["Role"]
        self.arn: str = role["Arn"]
        if statements:
            self.allow(*statements)
        sts = aws.client("sts")
        self._credentials = sts.assume_role(RoleArn=self.arn, RoleSessionName="one")["Credentials"]

    def allow(self, *statements: Statement) -> None:
        self.aws.client("iam").put_role_policy(
            RoleName=self.name, PolicyName="own", PolicyDocument=document(*statements)
        )

    def client(self, service: str) -> Any:
        return boto3.Session(
            self._credentials["AccessKeyId"],
            self._credentials["SecretAccessKey"],
            self._credentials["SessionToken"],
            self.aws.region,
        ).client(service, endpoint_url=self.aws.endpoint)

    def denied(self, service: str, operation: str, **arguments: Any) -> str:
        """The action and resource that a call is denied, and the reason; empty if it is allowed."""
        try:
            getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            if "is not authorized to perform: " not in message:
                raise
            return message.partition("is not authorized to perform: ")[2]
        return ""


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation"),
        ("iam", "list_roles", {}, "AccessDenied"),
        ("s3", "list_buckets", {}, "AccessDenied"),
        ("kms", "list_keys", {}, "AccessDeniedException"),
        ("efs", "describe_file_systems", {}, "AccessDeniedException"),
    ],
)
def test_a_call_that_no_policy_allows_is_denied_in_the_words_of_its_service(
    aws: LocalAws, service: str, operation: str, arguments: dict[str, Any], code: str
):
    caller = Caller(aws)
    with pytest.raises(ClientError, match=f"assumed-role/{caller.name}/one is not authorized to perform") as error:
        getattr(caller.client(service), operation)(**arguments)
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == FORBIDDEN


def test_everyone_may_ask_who_he_is(aws: LocalAws):
    caller = Caller(aws)
    assert caller.client("sts").get_caller_identity()["Arn"].endswith(f"assumed-role/{caller.name}/one")


def test_what_was_decided_is_recorded(aws: LocalAws):
    caller = Caller(aws, allow("sns:ListTopics", Sid="List"), allow("sqs:ListQueues", Sid="Queues"))
    assert caller.denied("sns", "list_topics") == ""
    assert caller.denied("sns", "create_topic", Name="one").startswith("sns:CreateTopic on resource: arn:aws:sns:")
    record = aws.gateway.authorizer.records[caller.arn]
    assert record.actions == {"sns:ListTopics"}
    assert [str(statement) for statement in record.statements] == ["own/List"]
    (denied,) = record.denied
    assert denied.startswith(f"sns:CreateTopic on arn:aws:sns:{aws.region}:{aws.account}:one because no identity-based")


def test_policies_apply_as_they_are_at_the_moment(aws: LocalAws):
    caller = Caller(aws)
    assert caller.denied("sns", "list_topics")
    caller.allow(allow("sns:List*"))
    assert not caller.denied("sns", "list_topics")
    caller.allow(allow("sns:List*"), allow("sns:*", Effect="Deny"))
    assert "explicit deny" in caller.denied("sns", "list_topics")


def test_a_boundary_limits_a_role(aws: LocalAws):
    limit = aws.client("iam").create_policy(
        PolicyName=f"limit-{next(NUMBERS)}", PolicyDocument=document(allow("sns:ListTopics"))
    )["Policy"]["Arn"]
    caller = Caller(aws, allow("*"), boundary=limit)
    assert not caller.denied("sns", "list_topics")
    assert "no permissions boundary allows" in caller.denied("sqs", "list_queues")


def test_tags_of_the_request_and_of_the_resource_are_condition_keys(aws: LocalAws):
    ours = {"Condition": {"StringEquals": {"aws:RequestTag/Team": "shop"}}}
    theirs = {"Condition": {"StringEquals": {"aws:ResourceTag/Team": "shop"}}}
    caller = Caller(
        aws, allow("kms:CreateKey", "kms:TagResource", **ours), allow("kms:DescribeKey", "kms:UntagResource", **theirs)
    )
    assert caller.denied("kms", "create_key", Tags=[{"TagKey": "Team", "TagValue": "till"}])
    tagged = caller.client("kms").create_key(Tags=[{"TagKey": "Team", "TagValue": "shop"}])["KeyMetadata"]["Arn"]
    other = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    assert not caller.denied("kms", "describe_key", KeyId=tagged)
    assert caller.denied("kms", "describe_key", KeyId=other)
    caller.allow(allow("kms:*", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": ["Team"]}}))
    assert caller.denied("kms", "untag_resource", KeyId=tagged, TagKeys=["Owner"])
    assert not caller.denied("kms", "untag_resource", KeyId=tagged, TagKeys=["Team"])


def test_what_is_created_with_tags_in_ec2_is_checked_on_all_its_resources(aws: LocalAws):
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    arguments: dict[str, Any] = {
        "VpcId": vpc,
        "CidrBlock": "10.9.1.0/24",
        "TagSpecifications": [{"ResourceType": "subnet", "Tags": [{"Key": "Team", "Value": "shop"}]}],
    }
    tagged = {"StringEquals": {"aws:RequestTag/Team": "shop"}}
    subnets = allow("ec2:CreateSubnet", Resource="arn:aws:ec2:*:*:subnet/*", Condition=tagged)
    inside = allow("ec2:CreateSubnet", Resource=f"arn:aws:ec2:*:*:vpc/{vpc}")
    at_birth = {"StringEquals": {**tagged["StringEquals"], "ec2:CreateAction": "CreateSubnet"}}
    tags = allow("ec2:CreateTags", Condition=at_birth)
    caller = Caller(aws, subnets)
    assert f"ec2:CreateSubnet on resource: arn:aws:ec2:{aws.region}:{aws.account}:vpc/{vpc}" in caller.denied(
        "ec2", "create_subnet", **arguments
    )
    caller.allow(subnets, inside)
    assert "ec2:CreateTags on resource" in caller.denied("ec2", "create_subnet", **arguments)
    caller.allow(subnets, inside, tags)
    assert not caller.denied("ec2", "create_subnet", **arguments)
    # The same tags by themselves are no birth.
    assert "ec2:CreateTags" in caller.denied(
        "ec2", "create_tags", Resources=[vpc], Tags=arguments["TagSpecifications"][0]["Tags"]
    )


def test_an_association_stands_for_what_it_joins(aws: LocalAws):
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    routed = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    (association,) = [
        each["NetworkAclAssociationId"]
        for one in ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
        for each in one["Associations"]
        if each["SubnetId"] == subnet
    ]
    caller = Caller(aws, allow("ec2:*", Resource="arn:aws:ec2:*:*:network-acl/*"))
    arguments = {"AssociationId": association, "NetworkAclId": acl}
    assert f"subnet/{subnet}" in caller.denied("ec2", "replace_network_acl_association", **arguments)
    caller.allow(allow("ec2:*", Resource=[f"arn:aws:ec2:*:*:subnet/{subnet}", "arn:aws:ec2:*:*:network-acl/*"]))
    assert not caller.denied("ec2", "replace_network_acl_association", **arguments)
    assert f"route-table/{table}" in caller.denied("ec2", "disassociate_route_table", AssociationId=routed)
    # One that is over belongs to nothing.
    ec2.disassociate_route_table(AssociationId=routed)
    with pytest.raises(ClientError, match=r"InvalidAssociationID\.NotFound"):
        caller.client("ec2").disassociate_route_table(AssociationId=routed)


def test_an_alias_stands_for_its_key(aws: LocalAws):
    name = f"alias/key-{next(NUMBERS)}"
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    aliases = allow("kms:*Alias", Resource="arn:aws:kms:*:*:alias/*")
    caller = Caller(aws, aliases)
    assert f"kms:CreateAlias on resource: {key}" in caller.denied(
        "kms", "create_alias", AliasName=name, TargetKeyId=key
    )
    caller.allow(aliases, allow("kms:*Alias", Resource=key))
    assert not caller.denied("kms", "create_alias", AliasName=name, TargetKeyId=key)
    caller.allow(aliases)
    assert f"kms:DeleteAlias on resource: {key}" in caller.denied("kms", "delete_alias", AliasName=name)


def test_a_role_is_passed_to_a_service(aws: LocalAws):
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    role = create_role(aws, f"passed-{next(NUMBERS)}", "states.amazonaws.com")
    arguments = {"name": f"passed-{next(NUMBERS)}", "definition": definition, "roleArn": role}
    caller = Caller(aws, allow("states:*"))
    assert caller.denied("stepfunctions", "create_state_machine", **arguments).startswith(
        f"iam:PassRole on resource: {role}"
    )
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    caller.allow(allow("states:*"), allow("iam:PassRole", Condition=to_lambda))
    assert caller.denied("stepfunctions", "create_state_machine", **arguments)
    to_states = {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}
    caller.allow(allow("states:*"), allow("iam:PassRole", Condition=to_states))
    assert not caller.denied("stepfunctions", "create_state_machine", **arguments)


def test_a_call_that_passes_a_role_to_an_unknown_service_is_not_supported(aws: LocalAws):
    caller = Caller(aws, allow("*"))
    call = {"roleArn": caller.arn, "certificateArn": "arn:aws:iot:eu-west-3:1:cert/1"}
    with pytest.raises(NotImplementedError, match="iot:CreateRoleAlias passes a role to is not known"):
        list(all_checks(call_of("iot", "CreateRoleAlias", call, aws.account, aws.region)))
    with pytest.raises(NotImplementedError, match="no action sns:Whisper"):
        list(all_checks(call_of("sns", "Whisper", {}, aws.account, aws.region)))


def test_a_service_makes_its_own_role_if_there_is_none(aws: LocalAws):
    caller = Caller(aws, allow("guardduty:*"))
    service = "guardduty.amazonaws.com"
    assert caller.denied("guardduty", "create_detector", Enable=True).startswith(
        f"iam:CreateServiceLinkedRole on resource: arn:aws:iam::{aws.account}:role/aws-service-role/{service}/"
    )
    aws.client("iam").create_service_linked_role(AWSServiceName=service)
    detector = caller.client("guardduty").create_detector(Enable=True)["DetectorId"]
    aws.client("guardduty").delete_detector(DetectorId=detector)


def test_an_encrypted_secret_needs_its_key_through_the_service(aws: LocalAws):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = aws.client("secretsmanager").create_secret(
        Name=f"secret-{next(NUMBERS)}", SecretString="value", KmsKeyId=key
    )["ARN"]
    caller = Caller(aws, allow("secretsmanager:GetSecretValue", Resource=secret))
    assert caller.denied("secretsmanager", "get_secret_value", SecretId=secret).startswith(
        f"kms:Decrypt on resource: {key}"
    )
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{aws.region}.amazonaws.com"}}
    caller.allow(allow("secretsmanager:GetSecretValue"), allow("kms:Decrypt", Condition=via))
    assert not caller.denied("secretsmanager", "get_secret_value", SecretId=secret.rpartition(":")[2][:-7])
    # The key's own policy must let the account use it, too.
    closed = {"Effect": "Allow", "Principal": {"AWS": caller.arn}, "Action": "kms:PutKeyPolicy", "Resource": "*"}
    aws.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(closed))
    assert "no resource-based policy allows the kms:Decrypt" in caller.denied(
        "secretsmanager", "get_secret_value", SecretId=secret
    )


def test_an_object_needs_the_key_of_its_bucket(aws: LocalAws):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3, bucket = aws.client("s3"), f"bucket-{next(NUMBERS)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    objects = allow("s3:GetObject", "s3:PutObject", Resource=f"arn:aws:s3:::{bucket}/*")
    caller = Caller(aws, objects)
    assert caller.denied("s3", "put_object", Bucket=bucket, Key="a/b").startswith("kms:GenerateDataKey")
    caller.allow(objects, allow("kms:GenerateDataKey"))
    assert not caller.denied(
        "s3", "put_object", Bucket=bucket, Key="a/b", SSEKMSKeyId=key, ServerSideEncryption="aws:kms"
    )
    assert caller.denied("s3", "get_object", Bucket=bucket, Key="a/b").startswith("kms:Decrypt")
    assert caller.denied("s3", "list_objects_v2", Bucket=bucket).startswith(
        f"s3:ListBucket on resource: arn:aws:s3:::{bucket} "
    )


def test_a_buckets_policy_denies_also_its_administrator(aws: LocalAws):
    s3, bucket = aws.client("s3"), f"bucket-{next(NUMBERS)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    unencrypted = {"Null": {"s3:x-amz-server-side-encryption": "true"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=document({**deny, "Condition": unencrypted}))
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        s3.put_object(Bucket=bucket, Key="one")
    s3.put_object(Bucket=bucket, Key="one", ServerSideEncryption="AES256")
    with pytest.raises(ClientError, match="explicit deny"):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "one"}]})
    s3.put_bucket_policy(Bucket=bucket, Policy=document({**deny, "Resource": [f"arn:aws:s3:::{bucket}"]}))
    s3.delete_bucket_policy(Bucket=bucket)


def test_a_role_is_assumed_only_by_whom_it_trusts(aws: LocalAws):
    sts = aws.client("sts")
    role = create_role(aws, f"passed-{next(NUMBERS)}", "states.amazonaws.com")
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRole"):
        sts.assume_role(RoleArn=role, RoleSessionName="one")
    caller = Caller(aws, allow("sts:AssumeRole"))
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": caller.arn}}
    aws.client("iam").update_assume_role_policy(RoleName=role.rpartition("/")[2], PolicyDocument=document(trust))
    assert caller.client("sts").assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]


def token(**claims: str | float) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, claims)]
    return ".".join([*parts, "signature"])


def test_a_token_of_an_identity_provider_is_held_against_the_trust(aws: LocalAws):
    iam, sts = aws.client("iam"), aws.client("sts")
    provider = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Condition": {"StringEquals": {f"{ISSUER}:sub": "repo:shop/platform:pull_request"}},
    }
    role = iam.create_role(RoleName="pipeline", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]

    def assume(text: str) -> Any:
        return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="job", WebIdentityToken=text)

    right = {
        "iss": f"https://{ISSUER}",
        "aud": "sts.amazonaws.com",
        "exp": time.time() + 60,
        "sub": "repo:shop/platform:pull_request",
    }
    assert assume(token(**right))["Credentials"]
    wrong = ({"sub": "repo:shop/other:x"}, {"iss": "https://other"}, {"aud": "other"}, {"exp": time.time() - 1})
    for claims in wrong:
        with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
            assume(token(**right | claims))
    with pytest.raises(ClientError, match="Not authorized"):
        assume("nonsense")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["OpenIDConnectProviderArn"])
    with pytest.raises(ClientError, match="Not authorized"):
        assume(token(**right))


def test_a_service_must_be_let_in_by_the_role_that_it_acts_as(aws: LocalAws):
    """Also if an administrator makes the call."""
    role = create_role(aws, f"function-{next(NUMBERS)}", "lambda.amazonaws.com", "logs:*")
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.6.1.0/24")["Subnet"]["SubnetId"]
    with pytest.raises(ClientError, match=f"lambda.amazonaws.com is not authorized as {role} to perform: ec2:Assign"):
        aws.client("lambda").create_function(
            FunctionName="inside",
            Runtime="python3.13",
            Handler="shop.handle",
            Role=role,
            Code={"ZipFile": b""},
            VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": []},
        )
    other = create_role(aws, f"passed-{next(NUMBERS)}", "lambda.amazonaws.com")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    with pytest.raises(
        ClientError, match=f"states.amazonaws.com is not authorized to perform: sts:AssumeRole on {other}"
    ):
        aws.client("stepfunctions").create_state_machine(name="distrusted", definition=definition, roleArn=other)


def test_tags_of_every_kind_of_resource_are_condition_keys(aws: LocalAws):
    """Of each service whose tags moto keeps in another way."""
    name, ours = f"tagged-{next(NUMBERS)}", {"Environment": "prod"}
    pairs = [{"Key": "Environment", "Value": "prod"}]
    iam, logs = aws.client("iam"), aws.client("logs")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), Tags=pairs)
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("sns:*")), Tags=pairs)["Policy"]["Arn"]
    logs.create_log_group(logGroupName=name, tags=ours)
    plan = {"RestoreTestingPlanName": name.replace("-", "_"), "ScheduleExpression": "cron(0 1 ? * MON *)"}
    windows = {"RecoveryPointSelection": {"Algorithm": "LATEST_WITHIN_WINDOW", "RecoveryPointTypes": ["SNAPSHOT"]}}
    windows["RecoveryPointSelection"]["IncludeVaults"] = ["*"]
    aws.client("backup").create_restore_testing_plan(RestoreTestingPlan=plan | windows, Tags=ours)
    target = aws.client("sqs").create_queue(QueueName=name, tags=ours)["QueueUrl"]
    other = {
        "StringNotEquals": {"AWS:ResourceTag/environment": "dev"},
        "Null": {"aws:ResourceTag/Environment": "false"},
    }
    caller = Caller(aws, allow("*"), allow("*", Effect="Deny", Condition=other))
    for service, operation, arguments in (
        ("iam", "update_role", {"RoleName": name}),
        ("iam", "delete_policy", {"PolicyArn": policy}),
        ("logs", "delete_log_group", {"logGroupName": name}),
        ("backup", "delete_restore_testing_plan", {"RestoreTestingPlanName": plan["RestoreTestingPlanName"]}),
        ("sqs", "purge_queue", {"QueueUrl": target}),
    ):
        assert "explicit deny in an identity-based policy" in caller.denied(service, operation, **arguments), operation


def test_an_arn_in_a_text_is_not_the_resource(aws: LocalAws):
    mine, victim = (create_role(aws, f"role-{next(NUMBERS)}", "ec2.amazonaws.com") for _ in range(2))
    caller = Caller(aws, allow("iam:*", Resource=mine))
    name = victim.rpartition("/")[2]
    assert f"iam:UpdateRole on resource: {victim}" in caller.denied(
        "iam", "update_role", RoleName=name, Description=mine
    )


def test_credentials_are_those_of_a_session_or_of_the_administrator(aws: LocalAws):
    s3, bucket = aws.client("s3"), f"bucket-{next(NUMBERS)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=bucket, Key="one", Body=b"secret")
    caller = Caller(aws)
    signed = caller.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "one"})
    for url in (signed, f"{aws.endpoint}/{bucket}/one"):
        connection = HTTPConnection(urlsplit(aws.endpoint).netloc)
        connection.request("GET", url.removeprefix(aws.endpoint))
        assert connection.getresponse().status in {BAD_REQUEST, FORBIDDEN}
    unknown = boto3.Session("ASIAUNKNOWN", "secret", "token", aws.region).client("sns", endpoint_url=aws.endpoint)
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        unknown.list_topics()
    aws.backend("sts").assumed_roles[-1].expiration = utcnow() - timedelta(seconds=1)
    with pytest.raises(ClientError, match="security token included in the request is expired"):
        caller.client("sns").list_topics()


def test_what_is_not_known_of_a_check_is_not_supported(aws: LocalAws, unsupported: dict[str, int]):
    caller = Caller(aws, allow("*"), allow("*", Effect="Deny", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    with pytest.raises(ClientError, match="condition key aws:sourceip is not known"):
        caller.client("sns").list_topics()
    caller.allow(allow("*"))
    with pytest.raises(ClientError, match="the security-group that ec2:AuthorizeSecurityGroupIngress is about is not"):
        caller.client("ec2").authorize_security_group_ingress(GroupName="default", IpPermissions=[])
    with pytest.raises(ClientError, match="policies of sessions are not evaluated"):
        aws.client("sts").assume_role(RoleArn=caller.arn, RoleSessionName="one", Policy=document(allow("*")))
    key = aws.client("iam").create_user(UserName="somebody") and aws.client("iam").create_access_key(
        UserName="somebody"
    )
    somebody = boto3.Session(key["AccessKey"]["AccessKeyId"], "secret", region_name=aws.region)
    with pytest.raises(ClientError, match="policies of users are not evaluated"):
        somebody.client("sns", endpoint_url=aws.endpoint).list_topics()
    aws.client("iam").delete_access_key(UserName="somebody", AccessKeyId=key["AccessKey"]["AccessKeyId"])
    aws.client("iam").delete_user(UserName="somebody")
    unsupported.clear()


def test_a_new_deployment_of_the_same_tasks_is_checked_as_well(aws: LocalAws):
    name, ecs = f"shop-{next(NUMBERS)}", aws.client("ecs")
    role = create_role(aws, name, "ecs-tasks.amazonaws.com")
    container = {
        "name": "web",
        "image": f"{aws.account}.dkr.ecr.{aws.region}.amazonaws.com/shop:1",
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/shop"}},
        "memory": 128,
    }
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(family=name, containerDefinitions=[container], executionRoleArn=role)
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=1)
    aws.client("iam").delete_role_policy(RoleName=name, PolicyName="own")
    with pytest.raises(ClientError, match="to perform: ecr:GetAuthorizationToken"):
        ecs.update_service(cluster=name, service=name, forceNewDeployment=True)
    ecs.update_service(cluster=name, service=name, desiredCount=2)
    ecs.delete_service(cluster=name, service=name, force=True)


def checked(aws: LocalAws, service: str, operation: str, **arguments: Any) -> list[str]:
    call = call_of(service, operation, arguments, aws.account, aws.region)
    return [str(check).replace(f":{aws.region}:{aws.account}:", "::") for check in all_checks(call)]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "checks"),
    [
        (
            "monitoring",
            "PutMetricAlarm",
            {"AlarmName": "a/b"},
            ["cloudwatch:PutMetricAlarm arn:aws:cloudwatch::alarm:a/b"],
        ),
        (
            "events",
            "DescribeRule",
            {"Name": "a", "Of": {"Rule": "b"}},
            ["events:DescribeRule arn:aws:events::rule/a"],
        ),
        ("events", "PutRule", {"Name": "a"}, ["events:PutRule arn:aws:events::rule/a"]),
        (
            "logs",
            "PutRetentionPolicy",
            {"logGroupName": "/a"},
            ["logs:PutRetentionPolicy arn:aws:logs::log-group:/a:log-stream:"],
        ),
        (
            "logs",
            "TagResource",
            {"resourceArn": "arn:aws:logs:us-west-1:123456789012:log-group:/a"},
            ["logs:TagResource arn:aws:logs::log-group:/a"],
        ),
        (
            "ecs",
            "DescribeServices",
            {"cluster": "arn:aws:ecs:us-west-1:123456789012:cluster/c", "services": ["s"]},
            ["ecs:DescribeServices arn:aws:ecs::service/c/s"],
        ),
        (
            "wafv2",
            "DeleteWebACL",
            {"Scope": "REGIONAL", "Name": "n", "Id": "1"},
            ["wafv2:DeleteWebACL arn:aws:wafv2::regional/webacl/n/1"],
        ),
        (
            "s3",
            "CreateBucket",
            {"Bucket": "b", "ObjectLockEnabledForBucket": True, "ObjectOwnership": "BucketOwnerEnforced"},
            [
                "s3:CreateBucket arn:aws:s3:::b",
                "s3:PutBucketObjectLockConfiguration arn:aws:s3:::b",
                "s3:PutBucketVersioning arn:aws:s3:::b",
                "s3:PutBucketOwnershipControls arn:aws:s3:::b",
            ],
        ),
        (
            "s3",
            "DeleteObjects",
            {
                "Bucket": "b",
                "Delete": {"Objects": [{"Key": "k", "VersionId": "1"}, {"Key": "l"}]},
                "BypassGovernanceRetention": True,
            },
            [
                "s3:DeleteObjectVersion arn:aws:s3:::b/k",
                "s3:BypassGovernanceRetention arn:aws:s3:::b/k",
                "s3:DeleteObject arn:aws:s3:::b/l",
                "s3:BypassGovernanceRetention arn:aws:s3:::b/l",
            ],
        ),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "a/l", "ACL": "private", "Tagging": "a=b"},
            [
                "s3:PutObject arn:aws:s3:::b/k",
                "s3:GetObject arn:aws:s3:::a/l",
                "s3:PutObjectAcl arn:aws:s3:::b/k",
                "s3:PutObjectTagging arn:aws:s3:::b/k",
            ],
        ),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "1"}, ["s3:GetObjectVersion arn:aws:s3:::b/k"]),
        (
            "elasticloadbalancing",
            "CreateListener",
            {
                "LoadBalancerArn": "arn:aws:elasticloadbalancing:us-west-1:123456789012:loadbalancer/app/n/1",
                "Tags": [{"Key": "Team", "Value": "shop"}],
            },
            [
                "elasticloadbalancing:CreateListener arn:aws:elasticloadbalancing::loadbalancer/app/n/1",
                "elasticloadbalancing:AddTags arn:aws:elasticloadbalancing::listener/app/n/1/*",
            ],
        ),
        (
            "rds",
            "DeleteDBCluster",
            {"DBClusterIdentifier": "C", "SkipFinalSnapshot": True},
            ["rds:DeleteDBCluster arn:aws:rds::cluster:c"],
        ),
        (
            "rds",
            "DeleteDBCluster",
            {"DBClusterIdentifier": "c", "FinalDBSnapshotIdentifier": "s"},
            ["rds:DeleteDBCluster arn:aws:rds::cluster:c", "rds:DeleteDBCluster arn:aws:rds::cluster-snapshot:s"],
        ),
        (
            "secretsmanager",
            "BatchGetSecretValue",
            {"SecretIdList": ["n"]},
            [
                "secretsmanager:BatchGetSecretValue *",
                "secretsmanager:GetSecretValue arn:aws:secretsmanager::secret:n-??????",
            ],
        ),
        (
            "ecs",
            "RegisterTaskDefinition",
            {"family": "f", "executionRoleArn": "short"},
            [
                "ecs:RegisterTaskDefinition *",
                "iam:PassRole arn:aws:iam::123456789012:role/short",
            ],
        ),
        ("securityhub", "DescribeHub", {}, ["securityhub:DescribeHub arn:aws:securityhub::hub/default"]),
        (
            "secretsmanager",
            "CreateSecret",
            {"Name": "n"},
            ["secretsmanager:CreateSecret arn:aws:secretsmanager::secret:n-??????"],
        ),
        (
            "route53",
            "GetHostedZone",
            {"Id": "/hostedzone/Z1"},
            ["route53:GetHostedZone arn:aws:route53:::hostedzone/Z1"],
        ),
        (
            "iam",
            "CreateServiceLinkedRole",
            {"AWSServiceName": "ecs.amazonaws.com"},
            ["iam:CreateServiceLinkedRole arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/*"],
        ),
        (
            "kms",
            "CreateAlias",
            {"AliasName": "alias/a", "TargetKeyId": "1"},
            ["kms:CreateAlias arn:aws:kms::alias/a", "kms:CreateAlias arn:aws:kms::key/1"],
        ),
        (
            "application-autoscaling",
            "PutScalingPolicy",
            {"ServiceNamespace": "ecs", "ResourceId": "service/c/s"},
            [
                "application-autoscaling:PutScalingPolicy arn:aws:application-autoscaling::scalable-target/*",
                "cloudwatch:PutMetricAlarm arn:aws:cloudwatch::alarm:",
                "cloudwatch:DeleteAlarms arn:aws:cloudwatch::alarm:",
                "cloudwatch:DescribeAlarms *",
                "ecs:DescribeServices arn:aws:ecs::service/c/s",
                "ecs:UpdateService arn:aws:ecs::service/c/s",
            ],
        ),
    ],
)
def test_what_a_call_is_checked_on(
    aws: LocalAws, service: str, operation: str, arguments: dict[str, Any], checks: list[str]
):
    found = checked(aws, service, operation, **arguments)
    assert [each.replace(" on resource: ", " ") for each in found] == checks


def test_tables_name_what_the_reference_has():
    actions = {*PASSED_TO, *SERVICE_ROLES} - {"s3:PutBucketReplication"}
    actions |= {*OTHER_NAMES.values()}
    actions |= {f"s3:{action}" for action in S3_ACTIONS.values()} | set(NEW_ACTIONS.values())
    actions |= {action for use in KEY_USES for action in (*use.calls.split(), *use.actions.split())}
    actions |= {action for need in NEEDS for action in need.actions.split()} - NEW_ACTIONS.keys()
    assert [each for each in sorted(actions) if each.partition(":")[2] not in privileges(each.partition(":")[0])] == []
    for name in MEMBERS:
        service, type_ = name.split(" ", 1)
        call = call_of(service, "Any", {}, "1", "eu-west-3")
        assert any_resource(f"{service}:Any", type_, call).startswith("arn:aws:"), name
    types = {type_ for each in privileges("rds").values() for type_ in each["resource_types"]}
    assert types >= {"cluster-pg", "subgrp"} & set(NOUNS.values())
    assert next(checks_of("sns:ListTopics", call_of("sns", "ListTopics", {}, "1", "eu-west-3"))).resource == "*"
