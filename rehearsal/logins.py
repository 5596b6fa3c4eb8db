"""Clients that log in to the database all the time, as an application's tasks do, while its credential is rotated."""

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
    """Logs in without an end, with a credential that it reads again when it has had it for so long."""

    read_credential: Callable[[], Credential]
    """The current credential."""
    log_in: Callable[[Credential], psycopg2.extensions.connection]
    cache_seconds: float
    """Seconds."""
    logins: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self, stop: Event) -> None:
        """Log in until it is told to stop."""
        credential, read = None, 0.0
        while not stop.is_set():
            try:
                if credential is None or time.monotonic() - read >= self.cache_seconds:
                    # Before it is asked for: what comes back is no older than that.
                    read = time.monotonic()
                    credential = self.read_credential()
                self.log_in(credential).close()
            except Exception as error:  # whatever it is, the application would not be served
                self.failures.append(str(error))
            self.logins += 1
            time.sleep(PAUSE)


@contextmanager
def logging_in(
    read: Callable[[], Credential],
    log_in: Callable[[Credential], psycopg2.extensions.connection],
    cached_for: Sequence[float],
) -> Generator[list[LoginClient]]:
    """A client for each time that a credential is kept, while the context lasts."""
    clients = [LoginClient(read, log_in, seconds) for seconds in cached_for]
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
