"""The AWS account that the catalogue's functions query."""

from typing import Any, Protocol

from stacks.names import Names


class AwsAccount(Protocol):
    """An environment's account and Region."""

    @property
    def names(self) -> Names:
        """The environment's names."""
        ...

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client for a service, by default in the environment's Region."""
        ...
