"""What a run asks of Secrets Manager and of the database, recorded where it leaves the process, and killed there.

Calls to AWS are seen at botocore's one way out, statements at psycopg2's own connections, whoever makes them and how.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from botocore.client import BaseClient
from psycopg2.extensions import connection, cursor

CONNECT, CALL = "_connect", "_make_api_call"


class KilledError(BaseException):
    """The process is gone: nothing in the code catches this, and what is open breaks off."""


class CallRecorder:
    """The calls of a run, in their order; the run ends before or after one of them, if it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._kill: tuple[int, bool] | None = None

    def record(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call, unless the run ends before it."""
        number = len(self.calls)
        self.calls.append(name)
        if self._kill == (number, False):
            raise KilledError
        try:
            return call()
        finally:
            # After an answer that is a refusal, too.
            if self._kill == (number, True):
                raise KilledError

    @contextmanager
    def recording(self, *, kill_at: int | None = None, after: bool = False) -> Generator[None]:
        """Record all that happens in the block, and nothing of before."""
        self.calls.clear()
        self._kill = None if kill_at is None else (kill_at, after)
        recorder = self

        class RecordedCursor(cursor):
            def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's own name
                text = query if isinstance(query, str) else query.as_string(self)
                recorder.record(text.split(" PASSWORD ")[0], lambda: cursor.execute(self, query, vars))

        class RecordedConnection(connection):
            def cursor(self, *arguments: Any, **named: Any) -> Any:
                return connection.cursor(self, *arguments, **{"cursor_factory": RecordedCursor, **named})

            def commit(self) -> None:
                recorder.record("COMMIT", lambda: connection.commit(self))

            def rollback(self) -> None:
                recorder.record("ROLLBACK", lambda: connection.rollback(self))

        # The one way that each library itself goes, which has no public name.
        connect, call = getattr(psycopg2, CONNECT), getattr(BaseClient, CALL)

        def recorded_connect(dsn: str, **named: Any) -> Any:
            named["connection_factory"] = RecordedConnection
            return recorder.record("connect", lambda: connect(dsn, **named))

        def recorded_call(client: BaseClient, operation: str, asked: Any) -> Any:
            return recorder.record(operation, lambda: call(client, operation, asked))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg2, CONNECT, recorded_connect)
            patch.setattr(BaseClient, CALL, recorded_call)
            yield
