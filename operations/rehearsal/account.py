"""What an account has before the platform comes to it, beside what bootstrap makes: the public zone of its domain."""

from operations.rehearsal.local_aws.server import LocalAws
from stacks.settings import Environment


def furnish(aws: LocalAws, settings: Environment) -> None:
    """Make it."""
    aws.client("route53").create_hosted_zone(Name=settings.service.hosted_zone, CallerReference="rehearsal")
