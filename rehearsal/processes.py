"""Programs that the rehearsal runs: each with a mark that all that it starts inherits, so that nothing outlives it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Never
from uuid import uuid4
from weakref import WeakKeyDictionary

import psutil

GRACE_PERIOD = 60.0
"""Seconds that a program has to end by itself: Terraform finishes what it has begun and writes its state."""

MARK = "REHEARSAL_PROGRAM"
"""Variable of the environment. Who has a session of its own, as the cdktf CLI's Terraform, has it all the same."""

PROCESS_VARIABLES = ("NODE_OPTIONS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
"""Variables of its own synthesis (imports/), and of a `make` that started it: no other program's."""

_marks = WeakKeyDictionary[subprocess.Popen[str], str]()


class ProgramError(Exception):
    """A program ended with an error; says which, and where its output is."""

    def __init__(self, problem: str, printed: Sequence[str] = ()) -> None:
        """Take what is wrong, and the lines that the program printed."""
        super().__init__(problem)
        self.output = printed


def without_variables(variables: Mapping[str, str], *names: str) -> dict[str, str]:
    """An environment, but for some of its variables."""
    return {name: value for name, value in variables.items() if name not in names}


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    log: Path,
    line: Callable[[str], None] = lambda _: None,
    started: Callable[[subprocess.Popen[str]], None] = lambda _: None,
) -> list[str]:
    """Run a program to its end; its output goes to a log, and line by line to who wants to hear it.

    Args:
        command: program and arguments.
        cwd: where it runs.
        variables: its whole environment.
        log: file that its output is added to.
        line: hears each line.
        started: hears of the process, once it runs.

    Returns:
        The lines that it printed.

    Raises:
        ProgramError: it ended with another code than 0; with the lines that it printed.
    """
    mark = uuid4().hex
    with (
        log.open("a", encoding="utf-8") as kept,
        subprocess.Popen(  # noqa: S603 - the project's own programs, and no shell reads them
            command,
            cwd=cwd,
            env={**variables, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        kept.write(f"$ {' '.join(command)}\n")
        _marks[process] = mark
        printed: list[str] = []
        try:
            started(process)
            for text in process.stdout or ():
                kept.write(text)
                kept.flush()
                printed.append(text.rstrip())
                line(printed[-1])
            code = process.wait()
        finally:
            stop(process)
    if code:
        last = next((text.strip() for text in reversed(printed) if text), "")
        raise ProgramError(f"{Path(command[0]).name} ended with {code}: {last} (all of it: {log})", printed)
    return printed


def stop(process: subprocess.Popen[str], grace: float = GRACE_PERIOD) -> None:
    """End a program and all that it has started: as Ctrl-C does, and after a grace, in seconds, for good.

    Where the program has failed already, what it has left running has that grace too.
    """
    deadline = time.monotonic() + grace
    by_itself = process.poll() is not None
    try:
        if not by_itself:
            # Once: Terraform takes a second one for an order to forget what it is doing.
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
        if process.returncode or not by_itself:
            left = [started for started in process_tree(process) if started.pid != process.pid]
            psutil.wait_procs(left, max(0.0, deadline - time.monotonic()))
    finally:
        kill_processes(process_tree(process))
        process.wait()


def process_tree(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A program of `run`'s, as far as it runs, and all that it has started, even where it has ended itself."""
    return [found for found in psutil.process_iter() if _mark_of(found) == _marks[process]]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    # Gone, another user's, or the kernel's.
    except (psutil.Error, OSError):
        return None


def kill_processes(processes: Sequence[psutil.Process]) -> None:
    """End processes at once, those that are gone excepted."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def interrupt_on_signals() -> None:
    """Let SIGTERM and the loss of the terminal end this process as Ctrl-C does: all that it has started ends with it.

    Ctrl-C itself too: what a shell runs in the background begins with SIGINT ignored, and hands that on.
    """

    def interrupted(number: int, frame: FrameType | None) -> Never:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup wants it
        signal.signal(signal.SIGHUP, interrupted)
    signal.signal(signal.SIGINT, signal.default_int_handler)
