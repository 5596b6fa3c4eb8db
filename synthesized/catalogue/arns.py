"""Parts of an ARN: `arn:partition:service:region:account:resource`."""


def resource_of(arn: str) -> str:
    """Service and resource, as in `ec2:vpc/vpc-1`."""
    _, _, service, _, _, resource = arn.split(":", 5)
    return f"{service}:{resource}"


def region_of(arn: str) -> str | None:
    """The Region; None if the ARN has none, as for a bucket."""
    return arn.split(":")[3] or None


def id_of(arn: str) -> str:
    """The part after the last slash."""
    return arn.rpartition("/")[2]
