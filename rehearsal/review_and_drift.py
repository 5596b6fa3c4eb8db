"""What a team does between two deployments: it reviews a change's plan, and looks for changes that nobody planned."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from operations import plans
from rehearsal.one_environment import Rehearsal, RehearsalError
from rehearsal.processes import ProgramError
from synthesized.platform import Platform

# Ranges that are nobody's: https://datatracker.ietf.org/doc/html/rfc5737
PROVIDER, STRANGER = "198.51.100.0/24", "203.0.113.7/32"
EXPECTED_DRIFT = [
    ("foundation", "aws_s3_bucket_public_access_block", "changed", ["block_public_policy"]),
    ("network", "aws_security_group", "added to", ["ingress"]),
]
"""As drift tells it: tier, type, what was done, and to which arguments."""


def review_change(rehearsal: Rehearsal) -> None:
    """Review the plan of a change to the settings, by the command that people use.

    Raises:
        RehearsalError: the review says anything but what the change is.
        ProgramError: it cannot be synthesized, or reviewed.
        TerraformError: it cannot be planned.
    """
    name, folder = rehearsal.settings.name, rehearsal.deployment.folder / "proposal"
    rehearsal.run_program("proposal.log", "-m", "operations", "propose", name, PROVIDER, str(folder))
    planned = folder / "network.json"
    planned.write_text(json.dumps(plans.plan(Platform.read(folder, name).stacks["network"])), encoding="utf-8")
    review = json.loads(rehearsal.run_program("review.log", "-m", "operations", "review", str(planned), "--json"))
    found = [(each["level"], each["stack"], each["address"].partition(".")[0]) for each in review["findings"]]
    way_out = ("exposure", f"{name}-network", "aws_vpc_security_group_egress_rule")
    if found != [way_out] or PROVIDER not in str(review["findings"]):
        raise RehearsalError(f"a way out to {PROVIDER} is proposed, and the review says {review['findings']}")
    rehearsal.report.review = review["summary"]


def detect_change(rehearsal: Rehearsal) -> None:
    """Do what people do in a hurry, and look for it by the command for that; then undo it.

    Raises:
        RehearsalError: drift tells of less, or of more, or does not come to its end.
    """
    with _in_a_hurry(rehearsal):
        try:
            printed = rehearsal.run_program("drift.log", "-m", "operations", "drift", rehearsal.settings.name, "--json")
        except ProgramError as error:  # it ends with 1 where it finds something
            printed = "\n".join(error.output)
    try:
        told: dict[str, Any] = json.loads(printed)
    except ValueError as error:
        raise RehearsalError(f"drift: {' '.join(printed.split())}") from error
    found = [
        (each["tier"], each["address"].partition(".")[0], each["action"], each["arguments"]) for each in told["changes"]
    ]
    if found != EXPECTED_DRIFT or told["unknown"]:
        raise RehearsalError(f"a bucket and a security group were opened, and drift says {told}")
    rehearsal.report.changes_found = len(found)


@contextmanager
def _in_a_hurry(rehearsal: Rehearsal) -> Generator[None]:
    """A bucket that may be public, and a security group that lets somebody in, while the context lasts."""
    s3, ec2 = rehearsal.aws.client("s3"), rehearsal.aws.client("ec2")
    bucket = rehearsal.tagged("foundation", "s3")[0].rpartition(":")[2]
    group = rehearsal.tagged("network", "ec2:security-group")[0].rpartition("/")[2]
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": STRANGER}]}]
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**closed, "BlockPublicPolicy": False})
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    try:
        yield
    finally:
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
