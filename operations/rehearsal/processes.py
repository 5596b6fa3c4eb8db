"""Programs that the rehearsal runs: each in a session of its own, so that none outlives it."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Never

import psutil

GRACE = 60.0
"""Seconds that a program has to end by itself: Terraform finishes what it has begun and writes its state."""


class ProgramError(Exception):
    """A program ended with an error; says which, and where its output is."""


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    log: Path,
    line: Callable[[str], None] = lambda _: None,
    started: Callable[[subprocess.Popen[str]], None] = lambda _: None,
) -> None:
    """Run a program to its end; its output goes to a log, and line by line to who wants to hear it.

    Args:
        command: program and arguments.
        cwd: where it runs.
        variables: its whole environment.
        log: file that its output is added to.
        line: hears each line.
        started: hears of the process, once it runs.

    Raises:
        ProgramError: it ended with another code than 0.
    """
    with log.open("a", encoding="utf-8") as kept:
        kept.write(f"$ {' '.join(command)}\n")
        process = subprocess.Popen(  # noqa: S603 - the project's own programs, and no shell reads them
            command,
            cwd=cwd,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started(process)
        last = ""
        try:
            for text in process.stdout or ():
                kept.write(text)
                kept.flush()
                line(text.rstrip())
                last = text.strip() or last
            code = process.wait()
        finally:
            end(process)
    if code:
        raise ProgramError(f"{Path(command[0]).name} ended with {code}: {last} (all of it: {log})")


def end(process: subprocess.Popen[str], grace: float = GRACE) -> None:
    """End a program and all that it has started: as Ctrl-C does, and after a grace, in seconds, for good."""
    started = family(process)
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        kill([*started, *family(process)])
        process.wait()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A process that runs, and all that it has started, sessions of their own included."""
    try:
        leader = psutil.Process(process.pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(processes: Sequence[psutil.Process]) -> None:
    """End processes at once, those that are gone excepted."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that all that it has started is ended with it."""

    def interrupted(number: int, frame: FrameType | None) -> Never:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
