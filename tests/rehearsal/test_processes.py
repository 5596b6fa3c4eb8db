"""Child programs: their output, and that no descendant outlives them."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rehearsal.processes import ProgramError, interrupt_on_signals, kill_processes, process_tree, run, stop

# Prints its PID and ignores SIGINT, in a session of its own.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("grandchild", os.getpid(), flush=True)
sys.stdout.close(); sys.stderr.close(); os.close(1); os.close(2)
time.sleep(60)
"""
STARTS = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], start_new_session=True)
"""
# Writes its state when it is interrupted, which takes time, as with Terraform.
ORDERLY = """
import pathlib, sys, time
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    pathlib.Path("state").write_text("complete")
"""


class StopError(Exception):
    """Stops the rehearsal while a program runs."""


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., None]:
    """Runs a Python program."""

    def python(program: str, variables: dict[str, str] | None = None, **callbacks: Any) -> None:
        log = tmp_path / "a.log"
        run([sys.executable, "-c", program], cwd=tmp_path, variables=variables or {}, log=log, **callbacks)

    return python


@pytest.fixture
def handlers() -> Generator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ends(process: int) -> bool:
    """Whether a process exits within ten seconds."""
    for _ in range(1000):
        if not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def grandchild(lines: list[str]) -> int:
    return int(lines[0].removeprefix("grandchild "))


def test_lines_are_passed_on_and_logged_with_the_command(python: Callable[..., None], tmp_path: Path):
    lines = list[str]()
    python("print('one'); print('  two')", on_line=lines.append)
    python("import sys; sys.stderr.write('three')", on_line=lines.append)
    assert lines == ["one", "  two", "three"]
    log = (tmp_path / "a.log").read_text().splitlines()
    assert [line for line in log if not line.startswith("$")] == ["one", "  two", "three"]
    assert log[0] == f"$ {sys.executable} -c print('one'); print('  two')"


def test_program_gets_only_the_given_environment(python: Callable[..., None]):
    lines = list[str]()
    python("import os; print(os.environ.get('A'), os.environ.get('HOME'))", {"A": "1"}, on_line=lines.append)
    assert lines == ["1 None"]


def test_binary_output_is_decoded_with_replacement_characters(python: Callable[..., None]):
    lines = list[str]()
    python(r"import sys; sys.stdout.buffer.write(b'\xff\n\xc3\xa4\n')", on_line=lines.append)
    assert lines == ["\ufffd", "ä"]


def test_failed_program_is_reported_with_exit_code_last_line_and_log(python: Callable[..., None], tmp_path: Path):
    with pytest.raises(ProgramError) as raised:
        python("print('It went wrong\\n'); raise SystemExit(3)")
    assert str(raised.value) == f"{Path(sys.executable).name} exited with 3: It went wrong (log: {tmp_path}/a.log)"


def test_descendants_are_stopped_with_the_program(python: Callable[..., None]):
    lines = list[str]()
    python(f"{STARTS}time.sleep(0.3)", on_line=lines.append)
    assert ends(grandchild(lines))


def test_descendants_of_a_killed_program_are_stopped(python: Callable[..., None]):
    lines, started = list[str](), list[subprocess.Popen[str]]()

    def on_line(text: str) -> None:
        lines.append(text)
        kill_processes(process_tree(started[0])[:1])
        assert started[0].wait(5) == -signal.SIGKILL
        (remaining,) = process_tree(started[0])
        assert remaining.pid == grandchild(lines)
        remaining.kill()

    with pytest.raises(ProgramError, match="exited with -9"):
        python(f"{STARTS}time.sleep(60)", on_line=on_line, on_start=started.append)
    assert ends(grandchild(lines))


def test_interrupted_program_may_finish(python: Callable[..., None], tmp_path: Path):
    def on_line(text: str) -> None:
        raise StopError(text)

    with pytest.raises(StopError, match="begun"):
        python(ORDERLY, on_line=on_line)
    assert (tmp_path / "state").read_text() == "complete"


def test_program_is_stopped_if_the_start_callback_raises(python: Callable[..., None]):
    programs = list[subprocess.Popen[str]]()

    def on_start(process: subprocess.Popen[str]) -> None:
        programs.append(process)
        raise StopError

    with pytest.raises(StopError):
        python("import time; time.sleep(60)", on_start=on_start)
    assert programs[0].returncode


def test_descendants_may_finish_after_a_failed_program(python: Callable[..., None], tmp_path: Path):
    late = "import pathlib, time; time.sleep(0.5); pathlib.Path('state').write_text('complete')"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {late!r}], start_new_session=True,"
    with pytest.raises(ProgramError):
        python(f"{program} stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); sys.exit(1)")
    assert (tmp_path / "state").read_text() == "complete"


def test_program_that_ignores_interrupts_is_killed_with_its_descendants(
    python: Callable[..., None],
):
    lines, started = list[str](), list[subprocess.Popen[str]]()

    def on_line(text: str) -> None:
        lines.append(text)
        began = time.monotonic()
        stop(started[0], grace=0.2)
        assert time.monotonic() - began < 5

    ignores = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {STARTS.strip()}; time.sleep(60)"
    with pytest.raises(ProgramError, match="exited with -9"):
        python(ignores.replace("; import subprocess", "\nimport subprocess"), on_line=on_line, on_start=started.append)
    assert ends(grandchild(lines))


def test_other_processes_are_not_stopped(python: Callable[..., None]):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        python(f"{STARTS}time.sleep(0.3)")
        assert other.poll() is None
        other.kill()


def test_killing_exited_processes_is_not_an_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as exited:
        known = psutil.Process(exited.pid)
    kill_processes([known])


@pytest.mark.usefixtures("handlers")
def test_sigterm_interrupts_like_ctrl_c():
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
