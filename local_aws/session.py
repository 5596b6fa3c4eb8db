"""State that the services of this process's local AWS share: its folder, its environment, its child processes."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from local_aws.authorization import Authorizer
from local_aws.certificate_authority import CertificateAuthority


class Processes:
    """Process groups that are killed with the session."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._has_ended = False

    def start(self, command: list[str], **options: Any) -> "subprocess.Popen[str]":
        """Start a process, with `subprocess.Popen`'s options. After `end`, the process is killed at once."""
        with self._lock:
            self._running = {process for process in self._running if process.poll() is None}
            process = subprocess.Popen(  # noqa: S603 - no input of clients
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
        """Whether any process is running."""
        return any(process.poll() is None for process in self._running)

    def end(self) -> None:
        """Kill all processes, and wait for their exit."""
        with self._lock:
            self._has_ended = True
            for process in self._running:
                kill(process)
                process.wait()


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Session:
    """A session. One at a time per process, because moto's state is global."""

    folder: Path
    environment: Mapping[str, str]
    """Environment variables of clients."""
    authorizer: Authorizer
    authority: CertificateAuthority = field(default_factory=CertificateAuthority)
    """Issues the databases' certificates."""
    processes: Processes = field(default_factory=Processes)
    wait_factor: float = 1.0
    """Factor for the waits of state machines: 1 as in AWS, less is faster."""
    cleanup: ExitStack = field(default_factory=ExitStack)
    """Callbacks for the end of the session, last registered first."""
    _black_holes: dict[int, str] = field(default_factory=dict)

    def black_hole(self, port: int = 0) -> str:
        """An address with a port that accepts connections and never answers, as `address:port`; port 0 is any port."""
        if port not in self._black_holes:
            # Of this process alone: copies of it may listen on the same port.
            address = f"127.255.{os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"
            listening = socket.create_server((address, port))
            self.cleanup.callback(listening.close)
            self._black_holes[port] = f"{address}:{listening.getsockname()[1]}"
        return self._black_holes[port]

    def close(self) -> None:
        """Kill the session's processes and run its cleanup callbacks."""
        self.processes.end()
        self.cleanup.close()


_current: Session | None = None


def activate(session: Session) -> None:
    """Make a session the current one of this process."""
    global _current
    _current = session


def current() -> Session:
    """The current session of this process.

    Raises:
        RuntimeError: this process has no local AWS.
    """
    if _current is None:
        raise RuntimeError("There is no local AWS in this process")
    return _current
