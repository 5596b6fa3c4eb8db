"""What a killed apply leaves behind: found by its tags, or by what it belongs to, with the command that mends it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from operations.account import Account
from operations.errors import RefusedError
from operations.inventory import described
from operations.orphans import Orphan, find
from synthesized.catalogue import matches
from synthesized.platform import Body, Platform, Resource, Stack
from tests.commands.conftest import ACCOUNT, REGION, Scene
from tests.states import state

NETWORKS = count(1)


@dataclass
class Deployed:
    """An environment of a few resources: those that its stacks name, those that are there, those that a state knows."""

    scene: Scene
    stacks: dict[str, Stack] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client("s3").create_bucket(
            Bucket=self.scene.names.state_bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def client(self, service: str) -> Any:
        return self.scene.aws.client(service)

    def has(self, address: str, *, tier: str = "network", **body: Any) -> None:
        """The stacks have a resource."""
        type_, _, name = address.partition(".")
        backend = {"bucket": self.scene.names.state_bucket, "key": f"{self.scene.name}/{tier}.tfstate"}
        document = {"terraform": {"backend": {"s3": backend}}}
        self.stacks.setdefault(tier, Stack(f"{self.scene.name}-{tier}", tier, Path(), document, ()))
        self.resources.append(Resource(f"{type_}.{tier}_{name}", address, tier, type_, name, body))

    def knows(self, resources: dict[str, Body], tier: str = "network", deposed: str = "") -> None:
        """A tier's state knows resources: attributes by address."""
        self.put(json.dumps(state(resources, deposed=deposed)).encode(), tier)

    def put(self, content: bytes, tier: str = "network") -> None:
        key = f"{self.scene.name}/{tier}.tfstate"
        self.client("s3").put_object(Bucket=self.scene.names.state_bucket, Key=key, Body=content)

    def tags(self, tier: str = "network", **more: str) -> dict[str, str]:
        return {"Environment": self.scene.name, "Tier": tier, "ManagedBy": "cdktf", **more}

    def listed(self, tier: str = "network", **more: str) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags(tier, **more).items()]

    def vpc(self, **more: str) -> str:
        specification = {"ResourceType": "vpc", "Tags": self.listed(**more)}
        cidr = f"10.{next(NETWORKS)}.0.0/16"
        made = self.client("ec2").create_vpc(CidrBlock=cidr, TagSpecifications=[specification])
        return made["Vpc"]["VpcId"]

    def subnet(self, vpc: str) -> str:
        (network,) = self.client("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"]
        cidr = network["CidrBlock"].replace("/16", "/24")
        return self.client("ec2").create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]

    @property
    def account(self) -> Account:
        return Account.of(self.scene.settings)

    @property
    def platform(self) -> Platform:
        return Platform(self.scene.name, self.stacks, tuple(self.resources), ())

    def lost(self) -> list[Orphan]:
        return find(self.account, self.platform)

    def commands(self) -> list[str]:
        return [orphan.command for orphan in self.lost()]


@pytest.fixture
def deployed(scene: Scene) -> Deployed:
    return Deployed(scene)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def test_where_every_resource_is_in_a_state_none_is_lost(deployed: Deployed):
    vpc = deployed.vpc()
    deployed.has("aws_vpc.vpc")
    deployed.knows({"aws_vpc.vpc": {"id": vpc, "arn": arn("ec2", f"vpc/{vpc}")}})
    assert deployed.lost() == []


def test_the_only_one_of_its_type_is_imported(deployed: Deployed):
    vpc = deployed.vpc()
    deployed.has("aws_vpc.vpc")
    deployed.has("aws_internet_gateway.internet")
    (orphan,) = deployed.lost()
    assert (orphan.what, orphan.tier) == (arn("ec2", f"vpc/{vpc}"), "network")
    assert (orphan.address, orphan.id) == ("aws_vpc.vpc", vpc)
    assert orphan.command == f"terraform import 'aws_vpc.vpc' '{vpc}'"


