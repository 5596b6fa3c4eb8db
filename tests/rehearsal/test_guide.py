"""The guide docs/operations.md: its blocks are valid, and `rehearse-guide` finds errors."""

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
from tests.conftest import REFERENCE


@pytest.fixture(scope="module")
def guide() -> list[GuideCommand]:
    return parse_commands(PAGE.read_text(encoding="utf-8"))


def test_guide_has_valid_blocks_only(guide: list[GuideCommand]):
    assert len(guide) > 30
    assert {command.skip_reason.split(":**")[0] for command in guide} == {"", "**Needs AWS", "**Needs Docker"}


def test_guide_deploys_prod_first_and_destroys_dev(guide: list[GuideCommand]):
    environments = [environment for environment, _ in commands_by_environment(guide)]
    assert environments == ["prod", "dev"]
    settings = {each.name: each for each in load_environments(ROOT / "environments")}
    assert [settings[name].deletion_protection for name in environments] == [True, False]


def test_guide_names_existing_targets_commands_and_stacks(guide: list[GuideCommand]):
    text = "\n".join(command.text for command in guide) + PAGE.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|^|ENV=\w+ )make ([a-z-]+)", text, flags=re.MULTILINE)
    assert {"synth", "integration", "rehearse-guide"} <= {*targets}
    assert not [target for target in targets if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)]
    commands = re.findall(r"-m operations ([a-z-]+)", text)
    assert {"bootstrap", "preflight", "drift", "review", "lock"} <= {*commands} <= COMMANDS.keys()
    stacks = {f"{each.name}-" for each in load_environments(ROOT / "environments")}
    assert all(stack.startswith(tuple(stacks)) for stack in re.findall(r"cdktf (?:deploy|destroy) '?([\w*-]+)", text))


def block(*lines: str, before: str = "") -> str:
    return "\n".join([before, "", "```console", *lines, "```", ""])


def test_block_is_parsed_into_commands_with_expected_output():
    text = "# Title\n" + block("$ one \\", "    more", "1", "...", "$ two", "$ three", "x \\", "y") + block("$ four")
    assert parse_commands(text) == [
        GuideCommand(5, "one \\\n    more", ("1", "...")),
        GuideCommand(9, "two"),
        GuideCommand(10, "three", ("x \\", "y")),
        GuideCommand(17, "four"),
    ]


@pytest.mark.parametrize("why", ["**Needs AWS:** time.", "**Needs Docker:** an image,\nand a registry:"])
def test_marked_block_is_skipped(why: str):
    marked, after = parse_commands(block("$ one", before=why) + block("$ two"))
    assert marked.skip_reason == why.splitlines()[0]
    assert not after.skip_reason


def test_skip_marker_applies_to_the_next_block_only():
    (command,) = parse_commands("**Needs AWS:** time.\n\nBut this does not:" + block("$ one"))
    assert not command.skip_reason


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```sh\nls\n```\n", "operations.md:1: ```sh: allowed: a console block, not indented"),
        ("1. x\n\n   ```console\n   $ ls\n   ```\n", "operations.md:3: ```console: allowed: a console block"),
        (block("ls"), "operations.md:4: ls: allowed: a command after '$ '"),
        (block(), "operations.md:3: the block has no command"),
        ("```console\n$ ls\n", "operations.md:1: the block is not closed"),
    ],
)
def test_invalid_block_is_an_error(text: str, error: str):
    with pytest.raises(RehearsalError, match=re.escape(error)):
        parse_commands(text)


def test_commands_belong_to_the_last_selected_account():
    first, second = (
        GuideCommand(1, "export AWS_PROFILE=acme-prod"),
        GuideCommand(3, "export AWS_PROFILE=acme-dev"),
    )
    other = GuideCommand(2, "ls")
    assert commands_by_environment([first, other, second]) == [("prod", [first, other]), ("dev", [second])]
    with pytest.raises(RehearsalError, match=r"operations\.md:2: a command before export AWS_PROFILE"):
        commands_by_environment([other, first])


def test_examples_of_the_page_are_replaced_by_the_environments_values():
    (settings,) = load_environments(REFERENCE, only="prod")
    company, zone = settings.company, settings.service.hosted_zone
    shown = GuideCommand(1, "dig acme.example", ("acme-prod-service in us-west-1 of 111122223333", "dev.acme.example"))
    expected = (f"{company}-prod-service in {settings.region} of {settings.account}", zone)
    assert shown.with_values_of(settings) == GuideCommand(1, f"dig {zone}", expected)


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
def test_expected_output_must_be_printed_in_order(shown: tuple[str, ...], missing: str | None):
    assert GuideCommand(1, "x", shown).first_missing_line(PRINTED) == missing


def test_missing_output_does_not_match():
    assert GuideCommand(1, "x", ("a",)).first_missing_line([]) == "a"
    assert GuideCommand(1, "x", ("...", "a")).first_missing_line([]) == "a"


@pytest.fixture
def shell(tmp_path: Path) -> GuideShell:
    shell = GuideShell(tmp_path, {"PATH": "/usr/bin:/bin", "BEFORE": "1"}, tmp_path / "guide.log")
    shell.checkout.mkdir()
    return shell


