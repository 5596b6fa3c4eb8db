"""A fork merges a release: conflicts are in generated files and settings alone, `make merged` settles them, tests pass.

`make fork` runs it. The release is what the examples of docs/contributing.md change: an alarm, a setting and a flow.
"""

import re
from pathlib import Path

from stacks import ROOT
from tests.changes.test_examples import GENERATE
from tests.changes.test_forks import FORKS, write_environments
from tests.checkouts import copy_project, run, run_suites
from tests.examples.test_contributing import examples, follow
from tests.examples.test_own_tiers import copying

AUTHOR = "-c user.name=a -c user.email=a@acme.example"
COMMIT = f"git add --all && git {AUTHOR} commit --quiet --no-verify --message"
GENERATED = re.compile(r"atlantis\.yaml|docs/.+|tests/snapshots/.+|environments/.+\.toml")
"""Files that may conflict: generated ones, and settings, of which the fork has its own."""
EXAMPLES = ("Add an alarm", "Add a setting")


def merged_commands() -> str:
    """The commands of `make merged`, without make, which would install."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^merged: .*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    (unmerged,) = re.findall(r"^UNMERGED := (.*)$", makefile, flags=re.MULTILINE)
    recipe = recipe.replace("$(UNMERGED)", unmerged).replace(
        "$(MAKE) generated", GENERATE.replace("git add --all\n", "")
    )
    return recipe.replace("\t@", "").replace("$$", "$")


def test_a_fork_merges_a_release(tmp_path: Path):
    copy = copy_project(tmp_path / "project")
    run(copy, f"{COMMIT} 'first release' && git branch upstream")
    write_environments(copy / "environments", FORKS["names"])
    run(copy, copying("sessions"))
    run(copy, GENERATE)
    run(copy, f"{COMMIT} 'a fork' && git checkout --quiet upstream")
    for example in EXAMPLES:
        assert list(follow(copy, examples()[example]))
    run(copy, GENERATE)
    run(copy, f"{COMMIT} 'second release' && git tag v1.1.0 && git checkout --quiet -")

    run(copy, f"git {AUTHOR} merge v1.1.0 || true")
    conflicts = run(copy, "git diff --name-only --diff-filter=U").splitlines()
    assert conflicts
    assert not [each for each in conflicts if not GENERATED.fullmatch(each)]
    run(copy, merged_commands())
    assert run(copy, "git diff --name-only --diff-filter=U") == ""
    run(copy, f"{COMMIT} 'an upgrade'")
    assert "transaction-ids" in run(copy, "grep -r transaction-ids tests/snapshots")
    assert 'company = "a' in run(copy, "cat environments/*.toml")
    run_suites(copy, "tests/unit tests/snapshots", "tests/policy")