def test_of_several_of_a_type_the_one_that_says_its_name_is_imported(deployed: Deployed):
    client = deployed.client("ec2")
    for name in ("nat-a", "nat-b"):
        deployed.has(f"aws_eip.{name}", tags={"Name": name})
    specification = {"ResourceType": "elastic-ip", "Tags": deployed.listed(Name="nat-b")}
    address = client.allocate_address(Domain="vpc", TagSpecifications=[specification])["AllocationId"]
    assert deployed.commands() == [f"terraform import 'aws_eip.nat-b' '{address}'"]


def test_what_could_be_several_is_deleted(deployed: Deployed):
    for name in ("nat-a", "nat-b"):
        deployed.has(f"aws_eip.{name}")
    specification = {"ResourceType": "elastic-ip", "Tags": deployed.listed()}
    made = deployed.client("ec2").allocate_address(Domain="vpc", TagSpecifications=[specification])
    assert deployed.commands() == [f"aws ec2 release-address --allocation-id {made['AllocationId']}"]


def test_two_that_would_be_the_same_are_both_deleted(deployed: Deployed):
    made = {deployed.vpc(), deployed.vpc()}
    deployed.has("aws_vpc.vpc")
    assert set(deployed.commands()) == {
        f"aws cloudcontrol delete-resource --type-name AWS::EC2::VPC --identifier '{vpc}'" for vpc in made
    }


def test_what_no_stack_has_any_more_is_deleted(deployed: Deployed):
    topic = deployed.client("sns").create_topic(Name=f"{deployed.scene.name}-old", Tags=deployed.listed())["TopicArn"]
    deployed.has("aws_vpc.vpc")
    assert deployed.commands() == [
        f"aws cloudcontrol delete-resource --type-name AWS::SNS::Topic --identifier '{topic}'"
    ]


def test_a_type_that_nobody_knows_is_told_as_well(deployed: Deployed):
    queue = deployed.client("sqs").create_queue(QueueName=f"{deployed.scene.name}-q", tags=deployed.tags())
    assert queue
    deployed.has("aws_vpc.vpc")
    (orphan,) = deployed.lost()
    assert orphan.address is None
    assert orphan.command.endswith(f"--type-name <type> --identifier '{arn('sqs', deployed.scene.name + '-q')}'")


def test_what_another_environment_tier_or_tool_has_made_is_not_ours(deployed: Deployed):
    deployed.vpc(Environment="another")
    deployed.vpc(Tier="a-tier-without-a-stack")
    deployed.vpc(ManagedBy="hand")
    deployed.has("aws_vpc.vpc")
    assert deployed.lost() == []


def test_a_name_that_a_state_knows_for_another_type_hides_nothing(deployed: Deployed):
    name = f"{deployed.scene.name}-files"
    deployed.client("logs").create_log_group(logGroupName=name, tags=deployed.tags())
    deployed.has("aws_cloudwatch_log_group.log")
    deployed.has("aws_ecr_repository.images")
    deployed.knows({"aws_ecr_repository.images": {"id": name, "arn": arn("ecr", f"repository/{name}")}})
    assert deployed.commands() == [f"terraform import 'aws_cloudwatch_log_group.log' '{name}'"]


def test_what_a_state_knows_by_its_id_alone_is_known(deployed: Deployed):
    specification = {"ResourceType": "elastic-ip", "Tags": deployed.listed()}
    made = deployed.client("ec2").allocate_address(Domain="vpc", TagSpecifications=[specification])
    deployed.has("aws_eip.nat")
    deployed.knows({"aws_eip.nat": {"id": made["AllocationId"]}})
    assert deployed.lost() == []


def test_what_is_being_replaced_is_in_the_state_as_well(deployed: Deployed):
    old = deployed.vpc()
    deployed.has("aws_vpc.vpc")
    deployed.knows({"aws_vpc.vpc": {"id": old}}, deposed="0a1b2c3d")
    assert deployed.lost() == []


def test_keys_are_told_apart_by_what_they_are_for(deployed: Deployed):
    for what in ("files", "logs"):
        deployed.has(f"aws_kms_key.{what}", description=f"Encrypts {what}")
    tags = [{"TagKey": key, "TagValue": value} for key, value in deployed.tags().items()]
    made = deployed.client("kms").create_key(Description="Encrypts logs", Tags=tags)["KeyMetadata"]["KeyId"]
    assert deployed.commands() == [f"terraform import 'aws_kms_key.logs' '{made}'"]


