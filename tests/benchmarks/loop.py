"""How long the tests of a tier take, and all unit and snapshot tests, beside what none of them can do without."""

import subprocess
import sys
import time
from collections.abc import Sequence

from operations.document import markdown
from stacks import ROOT
from tests.conftest import environment_without
from tests.synthesized import TIERS

FLOOR = ("-c", "import main")
ALL = (("tests/unit", "tests/snapshots"), ("tests/commands",))
"""As `make unit` runs them side by side."""


def seconds(*runs: Sequence[str]) -> float:
    """Of runs of Python side by side, which must succeed."""
    environment = environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS")
    started = time.monotonic()
    programs = [
        subprocess.Popen([sys.executable, *run], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for run in runs
    ]
    for program, run in zip(programs, runs, strict=True):
        if program.wait():
            sys.exit(f"{' '.join(run)}: ended with {program.returncode}")
    return time.monotonic() - started


def tests(*paths: str) -> Sequence[str]:
    """A run of some tests."""
    return ("-m", "pytest", *paths, "--no-cov", "-q", "-p", "no:cacheprovider")


def measure() -> str:
    """As Markdown."""
    seconds(FLOOR)  # and warm the disk
    floor = min(seconds(FLOOR) for _ in range(3))
    taken = {f"`tests/unit/test_{tier}.py`": seconds(tests(f"tests/unit/test_{tier}.py")) for tier in TIERS}
    taken["all unit and snapshot tests, in two processes"] = seconds(*(tests(*paths) for paths in ALL))
    rows = [(what, f"{took:.1f} s", f"{took / floor:.1f}x") for what, took in taken.items()]
    rows.append(("floor: Python and Node start, and the stacks are imported", f"{floor:.1f} s", "1.0x"))
    return markdown.table(("", "took", "of the floor"), rows)


if __name__ == "__main__":
    print(measure())
