"""Copies of the local AWS: each a forked process, so that what is changed in one is undone when it ends."""

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
"""What is done with a copy. It returns what JSON can tell."""

CONCURRENT_COPIES = 2
"""A copy serves and asks in one process, and takes one processor."""
COPY_TIMEOUT = 300
"""Seconds that a copy may take."""


@dataclass
class _Copy:
    """A child at work."""

    task: str
    pid: int
    log: Path
    deadline: float = field(default_factory=lambda: time.monotonic() + COPY_TIMEOUT)
    output: bytes = b""


def in_copies(aws: LocalAws, tasks: Mapping[str, Task], logs: Path) -> Iterator[tuple[str, Any]]:
    """Do each task with a copy of its own; yields its name and what it returned, as they end.

    A copy has the threads of nobody and the locks of everybody: nothing may ask the local AWS meanwhile. Nor may a
    task use cdktf, whose Node process all copies would share.

    Args:
        logs: folder for what the copies say.

    Raises:
        RuntimeError: a task failed, or did not end.
    """
    waiting = list(tasks.items())
    at_work: dict[int, _Copy] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < CONCURRENT_COPIES:
                name, task = waiting.pop(0)
                pipe, pid = _fork(aws, task, log := logs / f"{len(waiting)}.log")
                at_work[pipe] = _Copy(name, pid, log)
            for pipe in select.select(list(at_work), [], [], 1)[0]:
                copy = at_work[pipe]
                heard = os.read(pipe, 65536)
                copy.output += heard
                if not heard:
                    del at_work[pipe]
                    os.close(pipe)
                    yield copy.task, _result(copy)
            for copy in at_work.values():
                if time.monotonic() > copy.deadline:
                    os.kill(copy.pid, signal.SIGKILL)
    finally:
        for pipe, copy in at_work.items():
            os.close(pipe)
            os.kill(copy.pid, signal.SIGKILL)
            os.waitpid(copy.pid, 0)


def _fork(aws: LocalAws, task: Task, log: Path) -> tuple[int, int]:
    """Begin a copy; returns what it is heard by, and its process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return reading, pid
    status = 1
    try:
        os.close(reading)
        # To look for garbage in all that was copied would copy it in earnest; it ends soon.
        gc.disable()
        _speak_into(log)
        aws.restart_after_fork()
        os.environ.update(aws.environment)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(task(aws)).encode())
        status = 0
    except BaseException:  # whatever it was, the parent's own code must not go on here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # No handler, fixture or guard of the parent's may run a second time.
        os._exit(status)


def _speak_into(log: Path) -> None:
    sys.stdout = sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    for standard in (1, 2):
        os.dup2(sys.stderr.fileno(), standard)


def _result(copy: _Copy) -> Any:
    _, status = os.waitpid(copy.pid, 0)
    if status:
        how = "did not end" if os.WIFSIGNALED(status) else "failed"
        raise RuntimeError(f"{copy.task}: its copy {how}: {copy.log.read_text(encoding='utf-8')[-2000:]}")
    return json.loads(copy.output)