def test_guide_shell_keeps_exported_variables_and_files(shell: GuideShell):
    shell.run(GuideCommand(1, "export NOW='a\nb=c'; unset BEFORE; echo x >file"))
    shell.run(GuideCommand(2, 'echo "$NOW ${BEFORE-gone}"; \\\n cat file', ("a", "b=c gone", "x")))
    assert (shell.checkout / "file").read_text() == "x\n"


def test_control_sequences_are_ignored(shell: GuideShell):
    shell.run(GuideCommand(1, r"printf '\033[1mbold\033[0m \033[2K\n'", ("bold",)))


def test_failed_command_is_reported_with_its_line_and_last_output(shell: GuideShell):
    with pytest.raises(RehearsalError) as raised:
        shell.run(GuideCommand(7, "echo why >&2 \\\n; (exit 3)"))
    assert str(raised.value).startswith("operations.md:7: echo why >&2 \\: bash exited with 3: why (log: ")
    assert "\n" not in str(raised.value)


def test_missing_output_is_reported_with_the_line_of_its_command(shell: GuideShell):
    with pytest.raises(RehearsalError) as raised:
        shell.run(GuideCommand(7, "echo one", ("two",)))
    assert str(raised.value) == f"operations.md:7: echo one: did not print: two (log: {shell.log})"


def test_missing_program_is_reported(shell: GuideShell):
    with pytest.raises(RehearsalError, match=r"operations\.md:7: aws-x sts .*aws-x: command not found"):
        shell.run(GuideCommand(7, "aws-x sts get-caller-identity"))


def test_guide_shell_has_a_profile_and_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copied: list[tuple[Path, tuple[str, ...]]] = []
    monkeypatch.setattr(module, "copy_project", lambda checkout, *shared: copied.append((checkout, shared)))
    environment = {
        "AWS_REGION": "us-west-1",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    monkeypatch.setattr(module, "environment", lambda: {"PATH": "/bin", "ENV": "prod", "TF_IN_AUTOMATION": "1"})
    rehearsal = SimpleNamespace(
        settings=SimpleNamespace(company="acme", name="dev"),
        deployment=SimpleNamespace(folder=tmp_path),
        aws=SimpleNamespace(environment=environment),
    )
    shell = GuideShell.of(cast(Any, rehearsal))
    assert copied == [(tmp_path / "checkout", (".cache", ".venv", "node_modules"))]
    # Not in the environment of the guide: ENV, and credentials without a profile.
    assert not {"ENV", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TF_IN_AUTOMATION"} & {
        *shell.variables
    }
    assert shell.variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert Path(shell.variables["AWS_CONFIG_FILE"]).read_text() == (
        "[profile acme-dev]\nregion = us-west-1\naws_access_key_id = AKIA\naws_secret_access_key = x\n"
    )


RunGuide = Callable[..., Any]


@pytest.fixture
def run_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunGuide:
    """Runs the command for a guide's text, optionally with calls that are not taken."""
    problems: list[str] = []

    @contextmanager
    def _rehearsal(environment: str, subfolder: str) -> Any:
        assert (environment, subfolder) == ("dev", "guide")
        console = SimpleNamespace(print=lambda text, end="\n", **_: print(text, end=end))
        try:
            (settings,) = load_environments(REFERENCE, only=environment)
            aws = SimpleNamespace(gateway=SimpleNamespace(problems=problems))
            yield SimpleNamespace(console=console, settings=settings, aws=aws)
        except RehearsalError as error:
            raise SystemExit(str(error)) from error

    def follow(text: str, *calls: str) -> Any:
        problems.extend(calls)
        (tmp_path / "operations.md").write_text(text)
        return CliRunner().invoke(app, ["rehearse-guide"])

    shell = GuideShell(tmp_path, {"PATH": "/usr/bin:/bin"}, tmp_path / "guide.log")
    shell.checkout.mkdir()
    monkeypatch.setattr(scenarios, "PAGE", tmp_path / "operations.md")
    monkeypatch.setattr(scenarios, "_rehearsal", _rehearsal)
    monkeypatch.setattr(GuideShell, "of", lambda _: shell)
    return follow


IN_DEV = "$ export AWS_PROFILE=acme-dev"


def test_commands_are_printed_with_duration_or_skip_reason(run_guide: RunGuide):
    result = run_guide(block(IN_DEV, "$ echo x", "x") + block("$ false", before="**Needs AWS:** time."))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "[bold]operations.md:4[/] export AWS_PROFILE=acme-dev (0 s)",
        "[bold]operations.md:5[/] echo x (0 s)",
        "[bold]operations.md:11[/] false skipped: Needs AWS: time.",
    ]


def test_first_failed_command_stops_the_guide(run_guide: RunGuide):
    result = run_guide(block(IN_DEV, "$ echo x", "y", "$ touch after"))
    assert result.exit_code == 1
    assert "operations.md:5: echo x: did not print: y" in str(result.exception)
    assert "after" not in result.stdout


def test_invalid_guide_is_reported_before_anything_starts(run_guide: RunGuide):
    result = run_guide(block(IN_DEV) + "```sh\nls\n```\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "operations.md:6: ```sh: allowed: a console block, not indented\n"


def test_unsupported_call_fails_the_rehearsal(run_guide: RunGuide):
    result = run_guide(block(IN_DEV), "AWS does not take it")
    assert result.exit_code == 1
    assert str(result.exception) == "AWS does not take it"
