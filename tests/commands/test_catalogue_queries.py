"""The catalogue's queries about resource types, on the local AWS: IDs of untagged resources, and identifying texts.

A call is written `service.operation Argument=value ...`, followed by ` -> ` and the JMESPath of the created ID. `<0>`
stands for the ID of the first call, `<name>` for the environment's name.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jmespath
import pytest

from operations.account import Account
from operations.errors import call_or_none
from operations.inventory import describe_matches
from synthesized.catalogue.table import LOOKUPS
from tests.commands.conftest import ACCOUNT, REGION, Scene


def arn(resource: str) -> str:
    service, _, rest = resource.partition(":")
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


ROLE = f"arn:aws:iam::{ACCOUNT}:role/acme/<name>-task"
VPC = "ec2.create_vpc CidrBlock=10.0.0.0/16 -> Vpc.VpcId"
SUBNET = "ec2.create_subnet VpcId=<0> CidrBlock=10.0.0.0/24 -> Subnet.SubnetId"
TABLE = "ec2.create_route_table VpcId=<0> -> RouteTable.RouteTableId"
FILES = "efs.create_file_system CreationToken=<name> -> FileSystemId"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}'
PLAN = '{"BackupPlanName":"<name>","Rules":[{"RuleName":"daily","TargetBackupVaultName":"<name>"}]}'
POINTS = '{"Algorithm":"LATEST_WITHIN_WINDOW","IncludeVaults":["*"],"RecoveryPointTypes":["SNAPSHOT"]}'
RESTORES = f'{{"RestoreTestingPlanName":"<name>","ScheduleExpression":"rate(1 day)","RecoveryPointSelection":{POINTS}}}'
EFS = '"ProtectedResourceType":"EFS","ProtectedResourceArns":["*"]'


def record(name: str) -> str:
    values = f'{{"Name":"{name}.<name>.example","Type":"A","TTL":60,"ResourceRecords":[{{"Value":"192.0.2.1"}}]}}'
    changes = f'{{"Changes":[{{"Action":"CREATE","ResourceRecordSet":{values}}}]}}'
    return f"route53.change_resource_record_sets HostedZoneId=<1> ChangeBatch={changes}"


def selection(name: str) -> str:
    wanted = f'{{"SelectionName":"{name}","IamRoleArn":"{ROLE}"}}'
    return f"backup.create_backup_selection BackupPlanId=<1> BackupSelection={wanted} -> SelectionId"


@dataclass(frozen=True)
class Row:
    """Arguments that find nothing before the last call, and the ID for `terraform import` after it."""

    arguments: Sequence[str]
    id: str
    calls: Sequence[str]


ROWS = {
    "aws_backup_restore_testing_selection": Row(
        ["<name>", "files"],
        "files:<name>",
        [
            f"backup.create_restore_testing_plan RestoreTestingPlan={RESTORES}",
            "backup.create_restore_testing_selection RestoreTestingPlanName=<name> RestoreTestingSelection="
            f'{{"RestoreTestingSelectionName":"files","IamRoleArn":"{ROLE}",{EFS}}}',
        ],
    ),
    "aws_backup_selection": Row(
        ["<1>", "files"],
        "<1>|<3>",
        [
            "backup.create_backup_vault BackupVaultName=<name>",
            f"backup.create_backup_plan BackupPlan={PLAN} -> BackupPlanId",
            selection("database"),
            selection("files"),
        ],
    ),
    "aws_cloudwatch_query_definition": Row(
        ["<name>/errors"],
        arn("logs:query-definition:<1>"),
        [
            "logs.put_query_definition name=<name>/errors-more queryString=fields @message",
            "logs.put_query_definition name=<name>/errors queryString=fields @message -> queryDefinitionId",
        ],
    ),
    "aws_efs_mount_target": Row(
        ["<2>", "<1>"],
        "<3>",
        [VPC, SUBNET, FILES, "efs.create_mount_target FileSystemId=<2> SubnetId=<1> -> MountTargetId"],
    ),
    "aws_efs_replication_configuration": Row(
        ["<0>"],
        "<0>",
        [
            FILES,
            'efs.create_replication_configuration SourceFileSystemId=<0> Destinations=[{"Region":"eu-west-2"}]',
        ],
    ),
    "aws_iam_openid_connect_provider": Row(
        ["https://<name>.example"],
        "<0>",
        ["iam.create_open_id_connect_provider Url=https://<name>.example -> OpenIDConnectProviderArn"],
    ),
    "aws_iam_policy": Row(
        ["/acme-access/", "<name>"],
        "<0>",
        [f"iam.create_policy PolicyName=<name> Path=/acme-access/ PolicyDocument={POLICY} -> Policy.Arn"],
    ),
    "aws_iam_role": Row(
        ["<name>"],
        "<name>",
        ["iam.create_role RoleName=<name> Path=/acme/ AssumeRolePolicyDocument={}"],
    ),
    "aws_kms_alias": Row(
        ["alias/<name>"],
        "alias/<name>",
        ["kms.create_key -> KeyMetadata.KeyId", "kms.create_alias AliasName=alias/<name> TargetKeyId=<0>"],
    ),
    "aws_lambda_permission": Row(
        ["<name>", "Rotate"],
        "<name>/Rotate",
        [
            "iam.create_role RoleName=<name>-task Path=/acme/ AssumeRolePolicyDocument={}",
            f"lambda.create_function FunctionName=<name> Runtime=python3.13 Role={ROLE} Handler=a.b"
            ' Code={"ZipFile":""}',
            "lambda.add_permission FunctionName=<name> StatementId=Rotate Action=lambda:InvokeFunction"
            " Principal=secretsmanager.amazonaws.com",
        ],
    ),
    "aws_route": Row(
        ["<1>", "0.0.0.0/0"],
        "<1>_0.0.0.0/0",
        [
            VPC,
            TABLE,
            "ec2.create_internet_gateway -> InternetGateway.InternetGatewayId",
            "ec2.attach_internet_gateway InternetGatewayId=<2> VpcId=<0>",
            "ec2.create_route RouteTableId=<1> DestinationCidrBlock=0.0.0.0/0 GatewayId=<2>",
        ],
    ),
    "aws_route53_record": Row(
        ["shop.<name>.example", "A"],
        "<1>_shop.<name>.example_A",
        [
            "route53.create_hosted_zone Name=example CallerReference=<name>-outer",
            "route53.create_hosted_zone Name=<name>.example CallerReference=<name> -> HostedZone.Id",
            record("api"),
            record("shop"),
        ],
    ),
    "aws_route_table_association": Row(
        ["<2>", "<1>"], "<1>/<2>", [VPC, SUBNET, TABLE, "ec2.associate_route_table RouteTableId=<2> SubnetId=<1>"]
    ),
    "aws_scheduler_schedule": Row(
        ["<name>"],
        "default/<name>",
        [
            'scheduler.create_schedule Name=<name> ScheduleExpression=rate(1 day) FlexibleTimeWindow={"Mode":"OFF"}'
            f' Target={{"Arn":"{arn("states:stateMachine:a")}","RoleArn":"{ROLE}"}}'
        ],
    ),
    "aws_securityhub_account": Row([], ACCOUNT, ["securityhub.enable_security_hub"]),
}

# Arguments of resources that do not exist and have no existing parent.
MISSING = [
    ("aws_backup_restore_testing_selection", ["nothing", "files"]),
    ("aws_backup_selection", ["nothing", "files"]),
    ("aws_efs_mount_target", ["fs-0123456789abcdef0", "subnet-1"]),
    ("aws_efs_replication_configuration", ["fs-0123456789abcdef0"]),
    ("aws_lambda_permission", ["nothing", "a"]),
    ("aws_route", ["rtb-0123456789abcdef0", "0.0.0.0/0"]),
    ("aws_route53_record", ["shop.nowhere.invalid", "A"]),
    ("aws_route_table_association", ["rtb-0123456789abcdef0", "subnet-1"]),
]


@dataclass
class Resources:
    """Resources that calls create in an environment's account."""

    scene: Scene
    ids: list[str] = field(default_factory=list)

    def create(self, calls: Sequence[str]) -> None:
        for call in calls:
            text, _, path = self.filled(call).partition(" -> ")
            target, *arguments = re.split(r" (?=\w+=)", text)
            service, _, operation = target.partition(".")
            parameters = {name: literal(name, value) for name, _, value in (each.partition("=") for each in arguments)}
            response = getattr(self.scene.aws.client(service), operation)(**parameters)
            self.ids.append(str(jmespath.search(path or "''", response)).removeprefix("/hostedzone/"))

    def filled(self, text: str) -> str:
        return re.sub(r"<(\d)>", lambda match: self.ids[int(match[1])], text.replace("<name>", self.scene.name))

    def find(self, type_: str, arguments: Sequence[str]) -> str | None:
        lookup, account = LOOKUPS[type_], Account.of(self.scene.settings)
        return call_or_none(lambda: lookup.find(account, *map(self.filled, arguments)), *lookup.not_found_codes)


