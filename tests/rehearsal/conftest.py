"""The fixtures of `tests/local_aws/`: this package has its own local AWS."""

from tests.local_aws.conftest import another, aws, quick_sessions, signals, unsupported

__all__ = ["another", "aws", "quick_sessions", "signals", "unsupported"]
