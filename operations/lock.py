"""Locks of the states: who holds which, since when; and their release, where nobody holds them any more."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import typer
from botocore.exceptions import ClientError
from rich.table import Table
from rich.text import Text

from operations.account import Account, EnvironmentName, connect
from operations.errors import RefusedError, call_or_none, error_code, explain, one_line_errors
from operations.terminal import console

SUFFIX = ".tfstate.tflock"
"""Terraform locks the state `<key>` by an object `<key>.tflock` beside it."""


@dataclass(frozen=True)
class Holder:
    """What Terraform writes into a lock."""

    id: str
    operation: str
    who: str
    created: datetime
    terraform: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a lock.

        Raises:
            ValueError: Terraform did not write it.
        """
        told = json.loads(body)
        try:
            return cls(
                id=_printable(told["ID"]),
                operation=_printable(told["Operation"]),
                who=_printable(told["Who"]),
                created=datetime.fromisoformat(told["Created"]).astimezone(UTC),
                terraform=_printable(told["Version"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no lock of Terraform's ({error!r})") from error


@dataclass(frozen=True)
class Lock:
    """A lock as it was seen: one version of one object."""

    stack: str
    key: str
    version: str | None
    """None, as `null`, where the bucket keeps no versions."""
    holder: Holder | None
    unreadable: str = ""
    """Why it has no holder."""

    @property
    def id(self) -> str:
        """The lock's id, as Terraform tells it to whoever is locked out."""
        return self.holder.id if self.holder else "unknown"


class Locks:
    """The locks of one environment's states."""

    def __init__(self, account: Account) -> None:
        self._s3 = account.client("s3")
        self._environment = account.settings.name
        self._bucket = {"Bucket": account.names.state_bucket, "ExpectedBucketOwner": account.settings.account}

    def held(self) -> Iterator[Lock]:
        """Those that are there now.

        Raises:
            RefusedError: there is no bucket.
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
                f"there is no bucket {self._bucket['Bucket']}: "
                f"python -m operations bootstrap {self._environment} makes it"
            ) from error

    def read(self, key: str) -> Lock | None:
        """The lock that is an object now; None where it is gone."""
        stack = f"{self._environment}-{key.removesuffix(SUFFIX).rpartition('/')[2]}"
        try:
            answer = call_or_none(self._s3.get_object, "NoSuchKey", **self._bucket, Key=key)
        except ClientError as error:
            # Denied by S3 or by the key: that it is there is told all the same.
            return Lock(stack, key, None, None, explain(error))
        if answer is None:
            return None
        version = answer.get("VersionId")
        try:
            return Lock(stack, key, version, Holder.parse(answer["Body"].read()))
        except ValueError as error:
            return Lock(stack, key, version, None, str(error))

    def release(self, lock: Lock) -> None:
        """Delete the very version that was seen: another lock, taken meanwhile, would stay.

        Raises:
            RefusedError: it is not to be told from another, or is gone.
        """
        if lock.holder is None:
            by_hand = f"aws s3api delete-object --bucket {self._bucket['Bucket']} --key {lock.key} --version-id VERSION"
            raise RefusedError(
                f"{lock.stack}: its lock cannot be read, so nobody knows whose it is ({lock.unreadable}). "
                f"If you know that it is stale: {by_hand} (VERSION: {lock.version or 'aws s3api list-object-versions'})"
            )
        if lock.version in {None, "null"}:
            raise RefusedError(
                f"{lock.stack}: the bucket keeps no versions, so that a lock taken meanwhile could not be told "
                f"from this one: python -m operations bootstrap {self._environment} mends that, or terraform "
                f"force-unlock {lock.id} in the stack's folder releases without a check"
            )
        now = self.read(lock.key)
        if now != lock:
            raise RefusedError(
                f"{lock.stack}: not released: lock {lock.id} was shown, and now "
                + (now.unreadable or f"lock {now.id} is there" if now else "nobody holds the state")
            )
        self._s3.delete_object(**self._bucket, Key=lock.key, VersionId=lock.version)


def refuse_locked(account: Account, because: str) -> None:
    """Go no further while a run is under way.

    Raises:
        RefusedError: a state is locked, or there is no bucket.
    """
    if stacks := [lock.stack for lock in Locks(account).held()]:
        raise RefusedError(f"{', '.join(stacks)}: locked; {because}: python -m operations lock {account.settings.name}")


def lock(
    environment: EnvironmentName,
    stack: Annotated[
        str | None,
        typer.Argument(
            metavar="STACK", help="One stack, as prod-network or network; without it, all.", show_default=False
        ),
    ] = None,
    *,
    release: Annotated[bool, typer.Option("--release", help="Release what is shown, asking for each.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Release without asking.")] = False,
) -> None:
    """Show who holds the locks of an environment's states, and release them.

    Terraform locks a state while it plans or applies. A lock that nobody holds any more is left behind when its process
    was killed or lost the network: every later run then ends with "Error acquiring the state lock".

    Ask whoever is shown before you release anything, and make sure that no run is under way: two runs on one state
    lose resources. What is released is precisely the lock that was shown; one that was taken meanwhile stays.

    Example: `python -m operations lock prod`

    Example: `python -m operations lock prod --release network`

    Exit codes: 0 shown, or released; 1 refused or failed; 2 usage.
    """
    with one_line_errors():
        account = connect(environment)
        locks = Locks(account)
        every = list(locks.held())
        chosen = [lock for lock in every if stack in {None, lock.stack, lock.stack.removeprefix(f"{environment}-")}]
        if not chosen:
            others = f"; locked: {', '.join(lock.stack for lock in every)}" if every else ""
            typer.echo(f"{stack or environment}: no state is locked{others}")
            return
        console().print(_table(chosen, datetime.now(UTC)))
        if release:
            _release(locks, chosen, confirm=not yes)


def _release(locks: Locks, chosen: list[Lock], *, confirm: bool) -> None:
    """Each by itself: what one refuses keeps no other from its release."""
    kept: list[str] = []
    for lock in chosen:
        if confirm and not typer.confirm(f"Release lock {lock.id} of {lock.stack}?"):
            kept.append(f"{lock.stack}: not released")
            continue
        try:
            locks.release(lock)
        except RefusedError as error:
            kept.append(str(error))
        else:
            typer.echo(f"{lock.stack}: released lock {lock.id}")
    if kept:
        raise RefusedError("\n".join(kept))


def _printable(value: Any) -> str:
    """What somebody wrote, without what would move a terminal's cursor."""
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
    """Two units, as a person says it."""
    minutes = max(0, int(elapsed.total_seconds())) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
