"""Child programs of a rehearsal. An environment variable marks all their descendants, so that none is left running."""

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
"""Seconds to wait after an interrupt: Terraform finishes running operations and writes its state."""

MARK = "REHEARSAL_PROGRAM"
"""Environment variable. Descendants inherit it even in a session of their own, as Terraform has under the cdktf CLI."""

PROCESS_VARIABLES = ("NODE_OPTIONS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
"""Variables of this process that others must not inherit: set for synthesis (imports/), and by `make`."""

_marks = WeakKeyDictionary[subprocess.Popen[str], str]()


class ProgramError(Exception):
    """A program failed. The message has the program, its exit code, its last line, and its log."""

    def __init__(self, problem: str, output: Sequence[str] = ()) -> None:
        """Store the message and the lines that the program printed."""
        super().__init__(problem)
        self.output = output


def without_variables(variables: Mapping[str, str], *names: str) -> dict[str, str]:
    """Environment variables without some of them."""
    return {name: value for name, value in variables.items() if name not in names}


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    on_start: Callable[[subprocess.Popen[str]], None] = lambda _: None,
) -> list[str]:
    """Run a program and append its output to a log.

    Args:
        command: program and arguments.
        cwd: working directory.
        variables: the complete environment of the program.
        log: file to append the output to.
        on_line: called with each line of output.
        on_start: called with the process once it runs.

    Returns:
        The lines of output.

    Raises:
        ProgramError: the exit code is not 0.
    """
    mark = uuid4().hex
    with (
        log.open("a", encoding="utf-8") as log_file,
        subprocess.Popen(  # noqa: S603 - the project's own programs, without a shell
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
        log_file.write(f"$ {' '.join(command)}\n")
        _marks[process] = mark
        printed: list[str] = []
        try:
            on_start(process)
            for text in process.stdout or ():
                log_file.write(text)
                log_file.flush()
                printed.append(text.rstrip())
                on_line(printed[-1])
            code = process.wait()
        finally:
            stop(process)
    if code:
        last = next((text.strip() for text in reversed(printed) if text), "")
        raise ProgramError(f"{Path(command[0]).name} exited with {code}: {last} (log: {log})", printed)
    return printed


def stop(process: subprocess.Popen[str], grace: float = GRACE_PERIOD) -> None:
    """Stop a program and its descendants: interrupt them as Ctrl-C does, and kill them after `grace` seconds.

    Descendants of a program that has already failed get the same time to finish.
    """
    deadline = time.monotonic() + grace
    has_exited = process.poll() is not None
    try:
        if not has_exited:
            # Only once: a second interrupt makes Terraform abort without writing its state.
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
        if process.returncode or not has_exited:
            descendants = [each for each in process_tree(process) if each.pid != process.pid]
            psutil.wait_procs(descendants, max(0.0, deadline - time.monotonic()))
    finally:
        kill_processes(process_tree(process))
        process.wait()


def process_tree(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Running processes of a program started by `run`: itself and its descendants, even if it has exited."""
    return [each for each in psutil.process_iter() if _mark_of(each) == _marks[process]]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    # The process has exited, or belongs to another user or the kernel.
    except (psutil.Error, OSError):
        return None


def kill_processes(processes: Sequence[psutil.Process]) -> None:
    """Kill processes, ignoring those that have exited."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def interrupt_on_signals() -> None:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt, so that children are stopped as after Ctrl-C.

    Also restores SIGINT, which shells disable for background jobs and their children.
    """

    def interrupted(number: int, frame: FrameType | None) -> Never:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup
        signal.signal(signal.SIGHUP, interrupted)
    signal.signal(signal.SIGINT, signal.default_int_handler)