@pytest.mark.parametrize("described", [True, False])
def test_rules_of_a_security_group_are_told_apart_by_direction_and_description(deployed: Deployed, described: bool):
    client = deployed.client("ec2")
    group = client.create_security_group(GroupName="g", Description="g", VpcId=deployed.vpc(ManagedBy="hand"))
    deployed.has("aws_vpc_security_group_ingress_rule.web", description="customers")
    deployed.has("aws_vpc_security_group_ingress_rule.others", description="others")
    deployed.has("aws_vpc_security_group_egress_rule.web", description="customers")
    (made,) = client.authorize_security_group_ingress(
        GroupId=group["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "0.0.0.0/0", **({"Description": "customers"} if described else {})}],
            }
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": deployed.listed()}],
    )["SecurityGroupRules"]
    (command,) = deployed.commands()
    imported = f"terraform import 'aws_vpc_security_group_ingress_rule.web' '{made['SecurityGroupRuleId']}'"
    assert (command == imported) is described
    assert described or command.startswith("aws cloudcontrol delete-resource --type-name AWS::EC2::SecurityGroup")


def test_listeners_are_told_apart_by_their_port(deployed: Deployed):
    vpc = deployed.vpc(ManagedBy="hand")
    client = deployed.client("elbv2")
    balancer = client.create_load_balancer(Name=deployed.scene.name, Subnets=[deployed.subnet(vpc)])
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    made = client.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
        Tags=deployed.listed(),
    )["Listeners"][0]["ListenerArn"]
    deployed.has("aws_lb_listener.http", port=80, default_action=[{"redirect": {"port": "443"}}])
    deployed.has("aws_lb_listener.https", port=443)
    assert deployed.commands() == [f"terraform import 'aws_lb_listener.http' '{made}'"]


def test_what_the_next_apply_takes_over_by_itself_is_not_lost(deployed: Deployed):
    client = deployed.client("ec2")
    vpc = deployed.vpc(ManagedBy="hand")
    (default,) = client.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    client.create_tags(Resources=[default["NetworkAclId"]], Tags=deployed.listed(Name="locked"))
    deployed.has("aws_default_network_acl.default", tags={"Name": "locked"})
    deployed.has("aws_network_acl.app", tags={"Name": "app"})
    assert deployed.lost() == []


def test_another_than_the_default_is_lost_even_where_only_the_default_is_missing(deployed: Deployed):
    specification = {"ResourceType": "network-acl", "Tags": deployed.listed()}
    vpc = deployed.vpc(ManagedBy="hand")
    made = deployed.client("ec2").create_network_acl(VpcId=vpc, TagSpecifications=[specification])["NetworkAcl"]
    deployed.has("aws_default_network_acl.default", tags={"Name": "locked"})
    (orphan,) = deployed.lost()
    assert (orphan.address, orphan.id) == (None, made["NetworkAclId"])


def test_what_the_next_apply_registers_again_is_not_lost(deployed: Deployed):
    deployed.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId=f"table/{deployed.scene.name}",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        MinCapacity=1,
        MaxCapacity=2,
        Tags=deployed.tags(),
    )
    deployed.has("aws_appautoscaling_target.target")
    assert deployed.account.client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
    assert deployed.lost() == []


@pytest.mark.parametrize(
    ("service", "resource"),
    [
        ("backup", "recovery-point:0a1b"),
        ("ec2", "network-interface/eni-1"),
        ("ecs", "task/prod/0a1b"),
        ("elasticache", "cluster:prod-0001-001"),
        ("elasticache", "snapshot:automatic.prod"),
        ("rds", "cluster-snapshot:rds:prod"),
        ("rds", "snapshot:rds:prod"),
    ],
)
def test_nodes_and_tasks_and_backups_need_nobodys_care(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, service: str, resource: str
):
    mapping = {"ResourceARN": arn(service, resource), "Tags": deployed.listed()}
    deployed.has("aws_vpc.vpc")
    deployed.scene.where("GetResources", lambda _: {"ResourceTagMappingList": [mapping]})
    assert deployed.lost() == []
    monkeypatch.setattr(matches, "IGNORED", [])
    assert [orphan.what for orphan in deployed.lost()] == [arn(service, resource)]


