"""Functions in a VPC reach databases and services where security groups, network ACLs and routes let them."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local_aws.network import Place, reached_services, reaches, reaches_internet
from local_aws.postgresql import free_port
from local_aws.server import LocalAws
from tests.local_aws.test_awslambda import create_function

PORT = 5432
HTTPS = 443


@dataclass
class Scene:
    """A VPC with two subnets, each with a network ACL that allows all, and a security group in each."""

    aws: LocalAws
    vpc: str
    subnets: dict[str, str]
    acls: dict[str, str]
    groups: dict[str, str]

    @property
    def ec2(self) -> Any:
        return self.aws.client("ec2")

    @property
    def app(self) -> Place:
        return Place([self.subnets["app"]], [self.groups["app"]])

    @property
    def data(self) -> Place:
        return Place([self.subnets["data"]], [self.groups["data"]])

    def allow(self, group: str, direction: str, port: int = PORT, **peer: Any) -> None:
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
        getattr(self.ec2, f"authorize_security_group_{direction}")(
            GroupId=self.groups[group], IpPermissions=[permission]
        )

    def deny(
        self, acl: str, *, outward: bool, ports: tuple[int, int], cidr: str = "0.0.0.0/0", number: int = 50
    ) -> None:
        self.ec2.create_network_acl_entry(
            NetworkAclId=self.acls[acl],
            RuleNumber=number,
            Protocol="6",
            RuleAction="deny",
            Egress=outward,
            CidrBlock=cidr,
            PortRange={"From": ports[0], "To": ports[1]},
        )

    def connect(self, port: int) -> None:
        """Let the app subnet connect to the data subnet, by security groups."""
        self.allow("app", "egress", port, UserIdGroupPairs=[{"GroupId": self.groups["data"]}])
        self.allow("data", "ingress", port, UserIdGroupPairs=[{"GroupId": self.groups["app"]}])

    def create_endpoint(self, service: str) -> str:
        """The ID of a service's interface endpoint in the data subnet."""
        created = self.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{self.aws.region}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=[self.subnets["data"]],
            SecurityGroupIds=[self.groups["data"]],
            PrivateDnsEnabled=True,
        )
        return created["VpcEndpoint"]["VpcEndpointId"]

    def is_reached(self, port: int = PORT) -> bool:
        return reaches(self.aws.backend("ec2"), self.app, self.data, port)


@pytest.fixture
def scene(aws: LocalAws) -> Scene:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnets: dict[str, str] = {}
    acls: dict[str, str] = {}
    groups: dict[str, str] = {}
    for number, name in enumerate(("app", "data")):
        zone = f"{aws.region}a"
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24", AvailabilityZone=zone)["Subnet"]
        subnets[name] = subnet["SubnetId"]
        acls[name] = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        described = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnets[name]]}])
        (association,) = [
            each["NetworkAclAssociationId"]
            for acl in described["NetworkAcls"]
            for each in acl["Associations"]
            if each["SubnetId"] == subnets[name]
        ]
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acls[name])
        for outward in (True, False):
            ec2.create_network_acl_entry(
                NetworkAclId=acls[name],
                RuleNumber=100,
                Protocol="-1",
                RuleAction="allow",
                Egress=outward,
                CidrBlock="0.0.0.0/0",
            )
        groups[name] = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        ec2.revoke_security_group_egress(
            GroupId=groups[name], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        )
    return Scene(aws, vpc, subnets, acls, groups)


@pytest.fixture
def connected(scene: Scene) -> Scene:
    """The app subnet may connect to the data subnet, by security groups."""
    scene.connect(PORT)
    return scene


def test_both_security_groups_must_allow_a_connection(scene: Scene):
    assert not scene.is_reached()
    scene.allow("app", "egress", UserIdGroupPairs=[{"GroupId": scene.groups["data"]}])
    assert not scene.is_reached()
    scene.allow("data", "ingress", UserIdGroupPairs=[{"GroupId": scene.groups["app"]}])
    assert scene.is_reached()
    assert not scene.is_reached(PORT + 1)


def test_a_range_must_contain_the_whole_subnet_of_the_peer(scene: Scene):
    scene.allow("app", "egress", IpRanges=[{"CidrIp": "10.7.1.0/24"}])
    scene.allow("data", "ingress", IpRanges=[{"CidrIp": "10.7.0.0/25"}])
    assert not scene.is_reached()
    scene.allow("data", "ingress", IpRanges=[{"CidrIp": "10.7.0.0/16"}])
    assert scene.is_reached()