def literal(name: str, value: str) -> Any:
    """A value parsed as JSON if possible. Documents stay strings."""
    try:
        return value if name.endswith("Document") else json.loads(value)
    except ValueError:
        return value


@pytest.fixture
def resources(scene: Scene) -> Resources:
    return Resources(scene)


@pytest.mark.parametrize("type_", LOOKUPS)
def test_an_untagged_resource_is_found_by_its_arguments(resources: Resources, type_: str):
    row = ROWS[type_]
    resources.create(row.calls[:-1])
    assert resources.find(type_, row.arguments) is None
    resources.create(row.calls[-1:])
    assert resources.find(type_, row.arguments) == resources.filled(row.id)
    if type_ == "aws_securityhub_account":  # one per account, shared with other tests
        resources.create(["securityhub.disable_security_hub"])


@pytest.mark.parametrize(("type_", "arguments"), MISSING, ids=[type_ for type_, _ in MISSING])
def test_a_missing_resource_is_not_found(resources: Resources, type_: str, arguments: Sequence[str]):
    assert resources.find(type_, arguments) is None


GROUP = "ec2.create_security_group GroupName=g Description=g VpcId=<0> -> GroupId"
ALLOWED = '"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0","Description":"customers"}]'
RULE = (
    f"ec2.authorize_security_group_ingress GroupId=<1> IpPermissions=[{{{ALLOWED}}}]"
    " -> SecurityGroupRules[0].SecurityGroupRuleId"
)
BALANCER = 'elbv2.create_load_balancer Name=<name> Subnets=["<1>"] -> LoadBalancers[0].LoadBalancerArn'
REDIRECT = '[{"Type":"redirect","RedirectConfig":{"Protocol":"HTTPS","Port":"443","StatusCode":"HTTP_301"}}]'
LISTENER = (
    f"elbv2.create_listener LoadBalancerArn=<2> Protocol=HTTP Port=80 DefaultActions={REDIRECT}"
    " -> Listeners[0].ListenerArn"
)
CONTAINERS = '[{"name":"a","image":"a","memory":128}]'
REVISION = (
    f"ecs.register_task_definition family=<name> containerDefinitions={CONTAINERS} -> taskDefinition.taskDefinitionArn"
)
GATEWAY = "ec2.create_nat_gateway SubnetId=<1> ConnectivityType=private -> NatGateway.NatGatewayId"
CLUSTER = "ecs.create_cluster clusterName=<name> -> cluster.clusterArn"
SERVICE = "ecs.create_service cluster=<name> serviceName=web taskDefinition=<1> desiredCount=0 -> service.serviceArn"

