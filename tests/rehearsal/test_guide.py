"""The guide docs/operations.md: all of it can be run or says why not, and what runs it notices what is wrong."""

import re
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from operations.__main__ import COMMANDS, app
from rehearsal import guide as module
from rehearsal import scenarios
from rehearsal.guide import PAGE, GuideCommand, GuideShell, commands_by_environment, parse_commands
from rehearsal.one_environment import RehearsalError
from stacks import ROOT
from stacks.settings import load_environments


@pytest.fixture(scope="module")
def guide() -> list[GuideCommand]:
    return parse_commands(PAGE.read_text(encoding="utf-8"))


def test_every_block_of_the_guide_can_be_run_or_says_why_not(guide: list[GuideCommand]):
    assert len(guide) > 30
    assert {command.skip_reason.split(":**")[0] for command in guide} == {"", "**Needs AWS", "**Needs Docker"}


def test_it_begins_in_production_and_ends_with_what_can_be_destroyed(guide: list[GuideCommand]):
    environments = [environment for environment, _ in commands_by_environment(guide)]
    assert environments == ["prod", "dev"]
    settings = {each.name: each for each in load_environments(ROOT / "environments")}
    assert [settings[name].deletion_protection for name in environments] == [True, False]


def test_what_it_names_is_there(guide: list[GuideCommand]):
    text = "\n".join(command.text for command in guide) + PAGE.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|^|ENV=\w+ )make ([a-z-]+)", text, flags=re.MULTILINE)
    assert {"synth", "integration", "rehearse-guide"} <= {*targets}
    assert not [target for target in targets if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)]
    named = re.findall(r"-m operations ([a-z-]+)", text)
    assert {"bootstrap", "preflight", "drift", "review", "lock"} <= {*named} <= COMMANDS.keys()
    stacks = {f"{each.name}-" for each in load_environments(ROOT / "environments")}
    assert all(stack.startswith(tuple(stacks)) for stack in re.findall(r"cdktf (?:deploy|destroy) '?([\w*-]+)", text))


def block(*lines: str, before: str = "") -> str:
    return "\n".join([before, "", "```console", *lines, "```", ""])


def test_a_block_is_read_as_commands_with_what_they_print():
    text = "# Title\n" + block("$ one \\", "    more", "1", "...", "$ two", "$ three", "x \\", "y") + block("$ four")
    assert parse_commands(text) == [
        GuideCommand(5, "one \\\n    more", ("1", "...")),
        GuideCommand(9, "two"),
        GuideCommand(10, "three", ("x \\", "y")),
        GuideCommand(17, "four"),
    ]


@pytest.mark.parametrize("why", ["**Needs AWS:** time.", "**Needs Docker:** an image,\nand a registry:"])
def test_a_block_beneath_a_reason_is_not_run(why: str):
    marked, after = parse_commands(block("$ one", before=why) + block("$ two"))
    assert marked.skip_reason == why.splitlines()[0]
    assert not after.skip_reason


def test_a_reason_is_for_the_block_beneath_it_alone():
    (command,) = parse_commands("**Needs AWS:** time.\n\nBut this does not:" + block("$ one"))
    assert not command.skip_reason


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```sh\nls\n```\n", "operations.md:1: ```sh: allowed: a block of the console, not indented"),
        ("1. x\n\n   ```console\n   $ ls\n   ```\n", "operations.md:3: ```console: allowed: a block of the console"),
        (block("ls"), "operations.md:4: ls: allowed: a command, after '$ '"),
        (block(), "operations.md:3: a block without a command"),
        ("```console\n$ ls\n", "operations.md:1: a block that does not end"),
    ],
)
def test_a_block_that_is_neither_to_be_run_nor_marked_is_told(text: str, told: str):
    with pytest.raises(RehearsalError, match=re.escape(told)):
        parse_commands(text)


def test_commands_are_given_in_the_account_that_the_guide_has_gone_to():
    first, second = (
        GuideCommand(1, "export AWS_PROFILE=globecart-prod"),
        GuideCommand(3, "export AWS_PROFILE=globecart-dev"),
    )
    other = GuideCommand(2, "ls")
    assert commands_by_environment([first, other, second]) == [("prod", [first, other]), ("dev", [second])]
    with pytest.raises(RehearsalError, match=r"operations\.md:2: a command before export AWS_PROFILE"):
        commands_by_environment([other, first])


PRINTED = ("begin", "a  1", "b 2", "c 3", "end")


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ((), None),
        (("...",), None),
        (PRINTED, None),
        (("begin", "a 1"), None),
        (("begin", "...", "c 3"), None),
        (("...", "  b ...", "c 3", "..."), None),
        (("...n", "...", "e...d"), None),
        (("a 1",), "a 1"),
        (("begin", "b 2"), "b 2"),
        (("...", "a 1", "c 3"), "a 1"),
        (("...", "c 3", "...", "b 2"), "b 2"),
        (("...", "a 1", "nowhere"), "nowhere"),
        (("...", "end", "more"), "more"),
        ((*PRINTED, "more"), "more"),
        (("beg",), "beg"),
        (("...", "b .", "..."), "b ."),
    ],
)
def test_what_is_shown_must_be_printed_in_its_order(shown: tuple[str, ...], missing: str | None):
    assert GuideCommand(1, "x", shown).first_missing_line(PRINTED) == missing


def test_nothing_printed_is_not_what_is_shown():
    assert GuideCommand(1, "x", ("a",)).first_missing_line([]) == "a"
    assert GuideCommand(1, "x", ("...", "a")).first_missing_line([]) == "a"


