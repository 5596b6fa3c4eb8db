"""The fixtures of `tests/local_aws/`. Each package of tests has a local AWS of its own, one after the other."""

from tests.local_aws.conftest import another, aws, quick_sessions, signals, unsupported

__all__ = ["another", "aws", "quick_sessions", "signals", "unsupported"]
