"""Parts of an ARN: `arn:partition:service:region:account:resource`."""


def resource_of(arn: str) -> str:
    """Service and resource: `ec2:vpc/vpc-1`."""
    _, _, service, _, _, resource = arn.split(":", 5)
    return f"{service}:{resource}"


def region_of(arn: str) -> str | None:
    """Region; None where it names none, as a bucket's."""
    return arn.split(":")[3] or None


def id_of(arn: str) -> str:
    """What stands behind the last slash."""
    return arn.rpartition("/")[2]
