"""Steps of a rehearsal that run `review` on the plan of a change, and `drift` after changes outside Terraform."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from operations import plans
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError
from synthesized.platform import Platform

# Ranges reserved for documentation: https://datatracker.ietf.org/doc/html/rfc5737
PROVIDER, STRANGER = "198.51.100.0/24", "203.0.113.7/32"
EXPECTED_DRIFT = [
    ("foundation", "aws_s3_bucket_public_access_block", "changed", ["block_public_policy"]),
    ("network", "aws_default_security_group", "changed", ["ingress"]),
    ("network", "aws_security_group", "added to", ["ingress"]),
]
"""What `drift` must report: tier, type, action and arguments."""


def review_change(rehearsal: Rehearsal) -> None:
    """Plan and review a change that adds egress to a payment provider.

    Raises:
        RehearsalError: the review reports anything but that egress.
        ProgramError: `propose` or `review` failed.
        TerraformError: the change cannot be planned.
    """
    name, folder = rehearsal.settings.name, rehearsal.deployment.folder / "proposal"
    rehearsal.run_program("proposal.log", "-m", "operations", "propose", name, PROVIDER, str(folder))
    plan_file = folder / "network.json"
    plan_file.write_text(json.dumps(plans.plan(Platform.read(folder, name).stacks["network"])), encoding="utf-8")
    review = json.loads(rehearsal.run_program("review.log", "-m", "operations", "review", str(plan_file), "--json"))
    found = [(each["level"], each["stack"], each["address"].partition(".")[0]) for each in review["findings"]]
    expected = ("exposure", f"{name}-network", "aws_vpc_security_group_egress_rule")
    if found != [expected] or PROVIDER not in str(review["findings"]):
        raise RehearsalError(f"the change adds egress to {PROVIDER}, but the review reports {review['findings']}")
    rehearsal.report.review = review["summary"]


def detect_change(rehearsal: Rehearsal) -> None:
    """Change three resources outside Terraform, run `drift`, and undo the changes.

    Raises:
        RehearsalError: `drift` reports anything but these changes, or fails.
    """
    with _open_access(rehearsal):
        try:
            printed = rehearsal.run_program("drift.log", "-m", "operations", "drift", rehearsal.settings.name, "--json")
        except ProgramError as error:  # exit code 1: drift was found
            printed = "\n".join(error.output)
    try:
        drift: dict[str, Any] = json.loads(printed)
    except ValueError as error:
        raise RehearsalError(f"drift failed: {' '.join(printed.split())}") from error
    found = [
        (each["tier"], each["address"].partition(".")[0], each["action"], each["arguments"])
        for each in drift["changes"]
    ]
    if found != EXPECTED_DRIFT or drift["unknown"]:
        raise RehearsalError(f"a bucket and two security groups were opened, but drift reports {drift}")
    rehearsal.report.changes_found = len(found)


@contextmanager
def _open_access(rehearsal: Rehearsal) -> Generator[None]:
    """Allow public policies on a bucket, and SSH in the default security group and another, within the context."""
    s3, ec2 = rehearsal.aws.client("s3"), rehearsal.aws.client("ec2")
    bucket = rehearsal.tagged("foundation", "s3")[0].rpartition(":")[2]
    tagged = [arn.rpartition("/")[2] for arn in rehearsal.tagged("network", "ec2:security-group")]
    described = ec2.describe_security_groups(GroupIds=tagged)["SecurityGroups"]
    named = {group["GroupName"]: group["GroupId"] for group in described}
    groups = [named.pop("default"), next(iter(named.values()))]
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": STRANGER}]}]
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**closed, "BlockPublicPolicy": False})
    for group in groups:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    try:
        yield
    finally:
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
        for group in groups:
            ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
