"""orphans: finds resources of a killed apply by their tags or their parent, with the command to import or delete them.

The queries about each resource type are tested in `test_catalogue_queries`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from operations.account import Account
from operations.errors import RefusedError
from operations.orphans import find_orphans
from stacks.names import GLOBAL_REGION
from synthesized.catalogue import matches
from synthesized.platform import Body, Platform, Resource, Stack
from tests.commands.conftest import ACCOUNT, REGION, Scene
from tests.states import state

SECOND_REGION = "eu-west-2"


@dataclass
class Deployed:
    """An environment with a few resources: in its stacks, in AWS, in a state."""

    scene: Scene
    stacks: dict[str, Stack] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)

    def __post_init__(self) -> None:
        place = {"LocationConstraint": REGION}
        self.client("s3").create_bucket(Bucket=self.scene.names.state_bucket, CreateBucketConfiguration=place)

    def client(self, service: str, region: str = REGION) -> Any:
        return self.scene.aws.client(service, region)

    def has(self, resources: Mapping[str, Body], tier: str = "network") -> None:
        """Add resources to a stack, by address."""
        backend = {"bucket": self.scene.names.state_bucket, "key": self.key(tier)}
        document = {"terraform": {"backend": {"s3": backend}}}
        self.stacks[tier] = Stack(f"{self.scene.name}-{tier}", tier, Path(), document, ())
        for address, body in resources.items():
            type_, _, name = address.partition(".")
            self.resources.append(Resource(f"{type_}.{tier}_{name}", address, tier, type_, name, body))

    def key(self, tier: str = "network") -> str:
        return f"{self.scene.name}/{tier}.tfstate"

    def put(self, key: str, content: str) -> None:
        self.client("s3").put_object(Bucket=self.scene.names.state_bucket, Key=key, Body=content.encode())

    def knows(self, resources: Mapping[str, Body], deposed: str = "") -> None:
        """Write the network's state: attributes by address."""
        self.put(self.key(), json.dumps(state(resources, deposed=deposed)))

    def tags(self, **more: str) -> list[Body]:
        tags = {"Environment": self.scene.name, "Tier": "network", "ManagedBy": "cdktf", **more}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def vpc(self, **tags: str) -> str:
        specification = {"ResourceType": "vpc", "Tags": self.tags(**tags)}
        made = self.client("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[specification])
        return made["Vpc"]["VpcId"]

    def topic(self, region: str = REGION) -> str:
        return self.client("sns", region).create_topic(Name=f"{self.scene.name}-old", Tags=self.tags())["TopicArn"]

    def commands(self) -> list[str]:
        platform = Platform(self.scene.name, self.stacks, tuple(self.resources), ())
        lost = find_orphans(Account.of(self.scene.settings), platform)
        assert all(orphan.identifier.startswith("arn:") or orphan.identifier == orphan.address for orphan in lost)
        return [orphan.command for orphan in lost]


@pytest.fixture
def deployed(scene: Scene) -> Deployed:
    return Deployed(scene)


def arn(resource: str, region: str = REGION) -> str:
    service, _, rest = resource.partition(":")
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


def imports(address: str, id: str) -> str:
    return f"terraform import '{address}' '{id}'"


def deletes(type_: str, id: str) -> str:
    return f"aws cloudcontrol delete-resource --type-name {type_} --identifier '{id}'"


@dataclass(frozen=True)
class Case:
    """Tagged resources, the content of stacks and states, and the expected commands."""

    tagged: Sequence[str]
    """ARNs of tagged resources, without partition, Region and account."""
    stacks: Mapping[str, Body]
    commands: Sequence[str] = ()
    states: Mapping[str, Body] = field(default_factory=dict)
    deposed: str = ""
    name: str = ""
    """The tag `Name`."""
    responses: Mapping[str, Body] = field(default_factory=dict)
    """Responses of AWS, by operation."""


def rule(description: str) -> Mapping[str, Body]:
    """The description of an ingress rule by EC2."""
    return {"DescribeSecurityGroupRules": {"SecurityGroupRules": [{"IsEgress": False, "Description": description}]}}


VPC, ADDRESS, RULE = "ec2:vpc/vpc-1", "ec2:elastic-ip/eipalloc-1", "ec2:security-group-rule/sgr-1"
LISTENER = "elasticloadbalancing:listener/app/web/1/2"
RULES: Mapping[str, Body] = {
    "aws_vpc_security_group_ingress_rule.web": {"description": "customers"},
    "aws_vpc_security_group_ingress_rule.others": {"description": "others"},
    "aws_vpc_security_group_egress_rule.web": {"description": "customers"},
}
CASES = {
    "a resource in a state is no orphan": Case(
        [VPC], {"aws_vpc.vpc": {}}, states={"aws_vpc.vpc": {"id": "vpc-1", "arn": arn(VPC)}}
    ),
    "a resource that a state knows only by ID is no orphan": Case(
        [ADDRESS], {"aws_eip.nat": {}}, states={"aws_eip.nat": {"id": "eipalloc-1"}}
    ),
    "a deposed resource is no orphan": Case(
        [VPC], {"aws_vpc.vpc": {}}, states={"aws_vpc.vpc": {"id": "vpc-1"}}, deposed="0a1b2c3d"
    ),
    "the only one of its type is imported": Case(
        [VPC], {"aws_vpc.vpc": {}, "aws_internet_gateway.internet": {}}, [imports("aws_vpc.vpc", "vpc-1")]
    ),
    "of several of one type, the one with the same name is imported": Case(
        [ADDRESS],
        {f"aws_eip.{name}": {"tags": {"Name": name}} for name in ("nat-a", "nat-b")},
        [imports("aws_eip.nat-b", "eipalloc-1")],
        name="nat-b",
    ),
    "an ambiguous resource is deleted": Case(
        [ADDRESS], {"aws_eip.nat-a": {}, "aws_eip.nat-b": {}}, ["aws ec2 release-address --allocation-id eipalloc-1"]
    ),
    "two resources for one address are both deleted": Case(
        [VPC, "ec2:vpc/vpc-2"], {"aws_vpc.vpc": {}}, [deletes("AWS::EC2::VPC", id) for id in ("vpc-1", "vpc-2")]
    ),
    "a resource that is in no stack is deleted": Case(
        ["sns:old"], {"aws_vpc.vpc": {}}, [deletes("AWS::SNS::Topic", arn("sns:old"))]
    ),
    "a type outside the catalogue is deleted": Case(
        ["nosuch:q"], {"aws_vpc.vpc": {}}, [deletes("<type>", arn("nosuch:q"))]
    ),
    "the same name of another type in a state hides nothing": Case(
        ["logs:log-group:files"],
        {"aws_cloudwatch_log_group.log": {}, "aws_ecr_repository.images": {}},
        [imports("aws_cloudwatch_log_group.log", "files")],
        {"aws_ecr_repository.images": {"id": "files", "arn": arn("ecr:repository/files")}},
    ),
    "keys are identified by description": Case(
        ["kms:key/1"],
        {f"aws_kms_key.{what}": {"description": f"Encrypts {what}"} for what in ("files", "logs")},
        [imports("aws_kms_key.logs", "1")],
        responses={"DescribeKey": {"KeyMetadata": {"KeyState": "Enabled", "Description": "Encrypts logs"}}},
    ),
    "security group rules are identified by direction and description": Case(
        [RULE], RULES, [imports("aws_vpc_security_group_ingress_rule.web", "sgr-1")], responses=rule("customers")
    ),
    "a rule without a description is deleted": Case(
        [RULE], RULES, [deletes("AWS::EC2::SecurityGroupIngress", "sgr-1")], responses=rule("")
    ),
    "listeners are identified by port": Case(
        [LISTENER],
        {
            "aws_lb_listener.http": {"port": 80, "default_action": [{"redirect": {"port": "443"}}]},
            "aws_lb_listener.https": {"port": 443},
        },
        [imports("aws_lb_listener.http", arn(LISTENER))],
        responses={"DescribeListeners": {"Listeners": [{"Port": 80}]}},
    ),
    "a default resource that apply adopts is no orphan": Case(
        ["ec2:network-acl/acl-1"],
        {f"aws_{of}network_acl.{name}": {"tags": {"Name": name}} for of, name in (("default_", "locked"), ("", "app"))},
        name="locked",
    ),
    "a resource that is not the default is an orphan even if only the default is missing": Case(
        ["ec2:network-acl/acl-1"],
        {"aws_default_network_acl.default": {"tags": {"Name": "locked"}}},
        [deletes("AWS::EC2::NetworkAcl", "acl-1")],
    ),
    "a deleted resource that is still listed is no orphan": Case(
        ["kms:key/1"],
        {"aws_kms_key.it": {}},
        responses={"DescribeKey": {"KeyMetadata": {"KeyState": "PendingDeletion", "Description": ""}}},
    ),
}


def list_tagged(deployed: Deployed, *resources: str, name: str = "") -> None:
    """Let the Tagging API list resources."""
    tags = deployed.tags(**({"Name": name} if name else {}))
    mappings = [{"ResourceARN": arn(resource), "Tags": tags} for resource in resources]
    answer = {"ResourceTagMappingList": mappings}
    deployed.scene.intercept("GetResources", lambda request: None if request["ResourceTypeFilters"] else answer)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_resource_in_no_state_is_found_with_its_command(deployed: Deployed, case: Case):
    list_tagged(deployed, *case.tagged, name=case.name)
    for operation, response in case.responses.items():
        deployed.scene.intercept(operation, lambda _, response=response: response)
    deployed.has(case.stacks)
    if case.states:
        deployed.knows(case.states, case.deposed)
    assert deployed.commands() == list(case.commands)


@pytest.mark.parametrize(
    "ignored",
    [
        "application-autoscaling:scalable-target/0a1b",
        "backup:recovery-point:0a1b",
        "config:config-rule/config-rule-0a1b",
        "ec2:network-interface/eni-1",
        "ecs:task/prod/0a1b",
        "elasticache:cluster:prod-0001-001",
        "elasticache:snapshot:automatic.prod",
        "rds:cluster-snapshot:rds:prod",
        "rds:snapshot:rds:prod",
    ],
)
def test_nodes_tasks_and_backups_need_no_state(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, ignored: str):
    deployed.has({"aws_vpc.vpc": {}})
    list_tagged(deployed, ignored)
    assert deployed.commands() == []
    monkeypatch.setattr(matches, "IGNORED", [])
    assert deployed.commands() == [deletes("<type>", arn(ignored))]


def test_resources_of_another_environment_tier_or_tool_are_not_orphans(deployed: Deployed):
    deployed.vpc(Environment="another")
    deployed.vpc(Environment=f"{deployed.scene.name}-eu")
    deployed.vpc(Tier="a-tier-without-a-stack")
    deployed.vpc(ManagedBy="hand")
    deployed.has({"aws_vpc.vpc": {}})
    assert deployed.commands() == []
    ours = deployed.vpc()
    assert deployed.commands() == [imports("aws_vpc.vpc", ours)]


def test_orphans_in_the_second_region_are_imported_or_deleted_there(deployed: Deployed):
    deployed.scene.write({"second_region": SECOND_REGION})
    name, client = f"{deployed.scene.name}-copies", deployed.client("kms", SECOND_REGION)
    deployed.has(
        {
            "aws_backup_vault.copies": {"name": name},
            "aws_kms_alias.copies": {"name": f"alias/{name}"},
            "aws_kms_key.copies": {"description": "copies"},
            "aws_kms_key.here": {"description": "here"},
        }
    )
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in deployed.tags()]
    key = client.create_key(Description="copies", Tags=tags)["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    tagged = {tag["Key"]: tag["Value"] for tag in deployed.tags()}
    deployed.client("backup", SECOND_REGION).create_backup_vault(BackupVaultName=name, BackupVaultTags=tagged)
    found = {
        imports("aws_backup_vault.copies", name),
        imports("aws_kms_alias.copies", f"alias/{name}"),
        f"{deletes('AWS::SNS::Topic', deployed.topic(SECOND_REGION))} --region {SECOND_REGION}",
    }
    assert set(deployed.commands()) == found | {imports("aws_kms_key.copies", key)}
    # A key that is pending deletion is described in its Region.
    client.schedule_key_deletion(KeyId=key)
    assert set(deployed.commands()) == found


def test_a_rule_in_the_region_of_global_services_is_imported_or_deleted_there(deployed: Deployed):
    events, name = deployed.client("events", GLOBAL_REGION), f"{deployed.scene.name}-global-health"
    events.put_rule(Name=name, EventPattern='{"source": ["aws.health"]}', Tags=deployed.tags())
    deployed.has({"aws_cloudwatch_event_rule.global-health": {"name": name}})
    assert deployed.commands() == [imports("aws_cloudwatch_event_rule.global-health", f"default/{name}")]
    deployed.resources.clear()
    (deletion,) = deployed.commands()
    assert deletion.endswith(f" --region {GLOBAL_REGION}")


def test_untagged_orphans_are_found_through_their_parent_in_any_tier(deployed: Deployed):
    subnet, table = "${aws_subnet.network_app.id}", "${aws_route_table.routes_app.id}"
    function = "${aws_lambda_function.routes_it.function_name}"
    deployed.has({"aws_subnet.app": {}})
    deployed.knows({"aws_subnet.app": {"id": "subnet-1"}})
    deployed.has(
        {
            "aws_route_table.app": {},
            "aws_route.out": {"route_table_id": table, "destination_cidr_block": "0.0.0.0/0"},
            "aws_route_table_association.app": {"route_table_id": table, "subnet_id": subnet},
            "aws_lambda_function.it": {},
            "aws_lambda_permission.it": {"function_name": function, "statement_id": "Rotate"},
            # References to resources that do not exist, or cannot be resolved.
            "aws_efs_mount_target.app": {"file_system_id": "${aws_efs_file_system.network_no.id}", "subnet_id": subnet},
            "aws_route.other": {"route_table_id": "${tolist(a)[0]}", "destination_cidr_block": "0.0.0.0/0"},
            "aws_iam_role.never": {"name": f"{deployed.scene.name}-never"},
        },
        tier="routes",
    )
    assert deployed.commands() == []
    tags = deployed.tags(Tier="routes")
    mappings = [{"ResourceARN": arn(it), "Tags": tags} for it in ("ec2:route-table/rtb-1", "lambda:function:rotate")]
    route_table = {"Routes": [{"DestinationCidrBlock": "0.0.0.0/0"}], "Associations": [{"SubnetId": "subnet-1"}]}
    tagged, policy = {"ResourceTagMappingList": mappings}, json.dumps({"Statement": [{"Sid": "Rotate"}]})
    deployed.scene.intercept(
        "GetResources",
        lambda request: tagged if "routes" in str(request) and not request["ResourceTypeFilters"] else None,
    )
    deployed.scene.intercept("DescribeRouteTables", lambda _: {"RouteTables": [route_table]})
    deployed.scene.intercept("GetPolicy", lambda _: {"Policy": policy})
    assert deployed.commands() == [
        imports("aws_route_table.app", "rtb-1"),
        imports("aws_lambda_function.it", "rotate"),
        imports("aws_route.out", "rtb-1_0.0.0.0/0"),
        imports("aws_route_table_association.app", "subnet-1/rtb-1"),
        imports("aws_lambda_permission.it", "rotate/Rotate"),
    ]


@pytest.mark.parametrize("content", ["{", "[]", '{"resources": [{}]}'])
def test_a_state_that_cannot_be_read_is_refused(deployed: Deployed, content: str):
    deployed.has({"aws_vpc.vpc": {}})
    deployed.put(deployed.key(), content)
    with pytest.raises(RefusedError, match=r"s3://.*/network\.tfstate: not a Terraform state"):
        deployed.commands()


@pytest.fixture
def synthesized(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployed:
    """A stack of one network, in the folder that cdktf writes."""
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    backend = {"bucket": deployed.scene.names.state_bucket, "key": deployed.key()}
    document = {"terraform": {"backend": {"s3": backend}}, "resource": {"aws_vpc": {"vpc": {}}}}
    entry = {"workingDirectory": ".", "synthesizedStackPath": "stack.json", "dependencies": []}
    (tmp_path / "stack.json").write_text(json.dumps(document))
    (tmp_path / "manifest.json").write_text(json.dumps({"stacks": {f"{deployed.scene.name}-network": entry}}))
    return deployed


def test_the_command_lists_orphans_with_their_commands_and_fails(synthesized: Deployed):
    vpc = synthesized.vpc()
    result = synthesized.scene.run("orphans")
    assert result.exit_code == 1
    assert result.output == (
        f"network: {arn(f'ec2:vpc/{vpc}')}\n"
        f"    terraform import 'aws_vpc.vpc' '{vpc}'\n"
        f"1 resources of {synthesized.scene.name} are in no state\n"
    )


def test_the_command_writes_import_blocks_for_one_apply(synthesized: Deployed, tmp_path: Path):
    vpc, _ = synthesized.vpc(), synthesized.topic()
    result = synthesized.scene.run("orphans", "--write")
    assert result.exit_code == 1
    assert result.output.endswith(f"written: {tmp_path / 'orphans.tf.json'}\n")
    assert json.loads((tmp_path / "orphans.tf.json").read_text()) == {"import": [{"to": "aws_vpc.vpc", "id": vpc}]}


def test_without_imports_no_file_is_written(synthesized: Deployed, tmp_path: Path):
    synthesized.topic()
    assert synthesized.scene.run("orphans", "--write").exit_code == 1
    assert not (tmp_path / "orphans.tf.json").exists()


def test_a_locked_state_is_refused(synthesized: Deployed):
    synthesized.vpc()
    synthesized.put(f"{synthesized.key()}.tflock", "{}")
    result = synthesized.scene.run("orphans")
    assert result.exit_code == 1
    assert f"{synthesized.scene.name}-network: locked" in result.stderr
    assert "import" not in result.output


def test_the_command_succeeds_without_orphans(synthesized: Deployed):
    result = synthesized.scene.run("orphans")
    assert (result.exit_code, result.output) == (0, f"0 resources of {synthesized.scene.name} are in no state\n")


def test_without_synthesized_stacks_the_message_says_to_run_make_synth(synthesized: Deployed, tmp_path: Path):
    (tmp_path / "manifest.json").unlink()
    result = synthesized.scene.run("orphans")
    assert result.exit_code == 1
    assert "run make synth" in result.stderr
