"""The local AWS of this process as its services see it: where files go, how clients reach it, and what ends with it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from local_aws.certificate_authority import CertificateAuthority


class Processes:
    """Child processes that end with the session, each with all that it started."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._has_ended = False

    def start(self, command: list[str], **options: Any) -> "subprocess.Popen[str]":
        """Start one, with `subprocess.Popen`'s options. What is started after the end is killed at once."""
        with self._lock:
            self._running = {process for process in self._running if process.poll() is None}
            process = subprocess.Popen(  # noqa: S603 - no part of it is a client's
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                **options,
            )
            self._running.add(process)
            if self._has_ended:
                kill(process)
        return process

    def has_running(self) -> bool:
        """Whether any is."""
        return any(process.poll() is None for process in self._running)

    def end(self) -> None:
        """Kill them, and wait until they are gone."""
        with self._lock:
            self._has_ended = True
            for process in self._running:
                kill(process)
                process.wait()


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Session:
    """One at a time in a process, as moto's state is the process's."""

    folder: Path
    environment: Mapping[str, str]
    """What a client's environment needs to reach this local AWS."""
    authority: CertificateAuthority = field(default_factory=CertificateAuthority)
    """Issues the databases' certificates."""
    processes: Processes = field(default_factory=Processes)
    cleanup: ExitStack = field(default_factory=ExitStack)
    """What else is to be ended with it, the latest first."""

    def close(self) -> None:
        """End all that was started for it."""
        self.processes.end()
        self.cleanup.close()


_current: Session | None = None


def activate(session: Session) -> None:
    """Make a session the process's."""
    global _current
    _current = session


def current() -> Session:
    """The process's session.

    Raises:
        RuntimeError: there is none.
    """
    if _current is None:
        raise RuntimeError("There is no local AWS in this process")
    return _current
