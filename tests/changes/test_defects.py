"""One mistake in a tier fails a handful of tests, and the first of each suite names the resource and the attribute.

Each defect is planted into a copy of the checkout, as somebody would make it, and all suites run there that look at the
tiers.
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
from tests.checkouts import checkout, edit
from tests.conftest import SHIPPED, environment_without
from tests.synthesized import TIERS

AT_ONCE = 2
MOST = 10
"""Red tests of one defect, of which its stack's snapshots are one an environment."""
SUITES: Mapping[str, Sequence[str]] = {
    "unit": ("tests/unit", "tests/snapshots"),
    "commands": ("tests/commands",),
    "policy": ("tests/policy",),
}
OTHERS = ("tests/rotation", "tests/examples", "tests/local_aws", "tests/rehearsal")
"""Most of their tests look at no tier."""
RED = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+::.+?)(?: - (?P<said>.*))?$", re.MULTILINE)
TIER_STACK = """\
--- stacks/tier.py
@@ __init__
     def __init__(self, scope: Construct, settings: Environment) -> None:
+        raise NotImplementedError
"""


def red(folder: Path, suite: Sequence[str], log: Path) -> dict[str, str]:
    """Runs a suite in a copy; returns what pytest's summary says of each test that fails, in its order."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider", *suite],
        cwd=folder,
        # No terminal, and no CI, whose lines pytest leaves whole.
        env={**environment_without("ENV", "CDKTF_OUTDIR", "NODE_OPTIONS", "CI", "BUILD_NUMBER"), "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    log.write_text(f"{run.stdout}{run.stderr}", encoding="utf-8")
    assert run.returncode in {0, 1}, f"{log}: pytest ended with {run.returncode}"
    return {
        found["test"]: found["said"] or "" for found in RED.finditer(run.stdout.rpartition("short test summary")[2])
    }


@pytest.fixture(scope="session")
def looking(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of the other suites that have a test which looks at the tiers: it fails where no tier can be built."""
    folder = tmp_path_factory.mktemp("no-tiers")
    edit(copy := checkout(folder / "project"), TIER_STACK)
    failed = red(copy, OTHERS, folder / "log")
    return sorted({test.partition("::")[0] for test in failed})


def test_the_suites_are_all_that_there_are():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    # What is deployed is in no checkout, and these very tests are no suite.
    assert folders - {"tests/integration", "tests/changes"} == {*OTHERS}.union(*SUITES.values())


def test_each_tier_has_a_defect():
    assert sorted(defect.tier for defect in DEFECTS) == sorted(TIERS)


def test_some_tests_of_the_other_suites_look_at_the_tiers(looking: list[str]):
    assert "tests/examples/test_validate.py" in looking
    assert not [file for file in looking if file.startswith("tests/local_aws/")]


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.tier for defect in DEFECTS])
def test_a_defect_fails_a_handful_of_tests_that_name_it(defect: Defect, looking: list[str], tmp_path: Path):
    edit(copy := checkout(tmp_path / "project"), defect.edit)
    suites = {**SUITES, "others": looking}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = pool.map(lambda name: red(copy, suites[name], tmp_path / f"{name}.log"), suites)
        failed = dict(zip(suites, runs, strict=True))
    told = "\n".join(f"{test} - {said}" for run in failed.values() for test, said in run.items())
    print(f"\n{defect.tier}: {sum(map(len, failed.values()))} red\n{told}")
    assert sum(map(len, failed.values())) <= MOST, told
    snapshots = {f"tests/snapshots/test_snapshots.py::test_stack[{name}-{defect.tier}]" for name in SHIPPED}
    assert failed["unit"].keys() >= snapshots, told
    for suite, tests in failed.items():
        for said in [*tests.values()][:1]:
            assert defect.is_named_in(said), f"{suite}: {said}"
