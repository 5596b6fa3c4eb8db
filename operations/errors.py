"""Errors of commands, each explained in one line with a remedy if one is known."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import typer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, not a subclass of the builtin
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from operations.terraform import TerraformError
from stacks.settings import SettingsError
from synthesized.permissions import S3_ACTIONS
from synthesized.platform import PlatformError

NO_CREDENTIALS = (
    "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in (aws sso login)"
)
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN = {"AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"}
DENIED = {"403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation"}


class RefusedError(Exception):
    """A command refuses to continue. The message gives the reason and the remedy."""


@contextmanager
def one_line_errors() -> Generator[None]:
    """Turn expected errors into one line on stderr and exit code 1."""
    try:
        yield
    except (RefusedError, SettingsError, PlatformError, TerraformError) as error:
        message = str(error)
    except (BotoCoreError, ClientError) as error:
        message = explain(error)
    except OSError as error:  # a file that cannot be read or written, or a missing program
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    else:
        return
    typer.echo(message, err=True)
    raise typer.Exit(1)


def explain(error: BotoCoreError | ClientError) -> str:
    """Explain an error of AWS or boto3 in one line, with a remedy if one is known."""
    if isinstance(error, ClientError):
        return _explain_client_error(error)
    message = " ".join(str(error).split())
    if isinstance(error, NoCredentialsError):
        return NO_CREDENTIALS
    if isinstance(error, PartialCredentialsError | ProfileNotFound):
        return f"the AWS credentials are incomplete: {message}"
    if isinstance(error, SSOError | TokenRetrievalError | CredentialRetrievalError):
        return f"the AWS credentials cannot be retrieved; sign in again (aws sso login): {message}"
    if isinstance(error, ConnectionError | HTTPClientError):
        return f"AWS cannot be reached: {message}"
    return f"boto3: {message}"


def error_code(error: ClientError) -> str:
    """The error code of an AWS response."""
    return error.response.get("Error", {}).get("Code", "")


def call_or_none(operation: Any, *missing: str, **arguments: Any) -> Any:
    """Call an AWS operation; None if it fails with one of the error codes in `missing`.

    Raises:
        ClientError: any other error.
    """
    try:
        return operation(**arguments)
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise


def _explain_client_error(error: ClientError) -> str:
    code = error_code(error)
    message = " ".join(error.response.get("Error", {}).get("Message", "").split())
    if code in EXPIRED:
        return f"the AWS credentials have expired; sign in again or get new ones ({code})"
    if code in UNKNOWN:
        return f"AWS does not know these credentials, or the Region is not enabled in their account ({code}: {message})"
    if code in DENIED:
        named = re.search(r"perform: ([\w-]+:\w+)", message)
        # Only S3 omits the denied action from its message.
        unnamed = error.operation_name if code.startswith("Unauthorized") else f"s3:{error.operation_name}"
        action = named[1] if named else S3_ACTIONS.get(error.operation_name, unnamed)
        return f"denied: {action}; these credentials need it ({code}: {message})"
    return f"AWS refused {error.operation_name}: {code}: {message}"