@pytest.fixture
def person(tmp_path: Path) -> GuideShell:
    person = GuideShell(tmp_path, {"PATH": "/usr/bin:/bin", "BEFORE": "1"}, tmp_path / "guide.log")
    person.checkout.mkdir()
    return person


def test_a_shell_keeps_what_is_exported_and_the_files(person: GuideShell):
    person.run(GuideCommand(1, "export NOW='a\nb=c'; unset BEFORE; echo x >file"))
    person.run(GuideCommand(2, 'echo "$NOW ${BEFORE-gone}"; \\\n cat file', ("a", "b=c gone", "x")))
    assert (person.checkout / "file").read_text() == "x\n"


def test_colours_are_not_what_is_shown(person: GuideShell):
    person.run(GuideCommand(1, r"printf '\033[1mbold\033[0m \033[2K\n'", ("bold",)))


def test_a_command_that_fails_is_told_with_its_place_and_its_last_words(person: GuideShell):
    with pytest.raises(RehearsalError) as raised:
        person.run(GuideCommand(7, "echo why >&2 \\\n; (exit 3)"))
    assert str(raised.value).startswith("operations.md:7: echo why >&2 \\: bash ended with 3: why (all of it: ")
    assert "\n" not in str(raised.value)


def test_what_is_not_printed_is_told_with_the_place_of_its_command(person: GuideShell):
    with pytest.raises(RehearsalError) as raised:
        person.run(GuideCommand(7, "echo one", ("two",)))
    assert str(raised.value) == f"operations.md:7: echo one: does not print: two (what it prints: {person.log})"


def test_a_program_that_is_not_installed_is_told(person: GuideShell):
    with pytest.raises(RehearsalError, match=r"operations\.md:7: aws-x sts .*aws-x: command not found"):
        person.run(GuideCommand(7, "aws-x sts get-caller-identity"))


def test_a_person_has_a_profile_and_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copied: list[tuple[Path, tuple[str, ...]]] = []
    monkeypatch.setattr(module, "copy_project", lambda checkout, *shared: copied.append((checkout, shared)))
    given = {
        "AWS_REGION": "us-west-1",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    monkeypatch.setattr(module, "environment", lambda: {"PATH": "/bin", "ENV": "prod", "TF_IN_AUTOMATION": "1"})
    rehearsal = SimpleNamespace(
        settings=SimpleNamespace(name="dev"),
        deployment=SimpleNamespace(folder=tmp_path),
        aws=SimpleNamespace(environment=given),
    )
    person = GuideShell.of(cast(Any, rehearsal))
    assert copied == [(tmp_path / "checkout", (".cache", ".venv", "node_modules"))]
    # What a person has not got: the environment's name, and credentials without a profile.
    assert not {"ENV", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TF_IN_AUTOMATION"} & {
        *person.variables
    }
    assert person.variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert Path(person.variables["AWS_CONFIG_FILE"]).read_text() == (
        "[profile globecart-dev]\nregion = us-west-1\naws_access_key_id = AKIA\naws_secret_access_key = x\n"
    )


Followed = Callable[[str], Any]


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    """Ends of the command for a guide's text, with `unknown` as what the local AWS does not know."""
    unknown: dict[str, int] = {}

    @contextmanager
    def _rehearsal(environment: str, within: str) -> Any:
        assert (environment, within) == ("dev", "guide")
        told = SimpleNamespace(print=lambda text, end="\n", **_: print(text, end=end))
        try:
            yield SimpleNamespace(console=told, aws=SimpleNamespace(gateway=SimpleNamespace(unsupported=unknown)))
        except RehearsalError as error:
            raise SystemExit(str(error)) from error

    def follow(text: str, **calls: int) -> Any:
        unknown.update(calls)
        (tmp_path / "operations.md").write_text(text)
        return CliRunner().invoke(app, ["rehearse-guide"])

    person = GuideShell(tmp_path, {"PATH": "/usr/bin:/bin"}, tmp_path / "guide.log")
    person.checkout.mkdir()
    monkeypatch.setattr(scenarios, "PAGE", tmp_path / "operations.md")
    monkeypatch.setattr(scenarios, "_rehearsal", _rehearsal)
    monkeypatch.setattr(GuideShell, "of", lambda _: person)
    return follow


IN_DEV = "$ export AWS_PROFILE=globecart-dev"


def test_each_command_is_told_with_how_long_it_took_or_why_it_is_not_run(followed: Followed):
    ended = followed(block(IN_DEV, "$ echo x", "x") + block("$ false", before="**Needs AWS:** time."))
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines() == [
        "[bold]operations.md:4[/] export AWS_PROFILE=globecart-dev (0 s)",
        "[bold]operations.md:5[/] echo x (0 s)",
        "[bold]operations.md:11[/] false not run: Needs AWS: time.",
    ]


def test_the_first_command_that_goes_wrong_ends_it(followed: Followed):
    ended = followed(block(IN_DEV, "$ echo x", "y", "$ touch after"))
    assert ended.exit_code == 1
    assert "operations.md:5: echo x: does not print: y" in str(ended.exception)
    assert "after" not in ended.stdout


def test_a_guide_that_cannot_be_read_ends_it_before_anything_is_started(followed: Followed):
    ended = followed(block(IN_DEV) + "```sh\nls\n```\n")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == "operations.md:6: ```sh: allowed: a block of the console, not indented\n"


def test_a_call_that_the_local_aws_does_not_know_ends_it(followed: Followed):
    ended = cast(Any, followed)(block(IN_DEV), **{"quicksight:ListUsers": 1})
    assert ended.exit_code == 1
    assert str(ended.exception) == "the local AWS does not know quicksight:ListUsers"
