"""Programs that the rehearsal runs: heard line by line, and never outlived by what they start."""

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

# Tells its number, and sleeps on whatever Ctrl-C says; with a session of its own, as a terminal's program has it.
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
# Writes its state when it is interrupted, as Terraform does, and takes its time for it.
ORDERLY = """
import pathlib, sys, time
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    pathlib.Path("state").write_text("whole")
"""


class StopError(Exception):
    """Whatever ends the rehearsal while a program runs."""


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., None]:
    """Runs a program of Python's."""

    def python(program: str, variables: dict[str, str] | None = None, **heard: Any) -> None:
        run([sys.executable, "-c", program], cwd=tmp_path, variables=variables or {}, log=tmp_path / "a.log", **heard)

    return python


@pytest.fixture
def handlers() -> Generator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ends(process: int) -> bool:
    """Whether a process ends within a second."""
    for _ in range(100):
        if not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def grandchild(heard: list[str]) -> int:
    return int(heard[0].removeprefix("grandchild "))


def test_each_line_is_heard_and_kept_beneath_the_command(python: Callable[..., None], tmp_path: Path):
    heard = list[str]()
    python("print('one'); print('  two')", line=heard.append)
    python("import sys; sys.stderr.write('three')", line=heard.append)
    assert heard == ["one", "  two", "three"]
    kept = (tmp_path / "a.log").read_text().splitlines()
    assert [line for line in kept if not line.startswith("$")] == ["one", "  two", "three"]
    assert kept[0] == f"$ {sys.executable} -c print('one'); print('  two')"


def test_a_program_has_the_environment_that_it_is_given_and_no_other(python: Callable[..., None]):
    heard = list[str]()
    python("import os; print(os.environ.get('A'), os.environ.get('HOME'))", {"A": "1"}, line=heard.append)
    assert heard == ["1 None"]


def test_a_program_that_writes_no_text_is_heard_all_the_same(python: Callable[..., None]):
    heard = list[str]()
    python(r"import sys; sys.stdout.buffer.write(b'\xff\n\xc3\xa4\n')", line=heard.append)
    assert heard == ["\ufffd", "ä"]


def test_a_program_that_fails_is_told_with_its_code_its_last_words_and_its_log(
    python: Callable[..., None], tmp_path: Path
):
    with pytest.raises(ProgramError) as told:
        python("print('It went wrong\\n'); raise SystemExit(3)")
    assert str(told.value) == f"{Path(sys.executable).name} ended with 3: It went wrong (all of it: {tmp_path}/a.log)"


def test_what_a_program_leaves_running_is_ended_with_it(python: Callable[..., None]):
    heard = list[str]()
    python(f"{STARTS}time.sleep(0.3)", line=heard.append)
    assert ends(grandchild(heard))


def test_what_is_left_of_a_program_that_was_killed_is_found_and_ended(python: Callable[..., None]):
    heard, started = list[str](), list[subprocess.Popen[str]]()

    def line(text: str) -> None:
        heard.append(text)
        kill_processes(process_tree(started[0])[:1])
        assert started[0].wait(5) == -signal.SIGKILL
        (left,) = process_tree(started[0])
        assert left.pid == grandchild(heard)
        left.kill()

    with pytest.raises(ProgramError, match="ended with -9"):
        python(f"{STARTS}time.sleep(60)", line=line, started=started.append)
    assert ends(grandchild(heard))


def test_whatever_ends_the_rehearsal_ends_the_program_and_lets_it_finish(python: Callable[..., None], tmp_path: Path):
    def line(text: str) -> None:
        raise StopError(text)

    with pytest.raises(StopError, match="begun"):
        python(ORDERLY, line=line)
    assert (tmp_path / "state").read_text() == "whole"


def test_a_program_that_nobody_wants_to_hear_of_is_ended(python: Callable[..., None]):
    programs = list[subprocess.Popen[str]]()

    def started(process: subprocess.Popen[str]) -> None:
        programs.append(process)
        raise StopError

    with pytest.raises(StopError):
        python("import time; time.sleep(60)", started=started)
    assert programs[0].returncode


def test_what_a_program_has_started_may_finish_after_it(python: Callable[..., None], tmp_path: Path):
    late = "import pathlib, time; time.sleep(0.5); pathlib.Path('state').write_text('whole')"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {late!r}], start_new_session=True,"
    with pytest.raises(ProgramError):
        python(f"{program} stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); sys.exit(1)")
    assert (tmp_path / "state").read_text() == "whole"


def test_a_program_that_does_not_heed_is_ended_for_good_after_a_grace_with_all_that_it_started(
    python: Callable[..., None],
):
    heard, started = list[str](), list[subprocess.Popen[str]]()

    def line(text: str) -> None:
        heard.append(text)
        began = time.monotonic()
        stop(started[0], grace=0.2)
        assert time.monotonic() - began < 5

    ignores = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {STARTS.strip()}; time.sleep(60)"
    with pytest.raises(ProgramError, match="ended with -9"):
        python(ignores.replace("; import subprocess", "\nimport subprocess"), line=line, started=started.append)
    assert ends(grandchild(heard))


def test_other_programs_are_left_alone(python: Callable[..., None]):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        python(f"{STARTS}time.sleep(0.3)")
        assert other.poll() is None
        other.kill()


def test_processes_that_are_gone_need_not_be_ended():
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        known = psutil.Process(gone.pid)
    kill_processes([known])


@pytest.mark.usefixtures("handlers")
def test_an_orderly_stop_ends_this_process_as_ctrl_c_does():
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
