"""Connection to an environment's AWS account. Credentials of any other account are refused."""

from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any, Self, cast

import boto3
import typer
from botocore.config import Config

from operations.errors import RefusedError
from stacks import ROOT
from stacks.names import Names
from stacks.settings import Environment, SettingsError, load_environments

ENVIRONMENTS = ROOT / "environments"

EnvironmentName = Annotated[str, typer.Argument(metavar="ENV", help="Environment, as in environments/ENV.toml.")]

_CLIENT_LOCK = Lock()


@dataclass(frozen=True)
class Account:
    """A connection to an environment's account in a Region, and the caller's identity."""

    settings: Environment
    names: Names
    session: boto3.Session
    caller: str
    """ARN of the identity that the credentials belong to."""

    @classmethod
    def of(cls, settings: Environment) -> Self:
        """Connect to the account in the settings, with the credentials that boto3 finds.

        Raises:
            RefusedError: the credentials belong to another account.
            BotoCoreError, ClientError: there are no credentials, or AWS rejects them.
        """
        session = boto3.Session(region_name=settings.region)
        caller = _client(session, "sts").get_caller_identity()
        if caller["Account"] != settings.account:
            raise RefusedError(
                f"these credentials belong to account {caller['Account']} ({caller['Arn']}); "
                f"environment {settings.name} belongs to account {settings.account} (environments/{settings.name}.toml)"
            )
        return cls(settings=settings, names=settings.names, session=session, caller=caller["Arn"])

    @property
    def bootstrap_tags(self) -> dict[str, str]:
        """Tags of what bootstrap creates: the stacks' default tags, with `Tier=state` and `ManagedBy=bootstrap`."""
        return {
            "Project": self.settings.company,
            "Environment": self.settings.name,
            "Tier": "state",
            "ManagedBy": "bootstrap",
            "Owner": self.settings.owner,
        }

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client for a service, by default in this connection's Region."""
        return _client(self.session, service, region)

    def in_region(self, region: str) -> Self:
        """A connection to the same account in another Region."""
        return replace(self, session=boto3.Session(region_name=region))


def settings_of(environment: str) -> Environment:
    """Load the settings of an environment.

    Raises:
        typer.BadParameter: the environment does not exist.
        SettingsError: its settings are invalid.
    """
    try:
        (settings,) = load_environments(ENVIRONMENTS, only=environment)
    except SettingsError as error:
        if not (ENVIRONMENTS / f"{environment}.toml").is_file():
            raise typer.BadParameter(str(error), param_hint="ENV") from error
        raise
    return settings


def connect(environment: str) -> Account:
    """Connect to the account of an environment.

    Raises:
        typer.BadParameter, SettingsError: see `settings_of`.
        RefusedError, BotoCoreError, ClientError: see `Account.of`.
    """
    return Account.of(settings_of(environment))


def _client(session: boto3.Session, service: str, region: str | None = None) -> Any:
    timeouts_and_retries = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
    # Clients are thread-safe, sessions are not:
    # https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
    with _CLIENT_LOCK:
        return session.client(cast(Any, service), config=timeouts_and_retries, region_name=region)
