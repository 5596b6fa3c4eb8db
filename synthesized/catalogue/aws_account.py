"""An environment's AWS account, as the catalogue's functions query it."""

from typing import Any, Protocol

from stacks.names import Names


class AwsAccount(Protocol):
    """An account and a Region."""

    @property
    def names(self) -> Names:
        """The environment's names."""
        ...

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client of a service in the environment's Region, or in another."""
        ...
