"""Records calls to AWS and SQL statements of a run, and simulates that the process is killed at one of them.

Calls are intercepted in botocore and psycopg2 themselves, so none can bypass the recorder.
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
    """Simulates a killed process. A BaseException, so that no code handles it."""


class CallRecorder:
    """Records the calls of a run in order. Optionally kills the run before or after one of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._kill: tuple[int, bool] | None = None

    def record(self, name: str, call: Callable[[], Any]) -> Any:
        """Record a call and make it, unless the run is killed before it."""
        number = len(self.calls)
        self.calls.append(name)
        if self._kill == (number, False):
            raise KilledError
        try:
            return call()
        finally:
            # Also after an error response.
            if self._kill == (number, True):
                raise KilledError

    @contextmanager
    def recording(self, *, kill_at: int | None = None, after: bool = False) -> Generator[None]:
        """Record the calls within the context."""
        self.calls.clear()
        self._kill = None if kill_at is None else (kill_at, after)
        recorder = self

        class RecordedCursor(cursor):
            def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's own name
                text = query if isinstance(query, str) else query.as_string(self)
                recorder.record(text.split(" PASSWORD ")[0], lambda: cursor.execute(self, query, vars))

        class RecordedConnection(connection):
            def cursor(self, *arguments: Any, **options: Any) -> Any:
                return connection.cursor(self, *arguments, **{"cursor_factory": RecordedCursor, **options})

            def commit(self) -> None:
                recorder.record("COMMIT", lambda: connection.commit(self))

            def rollback(self) -> None:
                recorder.record("ROLLBACK", lambda: connection.rollback(self))

        # The functions through which all calls of each library pass. They are not public.
        connect, call = getattr(psycopg2, CONNECT), getattr(BaseClient, CALL)

        def recorded_connect(dsn: str, **options: Any) -> Any:
            options["connection_factory"] = RecordedConnection
            return recorder.record("connect", lambda: connect(dsn, **options))

        def recorded_call(client: BaseClient, operation: str, parameters: Any) -> Any:
            return recorder.record(operation, lambda: call(client, operation, parameters))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg2, CONNECT, recorded_connect)
            patch.setattr(BaseClient, CALL, recorded_call)
            yield
