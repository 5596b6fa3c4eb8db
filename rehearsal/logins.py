"""Clients that log in to the database continuously while its credential is rotated, as the application's tasks do."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import psycopg2

from lambda_rotation.credential import Credential

PAUSE = 0.01
"""Seconds between a client's logins."""


@dataclass
class LoginClient:
    """Logs in repeatedly, with a credential that it caches."""

    read_credential: Callable[[], Credential]
    log_in: Callable[[Credential], psycopg2.extensions.connection]
    cache_seconds: float
    """Maximum age of the cached credential."""
    logins: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self, stop: Event) -> None:
        """Log in until `stop` is set."""
        credential, read_at = None, 0.0
        while not stop.is_set():
            try:
                if credential is None or time.monotonic() - read_at >= self.cache_seconds:
                    # Before the read, so that the credential is not used for longer than `cache_seconds`.
                    read_at = time.monotonic()
                    credential = self.read_credential()
                self.log_in(credential).close()
            except Exception as error:  # any error would fail the application, too
                self.failures.append(str(error))
            self.logins += 1
            time.sleep(PAUSE)


@contextmanager
def logging_in(
    read_credential: Callable[[], Credential],
    log_in: Callable[[Credential], psycopg2.extensions.connection],
    cached_for: Sequence[float],
) -> Generator[list[LoginClient]]:
    """Run one client for each cache duration within the context."""
    clients = [LoginClient(read_credential, log_in, seconds) for seconds in cached_for]
    stop = Event()
    threads = [Thread(target=client.run, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join()
