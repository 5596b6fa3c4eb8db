"""What a change costs: the worked examples of docs/contributing.md edit few files by hand, and leave all suites green.

`make examples` runs it. An example takes as long as the suites do.
"""

from pathlib import Path

import pytest

from tests.checkouts import checkout, run
from tests.examples.test_contributing import examples, follow

MOST = {"Add an alarm": 2, "Add a setting": 3, "Add a tier": 9}
"""Files that an example may edit by hand."""
GENERATE = """\
.venv/bin/python main.py
.venv/bin/python -m operations document
.venv/bin/python -m operations atlantis
.venv/bin/python -m pytest tests/snapshots --snapshot-update --no-cov --quiet
git add --all
"""
"""As `make docs`, `make synth` and `make snapshots` do; git must know new files, which some tests ask it for."""
SUITES = (
    "tests/unit tests/snapshots",
    "tests/policy",
    "tests/commands",
    "tests/rehearsal",
    # An example cannot be made twice.
    "tests/examples --ignore tests/examples/test_contributing.py",
)
"""Those of `make test` that know the stacks: tests/rotation and tests/local_aws do not."""


@pytest.mark.parametrize("name", MOST)
def test_an_example_edits_few_files_and_leaves_all_suites_green(tmp_path: Path, name: str):
    copy = checkout(tmp_path / "project")
    assert list(follow(copy, examples()[name]))  # its commands are run elsewhere
    by_hand = run(copy, "git ls-files --modified --others --exclude-standard").splitlines()
    print(f"{name}: {', '.join(by_hand)}")
    assert 0 < len(by_hand) <= MOST[name], by_hand
    run(copy, GENERATE)
    run(copy, ".venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/basedpyright")
    for suite in SUITES:
        run(copy, f".venv/bin/python -m pytest --no-cov --quiet -p no:cacheprovider {suite}")
    run(copy, ".venv/bin/python -m operations validate")