def keys_that_go(deployed: Deployed) -> str:
    client = deployed.client("kms")
    tags = [{"TagKey": key, "TagValue": value} for key, value in deployed.tags().items()]
    key = client.create_key(Tags=tags)["KeyMetadata"]
    client.schedule_key_deletion(KeyId=key["KeyId"])
    return key["Arn"]


def secrets_that_go(deployed: Deployed) -> str:
    client = deployed.client("secretsmanager")
    secret = client.create_secret(Name=deployed.scene.name, Tags=deployed.listed())["ARN"]
    client.delete_secret(SecretId=secret)
    return secret


def definitions_that_go(deployed: Deployed) -> str:
    client = deployed.client("ecs")
    made = client.register_task_definition(
        family=deployed.scene.name,
        containerDefinitions=[{"name": "a", "image": "a", "memory": 128}],
        tags=[{"key": key, "value": value} for key, value in deployed.tags().items()],
    )["taskDefinition"]["taskDefinitionArn"]
    client.deregister_task_definition(taskDefinition=made)
    return made


def gateways_that_go(deployed: Deployed) -> str:
    client = deployed.client("ec2")
    specification = {"ResourceType": "natgateway", "Tags": deployed.listed()}
    subnet = deployed.subnet(deployed.vpc(ManagedBy="hand"))
    made = client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private", TagSpecifications=[specification])[
        "NatGateway"
    ]["NatGatewayId"]
    client.delete_nat_gateway(NatGatewayId=made)
    # AWS shows it for an hour.
    deployed.scene.where("DescribeNatGateways", lambda _: {"NatGateways": [{"NatGatewayId": made, "State": "deleted"}]})
    return arn("ec2", f"natgateway/{made}")


@pytest.mark.parametrize("make", [keys_that_go, secrets_that_go, definitions_that_go, gateways_that_go])
def test_what_was_deleted_and_is_still_to_be_seen_is_not_lost(deployed: Deployed, make: Callable[[Deployed], str]):
    gone = make(deployed)
    for type_ in ("aws_kms_key", "aws_secretsmanager_secret", "aws_ecs_task_definition", "aws_nat_gateway"):
        deployed.has(f"{type_}.only")
    assert described(deployed.account, gone) is None
    assert deployed.lost() == []


def alias(deployed: Deployed) -> str:
    key = deployed.client("kms").create_key()["KeyMetadata"]["KeyId"]
    name = f"alias/{deployed.scene.name}"
    deployed.has("aws_kms_alias.it", name=name, target_key_id="${aws_kms_key.network_lost.id}")
    deployed.client("kms").create_alias(AliasName=name, TargetKeyId=key)
    return name


def role(deployed: Deployed) -> str:
    name = f"{deployed.scene.name}-task"
    deployed.has("aws_iam_role.it", name=name)
    deployed.client("iam").create_role(RoleName=name, Path="/globecart/", AssumeRolePolicyDocument="{}")
    return name


def policy(deployed: Deployed) -> str:
    name, path = f"{deployed.scene.name}-reads", "/globecart-access/"
    deployed.has("aws_iam_policy.it", name=name, path=path)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
    asked = {"PolicyName": name, "Path": path, "PolicyDocument": json.dumps(document)}
    return deployed.client("iam").create_policy(**asked)["Policy"]["Arn"]


def provider(deployed: Deployed) -> str:
    url = f"https://{deployed.scene.name}.example"
    deployed.has("aws_iam_openid_connect_provider.it", url=url)
    made = deployed.client("iam").create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    return made["OpenIDConnectProviderArn"]


def query(deployed: Deployed) -> str:
    client, name = deployed.client("logs"), f"{deployed.scene.name}/errors"
    deployed.has("aws_cloudwatch_query_definition.it", name=name)
    client.put_query_definition(name=f"{name}-more", queryString="fields @message")
    id = client.put_query_definition(name=name, queryString="fields @message")["queryDefinitionId"]
    return arn("logs", f"query-definition:{id}")