# Calls, ARN, and the identifying texts by type. None if the resource is deleted or was never created.
DESCRIBED: list[tuple[Sequence[str], str, dict[str, set[str]] | None]] = [
    (["kms.create_key Description=logs -> KeyMetadata.Arn"], "<0>", {"aws_kms_key": {"logs"}}),
    ([VPC, GROUP, RULE], arn("ec2:security-group-rule/<2>"), {"aws_vpc_security_group_ingress_rule": {"customers"}}),
    ([VPC, SUBNET, BALANCER, LISTENER], "<3>", {"aws_lb_listener": {"80"}}),
    ([VPC, SUBNET, GATEWAY], arn("ec2:natgateway/<2>"), {"aws_nat_gateway": set()}),
    ([CLUSTER], "<0>", {"aws_ecs_cluster": set()}),
    ([CLUSTER, REVISION, SERVICE], "<2>", {"aws_ecs_service": set()}),
    ([REVISION], "<0>", {"aws_ecs_task_definition": set()}),
    (["secretsmanager.create_secret Name=<name> -> ARN"], "<0>", {"aws_secretsmanager_secret": set()}),
    ([], arn("cloudwatch:alarm:a"), {"aws_cloudwatch_composite_alarm": set(), "aws_cloudwatch_metric_alarm": set()}),
    ([], arn("nosuch:q"), {}),
    (["kms.create_key -> KeyMetadata.KeyId", "kms.schedule_key_deletion KeyId=<0>"], arn("kms:key/<0>"), None),
    (["secretsmanager.create_secret Name=<name> -> ARN", "secretsmanager.delete_secret SecretId=<0>"], "<0>", None),
    ([REVISION, "ecs.deregister_task_definition taskDefinition=<0>"], "<0>", None),
    ([], arn("ec2:security-group-rule/sgr-0123456789abcdef0"), None),
    ([], arn("ec2:natgateway/nat-0123456789abcdef0"), None),
    ([], arn("ecs:cluster/gone"), None),
    ([], arn("ecs:service/gone/gone"), None),
    ([], arn(f"elasticloadbalancing:listener/app/gone/{'1' * 16}/{'2' * 16}"), None),
    ([], arn("kms:key/12345678-1234-1234-1234-123456789012"), None),
    ([], arn("secretsmanager:secret:gone-AbCdEf"), None),
]


@pytest.mark.parametrize(("calls", "named", "texts"), DESCRIBED)
def test_a_resource_is_described_unless_it_is_deleted(
    resources: Resources, calls: Sequence[str], named: str, texts: dict[str, set[str]] | None
):
    resources.create(calls)
    found = describe_matches(Account.of(resources.scene.settings), resources.filled(named))
    assert (None if found is None else {match.type: each for match, each in found.items()}) == texts


def test_a_deleted_nat_gateway_does_not_count_though_aws_lists_it_for_an_hour(resources: Resources):
    deleted = {"NatGatewayId": "nat-1", "State": "deleted"}
    resources.scene.intercept("DescribeNatGateways", lambda _: {"NatGateways": [deleted]})
    assert describe_matches(Account.of(resources.scene.settings), arn("ec2:natgateway/nat-1")) is None
