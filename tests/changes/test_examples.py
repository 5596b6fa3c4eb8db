"""The worked examples of docs/contributing.md edit few files by hand, and all test suites pass afterwards.

`make examples` runs it. An example takes as long as the suites.
"""

from pathlib import Path

import pytest

from tests.checkouts import copy_project, run, run_suites
from tests.examples.test_contributing import examples, follow
from tests.examples.test_own_tiers import copying

MAX_FILES = {"Add an alarm": 3, "Add a setting": 4}
"""Maximum number of files that an example edits by hand."""
GENERATE = """\
.venv/bin/python main.py
.venv/bin/python -m operations document
.venv/bin/python -m operations atlantis
.venv/bin/python -m pytest tests/snapshots --snapshot-update --no-cov --quiet
git add --all
"""
"""The commands of `make generated`. Some tests read the list of files from git."""
SUITES = (
    "tests/unit tests/snapshots",
    "tests/policy",
    "tests/commands",
    "tests/rehearsal",
    # An example cannot be applied twice.
    "tests/examples --ignore tests/examples/test_contributing.py",
)
"""The suites of `make test` that depend on the stacks: all but tests/rotation and tests/local_aws."""


@pytest.mark.parametrize("name", MAX_FILES)
def test_all_suites_pass_after_an_example_with_few_edits(tmp_path: Path, name: str):
    copy = copy_project(tmp_path / "project")
    assert list(follow(copy, examples()[name]))  # tests/examples runs its commands
    passes(copy, MAX_FILES[name])


@pytest.mark.parametrize("names", [["mail"], ["sessions"], ["mail", "sessions"]], ids="-".join)
def test_all_suites_pass_with_tiers_of_ones_own(tmp_path: Path, names: list[str]):
    copy = copy_project(tmp_path / "project")
    for name in names:
        run(copy, copying(name))
    passes(copy, 2 * len(names))


def passes(copy: Path, files: int) -> None:
    """No more than a number of files was edited by hand, and all suites pass."""
    edited = run(copy, "git ls-files --modified --others --exclude-standard").splitlines()
    print(", ".join(edited))
    assert 0 < len(edited) <= files, edited
    run(copy, GENERATE)
    run(copy, ".venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/basedpyright")
    run_suites(copy, *SUITES)
    run(copy, ".venv/bin/python -m operations validate")