def schedule(deployed: Deployed) -> str:
    name = f"{deployed.scene.name}-daily"
    target = {"Arn": arn("states", "stateMachine:a"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/a"}
    deployed.has("aws_scheduler_schedule.it", name=name, target={"arn": "${aws_sfn_state_machine.network_lost.arn}"})
    deployed.client("scheduler").create_schedule(
        Name=name, ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    return f"default/{name}"


def record(deployed: Deployed) -> str:
    client, domain = deployed.client("route53"), f"{deployed.scene.name}.example"
    deployed.has("aws_route53_record.it", name=f"shop.{domain}", type="A")
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": f"shop.{domain}",
                "Type": "A",
                "TTL": 60,
                "ResourceRecords": [{"Value": "192.0.2.1"}],
            },
        }
    ]
    client.create_hosted_zone(Name="example", CallerReference=f"{domain}-outer")
    zone = client.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return f"{zone.removeprefix('/hostedzone/')}_shop.{domain}_A"


def hub(deployed: Deployed) -> str:
    deployed.has("aws_securityhub_account.it")
    deployed.client("securityhub").enable_security_hub()
    return ACCOUNT


@pytest.mark.parametrize("make", [alias, policy, provider, role, query, schedule, record, hub])
def test_what_cannot_be_found_by_tags_is_found_by_its_name(deployed: Deployed, make: Callable[[Deployed], str]):
    id = make(deployed)
    (orphan,) = deployed.lost()
    assert orphan.what == orphan.address
    assert orphan.command == f"terraform import '{orphan.address}' '{id}'"
    if make is hub:  # of which the account has one
        deployed.client("securityhub").disable_security_hub()


@pytest.fixture
def routed(deployed: Deployed) -> tuple[Deployed, str, str]:
    """A subnet that its tier's state knows, and a route table that it does not."""
    vpc = deployed.vpc(ManagedBy="hand")
    subnet = deployed.subnet(vpc)
    specification = {"ResourceType": "route-table", "Tags": deployed.listed()}
    made = deployed.client("ec2").create_route_table(VpcId=vpc, TagSpecifications=[specification])
    table = made["RouteTable"]["RouteTableId"]
    deployed.has("aws_subnet.app")
    deployed.has("aws_route_table.app")
    reference = "${aws_route_table.network_app.id}"
    deployed.has("aws_route.out", route_table_id=reference, destination_cidr_block="0.0.0.0/0")
    deployed.has("aws_route_table_association.app", route_table_id=reference, subnet_id="${aws_subnet.network_app.id}")
    deployed.knows({"aws_subnet.app": {"id": subnet, "arn": arn("ec2", f"subnet/{subnet}")}})
    return deployed, table, subnet


def test_what_belongs_to_a_lost_one_is_found_with_it(routed: tuple[Deployed, str, str]):
    deployed, table, subnet = routed
    client = deployed.client("ec2")
    assert deployed.commands() == [f"terraform import 'aws_route_table.app' '{table}'"]
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    (network,) = client.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network["VpcId"])
    client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    client.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert deployed.commands() == [
        f"terraform import 'aws_route_table.app' '{table}'",
        f"terraform import 'aws_route.out' '{table}_0.0.0.0/0'",
        f"terraform import 'aws_route_table_association.app' '{subnet}/{table}'",
    ]


def test_what_belongs_to_nothing_that_is_there_is_not_there(routed: tuple[Deployed, str, str]):
    deployed, table, subnet = routed
    deployed.client("ec2").delete_route_table(RouteTableId=table)
    assert deployed.lost() == []
    deployed.knows({"aws_subnet.app": {"id": subnet}, "aws_route_table.app": {"id": table}})
    assert deployed.lost() == []