@pytest.mark.parametrize(
    ("acl", "outward", "ports"),
    [
        ("app", True, (PORT, PORT)),
        ("data", False, (PORT, PORT)),
        # Answers.
        ("data", True, (50_000, 60_000)),
        ("app", False, (1024, 1024)),
    ],
)
def test_network_acls_must_allow_requests_and_answers(
    connected: Scene, acl: str, outward: bool, ports: tuple[int, int]
):
    assert connected.is_reached()
    connected.deny(acl, outward=outward, ports=ports, number=200)
    assert connected.is_reached()  # a lower number has allowed it
    connected.deny(acl, outward=outward, ports=ports, cidr="10.9.0.0/16", number=49)
    assert connected.is_reached()  # other addresses
    connected.deny(acl, outward=outward, ports=ports, cidr="10.7.1.128/25" if acl == "app" else "10.7.0.128/25")
    assert not connected.is_reached()


def test_a_network_acl_without_an_entry_allows_nothing(connected: Scene):
    connected.ec2.delete_network_acl_entry(NetworkAclId=connected.acls["app"], RuleNumber=100, Egress=True)
    assert not connected.is_reached()


def test_network_acls_do_not_filter_within_a_subnet(connected: Scene):
    connected.deny("app", outward=True, ports=(0, 65535))
    own = Place(connected.app.subnets, connected.data.groups)
    assert reaches(connected.aws.backend("ec2"), connected.app, own, PORT)


def test_an_interface_endpoint_is_reached_through_its_security_group(connected: Scene):
    ec2, backend = connected.ec2, connected.aws.backend("ec2")
    assert list(reached_services(backend, connected.app)) == []
    endpoint = connected.create_endpoint("secretsmanager")
    assert list(reached_services(backend, connected.app)) == [("secretsmanager", False)]
    connected.connect(HTTPS)
    assert list(reached_services(backend, connected.app)) == [("secretsmanager", True)]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert list(reached_services(backend, connected.app)) == []


def test_the_internet_is_reached_through_a_nat_gateway(scene: Scene):
    ec2, backend = scene.ec2, scene.aws.backend("ec2")
    scene.allow("app", "egress", HTTPS, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    assert not reaches_internet(backend, scene.app)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=scene.subnets["data"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [scene.vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    assert reaches_internet(backend, scene.app)
    own = ec2.create_route_table(VpcId=scene.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=own, SubnetId=scene.subnets["app"])
    assert not reaches_internet(backend, scene.app)


CALLS = """
import os, boto3
from botocore.config import Config

def handle(event, context):
    quick = Config(connect_timeout=1, read_timeout=1, retries={"max_attempts": 0})
    found = {}
    for service, call in (("secretsmanager", "list_secrets"), ("sqs", "list_queues")):
        try:
            getattr(boto3.client(service, config=quick), call)()
            found[service] = True
        except Exception as error:
            found[service] = type(error).__name__
    return {**found, "hostaddr": os.environ.get("PGHOSTADDR")}
"""


@pytest.fixture
def call(connected: Scene) -> Callable[[], dict[str, Any]]:
    """Invokes a function in the app subnet."""

    def invoke() -> dict[str, Any]:
        arn = create_function(
            connected.aws,
            CALLS,
            Timeout=30,
            VpcConfig={"SubnetIds": list(connected.app.subnets), "SecurityGroupIds": list(connected.app.groups)},
        )
        return json.loads(connected.aws.client("lambda").invoke(FunctionName=arn)["Payload"].read())

    return invoke


def test_a_function_waits_in_vain_for_what_it_does_not_reach(connected: Scene, call: Callable[[], dict[str, Any]]):
    nothing = {"secretsmanager": "ReadTimeoutError", "sqs": "ReadTimeoutError", "hostaddr": None}
    assert call() == nothing
    for service in ("secretsmanager", "nothing-that-botocore-knows"):
        connected.create_endpoint(service)
    assert call() == nothing
    connected.connect(HTTPS)
    assert call() == {**nothing, "secretsmanager": True}


def test_a_database_that_is_out_of_reach_does_not_answer(connected: Scene, call: Callable[[], dict[str, Any]]):
    rds = connected.aws.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="reached", DBSubnetGroupDescription="x", SubnetIds=[connected.subnets["data"]]
    )
    rds.create_db_cluster(
        DBClusterIdentifier="reached",
        Engine="aurora-postgresql",
        MasterUsername="master",
        MasterUserPassword="no secret of anybody",
        DBSubnetGroupName="reached",
        VpcSecurityGroupIds=list(connected.data.groups),
        Port=free_port("127.0.0.1"),
    )
    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier="reached")["DBClusters"]
    try:
        address = call()["hostaddr"]
        with (
            socket.create_connection((address, cluster["Port"]), timeout=0.2) as connection,
            pytest.raises(TimeoutError),
        ):
            connection.recv(1)
        connected.connect(cluster["Port"])
        assert call()["hostaddr"] is None
    finally:
        rds.delete_db_cluster(DBClusterIdentifier="reached", SkipFinalSnapshot=True)
