"""An environment's AWS account as a command reaches it: never another account, and every refusal in one line."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any, Self, cast

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, which is none of Python's
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from rich.console import Console

from operations.terraform import TerraformError
from stacks import ROOT
from stacks.names import PROJECT, Names
from stacks.settings import Environment, SettingsError, load_environments
from synthesized.permissions import S3_ACTIONS
from synthesized.platform import PlatformError

ENVIRONMENTS = ROOT / "environments"

EnvironmentName = Annotated[
    str, typer.Argument(metavar="ENV", help="The environment, as its file environments/ENV.toml is named.")
]

NO_CREDENTIALS = (
    "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in (aws sso login)"
)
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN = {"AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"}
DENIED = {"403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation"}

_MAKING_A_CLIENT = Lock()


class RefusedError(Exception):
    """A command does not do what it was asked: why, and what to do."""


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
        return cls(settings=settings, names=Names.of(settings), session=session, caller=caller["Arn"])

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

    def elsewhere(self, region: str) -> Self:
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


def reach(environment: str) -> Account:
    """The account of an environment that a command was given.

    Raises:
        typer.BadParameter, SettingsError: as `settings_of`.
        RefusedError, BotoCoreError, ClientError: as `Account.of`.
    """
    return Account.of(settings_of(environment))


@contextmanager
def ends_in_a_line() -> Generator[None]:
    """Ends the command with exit code 1 and what is wrong, where something is."""
    try:
        yield
    except (RefusedError, SettingsError, PlatformError, TerraformError) as error:
        message = str(error)
    except (BotoCoreError, ClientError) as error:
        message = explain(error)
    else:
        return
    typer.echo(message, err=True)
    raise typer.Exit(1)


def explain(error: BotoCoreError | ClientError) -> str:
    """What AWS or boto3 refused, in one line, with what to do where that is known."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    message = " ".join(str(error).split())
    if isinstance(error, NoCredentialsError):
        return NO_CREDENTIALS
    if isinstance(error, PartialCredentialsError | ProfileNotFound):
        return f"the AWS credentials are not complete: {message}"
    if isinstance(error, SSOError | TokenRetrievalError | CredentialRetrievalError):
        return f"the AWS credentials cannot be had; sign in again (aws sso login): {message}"
    if isinstance(error, ConnectionError | HTTPClientError):
        return f"AWS cannot be reached from here: {message}"
    return f"boto3: {message}"


def code_of(error: ClientError) -> str:
    """AWS's code of an error."""
    return error.response.get("Error", {}).get("Code", "")


def found(ask: Any, *missing: str, **arguments: Any) -> Any:
    """What AWS answers, or None where it answers that there is no such thing, by one of the codes.

    Raises:
        ClientError: any other.
    """
    try:
        return ask(**arguments)
    except ClientError as error:
        if code_of(error) in missing:
            return None
        raise


def console() -> Console:
    """Where a command shows its tables: as wide as they are, where no terminal sets a limit."""
    console = Console(highlight=False, emoji=False)  # `:secret:` is a part of ARNs
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=200)


def _client(session: boto3.Session, service: str, region: str | None = None) -> Any:
    patience = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
    # Sessions are for one thread at a time, clients for many:
    # https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
    with _MAKING_A_CLIENT:
        return session.client(cast(Any, service), config=patience, region_name=region)


def _explain_answer(error: ClientError) -> str:
    code = code_of(error)
    message = " ".join(error.response.get("Error", {}).get("Message", "").split())
    if code in EXPIRED:
        return f"the AWS credentials have expired; sign in again, or get new ones ({code})"
    if code in UNKNOWN:
        return f"AWS does not know these credentials, or the Region is not enabled in their account ({code}: {message})"
    if code in DENIED:
        named = re.search(r"perform: ([\w-]+:\w+)", message)
        # S3 alone denies without a word of what.
        unsaid = error.operation_name if code.startswith("Unauthorized") else f"s3:{error.operation_name}"
        action = named[1] if named else S3_ACTIONS.get(error.operation_name, unsaid)
        return f"denied: {action}; these credentials need it ({code}: {message})"
    return f"AWS refused {error.operation_name}: {code}: {message}"
