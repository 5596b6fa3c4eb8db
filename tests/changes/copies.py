"""Copies of the local AWS: each is a forked process, so that changes are discarded when it exits."""

import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.server import LocalAws

Task = Callable[[LocalAws], Any]
"""Function that runs in a copy. Its result must be JSON-serializable."""

CONCURRENT_COPIES = 2
"""A copy is both server and client, and keeps one processor busy."""
COPY_TIMEOUT = 300
"""Maximum duration of a task, in seconds."""


@dataclass
class _Copy:
    """A running child process."""

    task: str
    pid: int
    log: Path
    deadline: float = field(default_factory=lambda: time.monotonic() + COPY_TIMEOUT)
    output: bytes = b""


def in_copies(aws: LocalAws, tasks: Mapping[str, Task], logs: Path) -> Iterator[tuple[str, Any]]:
    """Run each task in a copy of its own; yields names and results as the tasks finish.

    A forked process inherits locks but no threads: nothing may call the local AWS meanwhile. Tasks must not use cdktf,
    whose Node process the copies would share.

    Args:
        logs: folder for the output of the copies.

    Raises:
        RuntimeError: a task failed, or did not finish in time.
    """
    waiting = list(tasks.items())
    running: dict[int, _Copy] = {}
    try:
        while waiting or running:
            while waiting and len(running) < CONCURRENT_COPIES:
                name, task = waiting.pop(0)
                pipe, pid = _fork(aws, task, log := logs / f"{len(waiting)}.log")
                running[pipe] = _Copy(name, pid, log)
            for pipe in select.select(list(running), [], [], 1)[0]:
                copy = running[pipe]
                received = os.read(pipe, 65536)
                copy.output += received
                if not received:
                    del running[pipe]
                    os.close(pipe)
                    yield copy.task, _result(copy)
            for copy in running.values():
                if time.monotonic() > copy.deadline:
                    os.kill(copy.pid, signal.SIGKILL)
    finally:
        for pipe, copy in running.items():
            os.close(pipe)
            os.kill(copy.pid, signal.SIGKILL)
            os.waitpid(copy.pid, 0)


def _fork(aws: LocalAws, task: Task, log: Path) -> tuple[int, int]:
    """Start a copy; returns the pipe for its result, and its PID."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return reading, pid
    status = 1
    try:
        os.close(reading)
        # Garbage collection would touch, and so copy, all memory shared with the parent.
        gc.disable()
        _redirect_output(log)
        aws.restart_after_fork()
        os.environ.update(aws.environment)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(task(aws)).encode())
        status = 0
    except BaseException:  # the parent's code must not continue in the child
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # Exit without the parent's handlers and fixtures.
        os._exit(status)


def _redirect_output(log: Path) -> None:
    sys.stdout = sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    for standard in (1, 2):
        os.dup2(sys.stderr.fileno(), standard)


def _result(copy: _Copy) -> Any:
    _, status = os.waitpid(copy.pid, 0)
    if status:
        problem = "did not finish" if os.WIFSIGNALED(status) else "failed"
        raise RuntimeError(f"{copy.task}: the copy {problem}: {copy.log.read_text(encoding='utf-8')[-2000:]}")
    return json.loads(copy.output)
