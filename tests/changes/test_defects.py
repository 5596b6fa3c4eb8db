"""One defect in a tier fails a handful of tests, and the first of each suite names the resource and the attribute.

Each defect is planted in a copy of the checkout, where all suites that test the tiers run.
"""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stacks import ROOT
from tests.changes.defects import DEFECTS, Defect
from tests.checkouts import copy_project, edit
from tests.conftest import SHIPPED, environment_without
from tests.synthesized import TIERS

PARALLEL_SUITES = 2
"""One per core."""
MAX_FAILURES = 10
"""Failing tests of one defect, including one snapshot per environment."""
SUITES: Mapping[str, Sequence[str]] = {
    "policy": ("tests/policy",),
    "unit": ("tests/unit", "tests/snapshots"),
    "commands": ("tests/commands",),
}
OTHERS = ("tests/rotation", "tests/examples", "tests/rehearsal", "tests/local_aws")
"""Most of their tests use no tier."""
RED = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+::.+?)(?: - (?P<message>.*))?$", re.MULTILINE)
TIER_STACK = """\
--- stacks/tier.py
@@ __init__
     def __init__(self, scope: Construct, settings: Environment) -> None:
+        raise NotImplementedError
"""


def failures(folder: Path, suite: Sequence[str], log: Path) -> dict[str, str]:
    """Run a suite in a copy. Returns the messages of pytest's summary by failed test, in order."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider", *suite],
        cwd=folder,
        # The narrow terminal and no CI, where pytest would not cut lines.
        env={**environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS", "CI", "BUILD_NUMBER"), "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    log.write_text(f"{run.stdout}{run.stderr}", encoding="utf-8")
    assert run.returncode in {0, 1}, f"{log}: pytest ended with {run.returncode}"
    return {
        found["test"]: found["message"] or "" for found in RED.finditer(run.stdout.rpartition("short test summary")[2])
    }


def failures_by_suite(folder: Path, suites: Mapping[str, Sequence[str]], logs: Path) -> dict[str, dict[str, str]]:
    """Run suites in a copy, in parallel, in the given order."""
    with ThreadPoolExecutor(PARALLEL_SUITES) as pool:
        runs = pool.map(lambda name: failures(folder, suites[name], logs / f"{name}.log"), suites)
        return dict(zip(suites, runs, strict=True))


@pytest.fixture(scope="session")
def tier_tests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Files of the other suites with tests that use the tiers: these fail if no tier can be built."""
    folder = tmp_path_factory.mktemp("no-tiers")
    edit(copy := copy_project(folder / "project"), TIER_STACK)
    failed = failures_by_suite(copy, {suite.rpartition("/")[2]: (suite,) for suite in OTHERS}, folder)
    return {suite: sorted({test.partition("::")[0] for test in tests}) for suite, tests in failed.items() if tests}


def test_every_suite_is_covered():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    # Integration tests need a deployment, and these tests run the others.
    assert folders - {"tests/integration", "tests/changes"} == {*OTHERS}.union(*SUITES.values())


def test_each_defect_is_of_another_tier():
    assert len({defect.tier for defect in DEFECTS} & {*TIERS}) == len(DEFECTS)


def test_some_tests_of_the_other_suites_use_the_tiers(tier_tests: dict[str, list[str]]):
    assert "tests/examples/test_validate.py" in tier_tests["examples"]
    assert "local_aws" not in tier_tests


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.tier for defect in DEFECTS])
def test_a_defect_fails_a_handful_of_tests_that_name_it(
    defect: Defect, tier_tests: dict[str, list[str]], tmp_path: Path
):
    edit(copy := copy_project(tmp_path / "project"), defect.edit)
    failed = failures_by_suite(copy, {**tier_tests, **SUITES}, tmp_path)
    summary = "\n".join(f"{test} - {message}" for run in failed.values() for test, message in run.items())
    print(f"\n{defect.tier}: {sum(map(len, failed.values()))} failures\n{summary}")
    assert sum(map(len, failed.values())) <= MAX_FAILURES, summary
    snapshots = {f"tests/snapshots/test_snapshots.py::test_stack[{name}-{defect.tier}]" for name in SHIPPED}
    assert failed["unit"].keys() >= snapshots, summary
    for suite, tests in failed.items():
        for message in [*tests.values()][:1]:
            assert defect.is_named_in(message), f"{suite}: {message}"
