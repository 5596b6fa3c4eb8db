"""The rotation's function reaches the database and Secrets Manager only through the network as it is deployed."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from local_aws.server import LocalAws
from local_aws.services import secretsmanager
from rehearsal.one_environment import Rehearsal, RehearsalError
from tests.changes.copies import Task, in_copies
from tests.changes.mutations import Mutation
from tests.changes.mutations.lookup import named, secret

TIMEOUT = 12
"""Seconds for a step of the rotation, instead of minutes."""


def revoke(direction: str, group: str, peer: str) -> Mutation:
    """Take the rules of a security group for another one away."""

    def change(aws: LocalAws) -> None:
        ec2: Any = aws.client("ec2")
        own, other = named(aws, "sg", group), named(aws, "sg", peer)
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [own]}])["SecurityGroupRules"]
        found = [
            rule["SecurityGroupRuleId"]
            for rule in rules
            if rule["IsEgress"] == (direction == "egress")
            and rule.get("ReferencedGroupInfo", {}).get("GroupId") == other
        ]
        assert found
        getattr(ec2, f"revoke_security_group_{direction}")(GroupId=own, SecurityGroupRuleIds=found)

    return change


def deny_answers(aws: LocalAws) -> None:
    """Let the network ACL of the data subnets drop what databases answer."""
    aws.client("ec2").create_network_acl_entry(
        NetworkAclId=named(aws, "acl", "data"),
        RuleNumber=1,
        Protocol="6",
        RuleAction="deny",
        Egress=True,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 1024, "To": 65535},
    )


def delete_endpoint(aws: LocalAws) -> None:
    aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[named(aws, "vpce", "secretsmanager")])


CUTS: Mapping[str, Mutation] = {
    "no rule out of the function's group to the database": revoke("egress", "rotation", "database"),
    "no rule into the database's group": revoke("ingress", "database", "rotation"),
    "no answers through the network ACL": deny_answers,
    "no rule out of the function's group to Secrets Manager": revoke("egress", "rotation", "secrets-endpoint"),
    "no rule into the endpoint's group": revoke("ingress", "secrets-endpoint", "rotation"),
    "no endpoint": delete_endpoint,
}


@pytest.fixture(scope="module")
def outcomes(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Errors of a rotation after each cut, and without any."""
    tasks = {name: _rotation_after(rehearsed, cut) for name, cut in {"": lambda _: None, **CUTS}.items()}
    return dict(in_copies(rehearsed.aws, tasks, tmp_path_factory.mktemp("copies")))


def _rotation_after(rehearsed: Rehearsal, cut: Mutation) -> Task:
    def task(copy: LocalAws) -> str:
        secretsmanager.RETRY_DELAYS = ()
        functions = copy.client("lambda")
        described = copy.client("secretsmanager").describe_secret(SecretId=secret(copy))
        functions.update_function_configuration(FunctionName=described["RotationLambdaARN"], Timeout=TIMEOUT)
        cut(copy)
        with rehearsed.early_rotation(secret(copy)):
            try:
                rehearsed.rotate(secret(copy))
            except RehearsalError as error:
                return str(error)
        return ""

    return task


def test_a_rotation_succeeds_through_the_deployed_network(outcomes: dict[str, str]):
    assert outcomes[""] == ""


@pytest.mark.parametrize("cut", CUTS)
def test_a_rotation_times_out_without_its_way(outcomes: dict[str, str], cut: str):
    assert re.search(r"Task timed out|ReadTimeoutError", outcomes[cut]), outcomes[cut]
