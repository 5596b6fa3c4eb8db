"""Duration of the tests of each tier, and of all unit and snapshot tests, relative to the import of the stacks."""

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
"""Paths that `make unit` runs in parallel."""


def seconds(*runs: Sequence[str]) -> float:
    """Duration of parallel runs of Python, which must succeed."""
    environment = environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS")
    started = time.monotonic()
    programs = [
        subprocess.Popen([sys.executable, *run], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for run in runs
    ]
    for program, run in zip(programs, runs, strict=True):
        if program.wait():
            sys.exit(f"{' '.join(run)}: exited with {program.returncode}")
    return time.monotonic() - started


def tests(*paths: str) -> Sequence[str]:
    """Arguments of Python that run tests."""
    return ("-m", "pytest", *paths, "--no-cov", "-q", "-p", "no:cacheprovider")


def measure() -> str:
    """Results as a Markdown table."""
    seconds(FLOOR)  # warm up the disk cache
    floor = min(seconds(FLOOR) for _ in range(3))
    durations = {f"`tests/unit/test_{tier}.py`": seconds(tests(f"tests/unit/test_{tier}.py")) for tier in TIERS}
    durations["all unit and snapshot tests, in two processes"] = seconds(*(tests(*paths) for paths in ALL))
    rows = [(what, f"{took:.1f} s", f"{took / floor:.1f}x") for what, took in durations.items()]
    rows.append(("floor: start Python and Node, and import the stacks", f"{floor:.1f} s", "1.0x"))
    return markdown.table(("", "took", "of the floor"), rows)


if __name__ == "__main__":
    print(measure())
