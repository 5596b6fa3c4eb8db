"""How long the tests of a tier take, and all unit and snapshot tests, beside what none of them can do without."""

import subprocess
import sys
import time

from main import ROOT
from operations import markdown
from tests.conftest import environment_without
from tests.synthesized import TIERS

FLOOR = ("-c", "import main")
ALL = ("tests/unit", "tests/snapshots")


def seconds(*arguments: str) -> float:
    """Of a run of Python, which must succeed."""
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS"),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if run.returncode:
        sys.exit(f"{' '.join(arguments)}: ended with {run.returncode}")
    return time.monotonic() - started


def tests(*paths: str) -> float:
    """Seconds of some tests."""
    return seconds("-m", "pytest", *paths, "--no-cov", "-q", "-p", "no:cacheprovider")


def measured() -> str:
    """As Markdown."""
    seconds(*FLOOR)  # and warm the disk
    floor = min(seconds(*FLOOR) for _ in range(3))
    runs: dict[str, tuple[str, ...]] = {
        f"`tests/unit/test_{tier}.py`": (f"tests/unit/test_{tier}.py",) for tier in TIERS
    }
    runs["all unit and snapshot tests"] = [*ALL]
    taken = {what: tests(*paths) for what, paths in runs.items()}
    rows = [(what, f"{took:.1f} s", f"{took / floor:.1f}x") for what, took in taken.items()]
    rows.append(("floor: Python and Node start, and the stacks are imported", f"{floor:.1f} s", "1.0x"))
    return markdown.table(("", "took", "of the floor"), rows)


if __name__ == "__main__":
    print(measured())
