"""The fixtures of `tests/local_aws/`: this package has its own local AWS."""

from tests.local_aws.conftest import aws, aws_reset_afterwards, quick_sessions, signals, unsupported

__all__ = ["aws", "aws_reset_afterwards", "quick_sessions", "signals", "unsupported"]
