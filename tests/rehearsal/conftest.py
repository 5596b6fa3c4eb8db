"""The local AWS of `tests/local_aws/`, which ends with these tests before another package starts its own."""

from tests.local_aws.conftest import another, aws, quick_sessions, signals, unsupported

__all__ = ["another", "aws", "quick_sessions", "signals", "unsupported"]
