"""`python -m operations lock ENV`: shows who holds the state locks, and releases stale ones."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import typer
from botocore.exceptions import ClientError
from rich.table import Table
from rich.text import Text

from operations.account import Account, EnvironmentName, settings_of
from operations.errors import RefusedError, call_or_none, error_code, explain, one_line_errors
from operations.terminal import console
from stacks import ROOT

SUFFIX = ".tfstate.tflock"
"""Terraform locks the state `<key>` with an object `<key>.tflock`."""


@dataclass(frozen=True)
class Holder:
    """The content of a lock."""

    id: str
    operation: str
    who: str
    created: datetime
    terraform: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse a lock.

        Raises:
            ValueError: it is not a Terraform lock.
        """
        document = json.loads(body)
        try:
            return cls(
                id=_printable(document["ID"]),
                operation=_printable(document["Operation"]),
                who=_printable(document["Who"]),
                created=datetime.fromisoformat(document["Created"]).astimezone(UTC),
                terraform=_printable(document["Version"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a Terraform lock ({error!r})") from error


def existing_tiers() -> list[str]:
    """All tiers: each is a folder with a `stack.py`."""
    return sorted(file.parent.name for file in (ROOT / "stacks").rglob("stack.py"))


@dataclass(frozen=True)
class Lock:
    """A lock: one version of one S3 object."""

    stack: str
    key: str
    version: str | None
    """None or `null` if the bucket is not versioned."""
    holder: Holder | None
    unreadable: str = ""
    """Why it could not be parsed."""

    @property
    def id(self) -> str:
        """The lock ID, as in Terraform's error message."""
        return self.holder.id if self.holder else "unknown"


class Locks:
    """The locks of one environment's states."""

    def __init__(self, account: Account) -> None:
        self._s3 = account.client("s3")
        self._environment = account.settings.name
        self._bucket = {"Bucket": account.names.state_bucket, "ExpectedBucketOwner": account.settings.account}

    def held(self) -> Iterator[Lock]:
        """The locks that exist now.

        Raises:
            RefusedError: the bucket does not exist.
        """
        pages = self._s3.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(**self._bucket, Prefix=f"{self._environment}/"):
                for entry in page.get("Contents", ()):
                    if entry["Key"].endswith(SUFFIX) and (lock := self.read(entry["Key"])):
                        yield lock
        except ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise
            raise RefusedError(
                f"bucket {self._bucket['Bucket']} does not exist: "
                f"python -m operations bootstrap {self._environment} creates it"
            ) from error

    def read(self, key: str) -> Lock | None:
        """Read the lock in an object; None if it does not exist."""
        stack = f"{self._environment}-{key.removesuffix(SUFFIX).rpartition('/')[2]}"
        try:
            response = call_or_none(self._s3.get_object, "NoSuchKey", **self._bucket, Key=key)
        except ClientError as error:
            # Denied by S3 or by the key: the lock exists, so report it.
            return Lock(stack, key, None, None, explain(error))
        if response is None:
            return None
        version = response.get("VersionId")
        try:
            return Lock(stack, key, version, Holder.parse(response["Body"].read()))
        except ValueError as error:
            return Lock(stack, key, version, None, str(error))

    def release(self, lock: Lock) -> None:
        """Delete exactly this version, so that a lock taken in the meantime stays.

        Raises:
            RefusedError: the lock cannot be identified, was replaced, or no longer exists.
        """
        if lock.holder is None:
            by_hand = f"aws s3api delete-object --bucket {self._bucket['Bucket']} --key {lock.key} --version-id VERSION"
            raise RefusedError(
                f"{lock.stack}: the lock cannot be read, so its holder is unknown ({lock.unreadable}). "
                f"If it is stale: {by_hand} (VERSION: {lock.version or 'aws s3api list-object-versions'})"
            )
        if lock.version in {None, "null"}:
            raise RefusedError(
                f"{lock.stack}: the bucket is not versioned, so this lock cannot be distinguished from a newer one: "
                f"enable versioning (python -m operations bootstrap {self._environment}), or release it unchecked "
                f"(terraform force-unlock {lock.id} in the stack's folder)"
            )
        now = self.read(lock.key)
        if now != lock:
            raise RefusedError(
                f"{lock.stack}: not released: lock {lock.id} was shown, but now "
                + (now.unreadable or f"lock {now.id} exists" if now else "the state is not locked")
            )
        self._s3.delete_object(**self._bucket, Key=lock.key, VersionId=lock.version)


def refuse_locked(account: Account) -> None:
    """Refuse to continue while a Terraform run is in progress.

    Raises:
        RefusedError: a state is locked, or the bucket does not exist.
    """
    if stacks := [lock.stack for lock in Locks(account).held()]:
        raise RefusedError(
            f"{', '.join(stacks)}: locked: wait for the run in progress, or see python -m operations lock "
            f"{account.settings.name}"
        )


def lock(
    environment: EnvironmentName,
    stack: Annotated[
        str | None,
        typer.Argument(
            metavar="STACK", help="One stack, such as prod-network or network; default: all.", show_default=False
        ),
    ] = None,
    *,
    release: Annotated[bool, typer.Option("--release", help="Release the locks shown, with confirmation.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
) -> None:
    """Show who holds the locks of an environment's states, and release stale ones.

    Terraform locks a state while it plans or applies. If its process is killed or loses the network, the lock stays,
    and every later run fails with "Error acquiring the state lock".

    Before a release, contact the holder and make sure that no run is in progress: two runs on one state lose resources.
    Exactly the lock shown is released; one taken in the meantime stays.

    When: a run fails with "Error acquiring the state lock".

    Example: `python -m operations lock prod`

    Example: `python -m operations lock prod --release network`

    Exit codes: 0 shown or released; 1 refused or failed; 2 usage.
    """
    with one_line_errors():
        settings = settings_of(environment)
        tier = stack and stack.removeprefix(f"{environment}-")
        if tier is not None and tier not in (every_tier := existing_tiers()):
            existing = ", ".join(every_tier)
            raise typer.BadParameter(f"{stack}: no such stack; existing tiers: {existing}", param_hint="STACK")
        locks = Locks(Account.of(settings))
        every = list(locks.held())
        chosen = [lock for lock in every if tier is None or lock.stack == f"{environment}-{tier}"]
        if not chosen:
            others = f"; locked: {', '.join(lock.stack for lock in every)}" if every else ""
            typer.echo(f"{stack or environment}: no state is locked{others}")
            return
        console().print(_table(chosen, datetime.now(UTC)))
        if release:
            _release(locks, chosen, confirm=not yes)


def _release(locks: Locks, chosen: list[Lock], *, confirm: bool) -> None:
    """Release locks one by one: a refusal does not stop the others."""
    refusals: list[str] = []
    for lock in chosen:
        if confirm and not typer.confirm(f"Release lock {lock.id} of {lock.stack}?"):
            refusals.append(f"{lock.stack}: not released")
            continue
        try:
            locks.release(lock)
        except RefusedError as error:
            refusals.append(str(error))
        else:
            typer.echo(f"{lock.stack}: released lock {lock.id}")
    if refusals:
        raise RefusedError("\n".join(refusals))


def _printable(value: Any) -> str:
    """A text without control characters, which could move the terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def _table(locks: list[Lock], now: datetime) -> Table:
    table = Table(title="Locked states", title_justify="left")
    for heading in ("stack", "who", "operation", "since", "age", "id"):
        table.add_column(heading, overflow="fold")
    for lock in locks:
        if holder := lock.holder:
            since = f"{holder.created:%Y-%m-%d %H:%M:%S} UTC"
            row = (
                holder.who,
                f"{holder.operation} ({holder.terraform})",
                since,
                format_age(now - holder.created),
                holder.id,
            )
        else:
            row = (f"unreadable: {lock.unreadable}", "", "", "", lock.id)
        table.add_row(*map(Text, (lock.stack, *row)))
    return table


def format_age(elapsed: timedelta) -> str:
    """A duration in at most two units."""
    minutes = max(0, int(elapsed.total_seconds())) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