def test_a_mount_target_is_found_by_its_file_system(deployed: Deployed):
    client, subnet = deployed.client("efs"), deployed.subnet(deployed.vpc(ManagedBy="hand"))
    deployed.has("aws_efs_file_system.files", tier="storage")
    deployed.has("aws_subnet.app")
    deployed.has(
        "aws_efs_mount_target.app",
        tier="storage",
        file_system_id="${aws_efs_file_system.storage_files.id}",
        subnet_id="${aws_subnet.network_app.id}",
        security_groups=["${aws_security_group.network_lost.id}"],
    )
    deployed.knows({"aws_subnet.app": {"id": subnet}})
    deployed.knows({"aws_efs_file_system.files": {"id": "fs-0123456789abcdef0"}}, "storage")
    assert deployed.lost() == []
    files = client.create_file_system(CreationToken=deployed.scene.name)["FileSystemId"]
    deployed.knows({"aws_efs_file_system.files": {"id": files}}, "storage")
    assert deployed.lost() == []
    target = client.create_mount_target(FileSystemId=files, SubnetId=subnet)["MountTargetId"]
    assert deployed.commands() == [f"terraform import 'aws_efs_mount_target.app' '{target}'"]


def test_a_permission_is_found_by_its_function(deployed: Deployed):
    client, name = deployed.client("lambda"), f"{deployed.scene.name}-rotation"
    deployed.has("aws_lambda_function.rotation")
    deployed.has(
        "aws_lambda_permission.it",
        function_name="${aws_lambda_function.network_rotation.function_name}",
        statement_id="SecretsManager",
        source_arn="${aws_secretsmanager_secret.network_lost.arn}",
    )
    assert deployed.lost() == []
    role(deployed)
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/globecart/{deployed.scene.name}-task",
        Handler="a.b",
        Code={"ZipFile": b""},
        Tags=deployed.tags(),
    )
    deployed.resources.pop()
    assert deployed.commands() == [f"terraform import 'aws_lambda_function.rotation' '{name}'"]
    client.add_permission(
        FunctionName=name,
        StatementId="SecretsManager",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    assert deployed.commands()[1:] == [f"terraform import 'aws_lambda_permission.it' '{name}/SecretsManager'"]


SECOND = "us-east-2"


@pytest.fixture
def in_two_regions(deployed: Deployed) -> Deployed:
    deployed.scene.write({"second_region": SECOND})
    return deployed


def test_what_lies_in_the_second_region_is_found_there(in_two_regions: Deployed):
    aws, name = in_two_regions.scene.aws, f"{in_two_regions.scene.name}-copies"
    in_two_regions.has("aws_backup_vault.copies", name=name)
    in_two_regions.has("aws_kms_key.copies", description=name)
    in_two_regions.has("aws_kms_alias.copies", name=f"alias/{name}")
    in_two_regions.has("aws_kms_key.here", description="here")
    tags = [{"TagKey": key, "TagValue": value} for key, value in in_two_regions.tags().items()]
    key = aws.client("kms", SECOND).create_key(Description=name, Tags=tags)["KeyMetadata"]["KeyId"]
    aws.client("kms", SECOND).create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    aws.client("backup", SECOND).create_backup_vault(BackupVaultName=name, BackupVaultTags=in_two_regions.tags())
    assert sorted(in_two_regions.commands()) == [
        f"terraform import 'aws_backup_vault.copies' '{name}'",
        f"terraform import 'aws_kms_alias.copies' 'alias/{name}'",
        f"terraform import 'aws_kms_key.copies' '{key}'",
    ]
    # A key that is leaving is asked for where it is.
    aws.client("kms", SECOND).schedule_key_deletion(KeyId=key)
    assert f"terraform import 'aws_kms_key.copies' '{key}'" not in in_two_regions.commands()


def test_what_lies_in_the_second_region_is_deleted_there(in_two_regions: Deployed):
    in_two_regions.has("aws_vpc.vpc")
    name = f"{in_two_regions.scene.name}-old"
    in_two_regions.scene.aws.client("backup", SECOND).create_backup_vault(
        BackupVaultName=name, BackupVaultTags=in_two_regions.tags()
    )
    (command,) = in_two_regions.commands()
    assert command.endswith(f"--type-name AWS::Backup::BackupVault --identifier '{name}' --region {SECOND}")


def test_a_selection_is_found_by_its_plan(deployed: Deployed):
    client, name = deployed.client("backup"), f"{deployed.scene.name}-backups"
    deployed.has("aws_backup_plan.plan", name=name)
    deployed.has("aws_backup_selection.files", plan_id="${aws_backup_plan.network_plan.id}", name="files")
    client.create_backup_vault(BackupVaultName=name)
    rules = [{"RuleName": "daily", "TargetBackupVaultName": name}]
    plan = client.create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": rules})["BackupPlanId"]
    deployed.knows({"aws_backup_plan.plan": {"id": plan}})
    for selection in ("database", "files"):
        assert deployed.lost() == []
        made = client.create_backup_selection(
            BackupPlanId=plan, BackupSelection={"SelectionName": selection, "IamRoleArn": arn("iam", "role/x")}
        )
    assert deployed.commands() == [f"terraform import 'aws_backup_selection.files' '{plan}|{made['SelectionId']}'"]


def test_a_selection_of_a_restore_test_is_found_by_its_plan(deployed: Deployed):
    client, name = deployed.client("backup"), f"{deployed.scene.name}_restores"
    address = "aws_backup_restore_testing_selection.files"
    deployed.has(address, restore_testing_plan_name=name, name="files")
    assert deployed.lost() == []
    points = {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": ["*"], "RecoveryPointTypes": ["SNAPSHOT"]}
    plan = {"RestoreTestingPlanName": name, "ScheduleExpression": "rate(1 day)", "RecoveryPointSelection": points}
    client.create_restore_testing_plan(RestoreTestingPlan=plan)
    assert deployed.lost() == []
    client.create_restore_testing_selection(
        RestoreTestingPlanName=name,
        RestoreTestingSelection={
            "RestoreTestingSelectionName": "files",
            "IamRoleArn": arn("iam", "role/x"),
            "ProtectedResourceType": "EFS",
            "ProtectedResourceArns": ["*"],
        },
    )
    assert deployed.commands() == [f"terraform import '{address}' 'files:{name}'"]


def test_a_replication_is_found_by_its_file_system(deployed: Deployed):
    client, address = deployed.client("efs"), "aws_efs_replication_configuration.replication"
    files = client.create_file_system(CreationToken=f"{deployed.scene.name}-replicated")["FileSystemId"]
    deployed.has(address, source_file_system_id=files)
    assert deployed.lost() == []
    client.create_replication_configuration(SourceFileSystemId=files, Destinations=[{"Region": SECOND}])
    assert deployed.commands() == [f"terraform import '{address}' '{files}'"]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("aws_backup_selection.it", {"plan_id": "nothing", "name": "files"}),
        ("aws_efs_replication_configuration.it", {"source_file_system_id": "fs-0123456789abcdef0"}),
        ("aws_kms_alias.it", {"name": "alias/nothing"}),
        ("aws_iam_openid_connect_provider.it", {"url": "https://nobody.example"}),
        ("aws_iam_policy.it", {"name": "nothing", "path": "/"}),
        ("aws_iam_role.it", {"name": "nobody"}),
        ("aws_cloudwatch_query_definition.it", {"name": "nothing"}),
        ("aws_scheduler_schedule.it", {"name": "never"}),
        ("aws_securityhub_account.it", {}),
        ("aws_route53_record.it", {"name": "shop.nowhere.invalid", "type": "A"}),
        ("aws_lambda_permission.it", {"function_name": "nothing", "statement_id": "a"}),
        ("aws_route.it", {"route_table_id": "${tolist(a)[0]}", "destination_cidr_block": "0.0.0.0/0"}),
    ],
)
def test_what_was_never_made_is_not_lost(deployed: Deployed, address: str, body: Body):
    deployed.has(address, **body)
    assert deployed.lost() == []


