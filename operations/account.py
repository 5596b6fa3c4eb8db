"""An environment's AWS account as a command reaches it: never another account."""

from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any, Self, cast

import boto3
import typer
from botocore.config import Config

from operations.errors import RefusedError
from stacks import ROOT
from stacks.names import PROJECT, Names
from stacks.settings import Environment, SettingsError, load_environments

ENVIRONMENTS = ROOT / "environments"

EnvironmentName = Annotated[
    str, typer.Argument(metavar="ENV", help="The environment, as its file environments/ENV.toml is named.")
]

_CLIENT_LOCK = Lock()


@dataclass(frozen=True)
class Account:
    """The account and Region of an environment, and whoever asks there."""

    settings: Environment
    names: Names
    session: boto3.Session
    caller: str
    """ARN of the identity that the credentials belong to."""

    @classmethod
    def of(cls, settings: Environment) -> Self:
        """The account that the settings name, by the credentials that boto3 finds.

        Raises:
            RefusedError: the credentials belong to another account.
            BotoCoreError, ClientError: there are none, or AWS does not take them.
        """
        session = boto3.Session(region_name=settings.region)
        caller = _client(session, "sts").get_caller_identity()
        if caller["Account"] != settings.account:
            raise RefusedError(
                f"these credentials belong to account {caller['Account']} ({caller['Arn']}); "
                f"{settings.name} is account {settings.account} (environments/{settings.name}.toml)"
            )
        return cls(settings=settings, names=Names.from_settings(settings), session=session, caller=caller["Arn"])

    @property
    def tags(self) -> dict[str, str]:
        """As the stacks tag theirs, but that no stack manages what a command makes."""
        return {
            "Project": PROJECT,
            "Environment": self.settings.name,
            "Tier": "state",
            "ManagedBy": "bootstrap",
            "Owner": self.settings.owner,
        }

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of a service in the environment's Region, or in another."""
        return _client(self.session, service, region)

    def in_region(self, region: str) -> Self:
        """The same account in another Region."""
        return replace(self, session=boto3.Session(region_name=region))


def settings_of(environment: str) -> Environment:
    """The settings of an environment that a command was given.

    Raises:
        typer.BadParameter: there is no such environment.
        SettingsError: its settings are wrong.
    """
    try:
        (settings,) = load_environments(ENVIRONMENTS, only=environment)
    except SettingsError as error:
        if not (ENVIRONMENTS / f"{environment}.toml").is_file():
            raise typer.BadParameter(str(error), param_hint="ENV") from error
        raise
    return settings


def connect(environment: str) -> Account:
    """The account of an environment that a command was given.

    Raises:
        typer.BadParameter, SettingsError: as `settings_of`.
        RefusedError, BotoCoreError, ClientError: as `Account.of`.
    """
    return Account.of(settings_of(environment))


def _client(session: boto3.Session, service: str, region: str | None = None) -> Any:
    patience = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
    # Sessions are for one thread at a time, clients for many:
    # https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
    with _CLIENT_LOCK:
        return session.client(cast(Any, service), config=patience, region_name=region)