def test_a_record_beside_another_is_not_taken_for_it(deployed: Deployed):
    record(deployed)
    domain = f"{deployed.scene.name}.example"
    deployed.resources.clear()
    deployed.has("aws_route53_record.it", name=f"api.{domain}", type="A")
    assert deployed.lost() == []


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"resources": [{}]}'])
def test_a_state_that_cannot_be_read_is_told(deployed: Deployed, content: bytes):
    deployed.has("aws_vpc.vpc")
    deployed.put(content)
    with pytest.raises(RefusedError, match=r"s3://.*/network\.tfstate: no state of Terraform's"):
        deployed.lost()


@pytest.fixture
def synthesized(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployed:
    """A stack of one network, in the folder that cdktf writes."""
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "cdktf.out"))
    name, out = f"{deployed.scene.name}-network", tmp_path / "cdktf.out"
    backend = {"bucket": deployed.scene.names.state_bucket, "key": f"{deployed.scene.name}/network.tfstate"}
    document = {"terraform": {"backend": {"s3": backend}}, "resource": {"aws_vpc": {"vpc": {}}}}
    entry = {"workingDirectory": ".", "synthesizedStackPath": "stack.json", "dependencies": []}
    out.mkdir()
    (out / "stack.json").write_text(json.dumps(document))
    (out / "manifest.json").write_text(json.dumps({"stacks": {name: entry}}))
    return deployed


def test_the_command_lists_each_with_what_mends_it_and_fails(synthesized: Deployed):
    vpc = synthesized.vpc()
    result = synthesized.scene.run("orphans")
    assert result.exit_code == 1
    assert result.output == (
        f"network: {arn('ec2', f'vpc/{vpc}')}\n"
        f"    terraform import 'aws_vpc.vpc' '{vpc}'\n"
        f"1 resources of {synthesized.scene.name} are in no state\n"
    )


def test_the_command_writes_import_blocks_for_one_apply(synthesized: Deployed, tmp_path: Path):
    vpc = synthesized.vpc()
    synthesized.client("sns").create_topic(Name=f"{synthesized.scene.name}-old", Tags=synthesized.listed())
    result = synthesized.scene.run("orphans", "--write")
    file = tmp_path / "cdktf.out" / "orphans.tf.json"
    assert result.exit_code == 1
    assert result.output.endswith(f"written: {file}\n")
    assert json.loads(file.read_text()) == {"import": [{"to": "aws_vpc.vpc", "id": vpc}]}


def test_where_nothing_can_be_imported_no_file_is_written(synthesized: Deployed, tmp_path: Path):
    synthesized.client("sns").create_topic(Name=f"{synthesized.scene.name}-old", Tags=synthesized.listed())
    assert synthesized.scene.run("orphans", "--write").exit_code == 1
    assert not (tmp_path / "cdktf.out" / "orphans.tf.json").exists()


def test_where_a_state_is_locked_nobody_is_called_an_orphan(synthesized: Deployed):
    synthesized.vpc()
    key = f"{synthesized.scene.name}/network.tfstate.tflock"
    synthesized.client("s3").put_object(Bucket=synthesized.scene.names.state_bucket, Key=key, Body=b"{}")
    result = synthesized.scene.run("orphans")
    assert result.exit_code == 1
    assert f"{synthesized.scene.name}-network: locked" in result.stderr
    assert "import" not in result.output.replace("no orphan", "")


def test_what_is_gone_and_still_listed_is_no_orphan(deployed: Deployed):
    # The Tagging API goes on listing what was deleted, for a while.
    deployed.has("aws_sns_topic.alarms")
    for service, what in (
        ("ec2", "security-group-rule/sgr-0123456789abcdef0"),
        ("ec2", "natgateway/nat-0123456789abcdef0"),
        ("elasticloadbalancing", f"listener/app/gone/{'1' * 16}/{'2' * 16}"),
        ("kms", "key/12345678-1234-1234-1234-123456789012"),
        ("secretsmanager", "secret:gone-AbCdEf"),
    ):
        gone = arn(service, what)
        assert described(deployed.account, gone) is None, gone


def test_the_command_ends_well_where_nothing_is_lost(synthesized: Deployed):
    result = synthesized.scene.run("orphans")
    assert (result.exit_code, result.output) == (0, f"0 resources of {synthesized.scene.name} are in no state\n")


def test_the_command_says_what_to_do_where_nothing_was_synthesized(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "cdktf.out"))
    result = deployed.scene.run("orphans")
    assert result.exit_code == 1
    assert "run make synth" in result.stderr
