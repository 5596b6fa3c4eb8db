"""review: reads the whole plan, whatever surrounds it, and names what it does not understand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.commands.plans import DELETE, UPDATE, change, plan, write
from tests.commands.test_review import DATABASE, HARMLESS, as_json, reviewed, run

PLAN = json.dumps(plan(DATABASE))
INDENTED = json.dumps(plan(DATABASE), indent=2)
SORTED = json.dumps(plan(DATABASE), indent=2, sort_keys=True)
WITHOUT_CHANGES = json.dumps(plan())
STATE = json.dumps({"format_version": "1.0", "terraform_version": "1.11.4", "values": {}})

# Text around the JSON, number of plans.
AMONG_OTHER_OUTPUT = {
    "wrapper of setup-terraform": (f"[command]/home/runner/terraform-bin show -json x\n{PLAN}\n", 1),
    "workflow commands after it": (f"{PLAN}%0A\n::debug::stdout: {PLAN}\n::set-output name=exitcode::0\n", 1),
    "workflow commands before it": (f"::debug::stdout: {PLAN}\n{INDENTED}", 1),
    "a warning before": (f"\n│ Warning: Deprecated attribute\n│\n│   {{\n{{\n{INDENTED}", 1),
    "a log's prefix": (f"10:00:00.000 STDOUT [vpc] terraform: {PLAN}\n10:00:01.000 STDOUT [dns] terraform: {PLAN}", 2),
    "a byte order mark and a warning": (f"\ufeffwarning\n{PLAN}", 1),
    "one after the other": (f"{PLAN}\n{INDENTED}\n{SORTED}", 3),
    "one after the other on a line": (f"{PLAN}{PLAN} {PLAN}", 3),
    "an array": (f"[{PLAN}, {PLAN}]", 2),
    "log lines around it": (f'{{"@level": "info", "@message": "x"}}\n{PLAN}', 1),
}


@pytest.mark.parametrize("name", AMONG_OTHER_OUTPUT)
def test_plans_among_other_output_are_read(tmp_path: Path, name: str):
    text, number = AMONG_OTHER_OUTPUT[name]
    document = json.loads(run(write(tmp_path, text), "--json").stdout)
    assert [finding["level"] for finding in document["findings"]] == ["data-loss"] * number
    assert document["plans_complete"]
    assert len({stack["stack"] for stack in document["stacks"]}) == number


def test_lines_beside_the_json_are_counted_and_not_shown(tmp_path: Path):
    result = run(write(tmp_path, f"hunter2\n{WITHOUT_CHANGES}\nhunter2\n"), "--fail-on", "other")
    assert (result.exit_code, "hunter2" in result.output) == (0, False)
    assert result.stdout.startswith("### No changes to resources\n")
    assert "Not understood (1)</summary>\n\n- `network`: `lines beside the JSON: 2`" in result.stdout


@pytest.mark.parametrize(
    ("beside", "named"),
    [
        ('{"@level": "error", "@message": "Error: no state"}', "an error is reported beside the plan"),
        ("│ Error: Unsupported attribute", "an error is reported beside the plan"),
        ("10:00:00 [dns] Error: no state", "an error is reported beside the plan"),
        ("\x1b[31m│\x1b[0m \x1b[1m\x1b[31mError: \x1b[0mno state", "an error is reported beside the plan"),
        (SORTED[:-5].replace("\n", " "), "part of another plan, which cannot be read"),
        (re.sub("^", "10:00:00 ", SORTED, flags=re.MULTILINE), "part of another plan, which cannot be read"),
        ('{"resource_changes": []}', "part of another plan, which cannot be read"),
        (STATE, "document 2 is not a plan but a state, the output of"),
    ],
)
def test_what_may_stand_for_the_plan_of_another_stack_passes_no_gate(tmp_path: Path, beside: str, named: str):
    result = run(write(tmp_path, f"{WITHOUT_CHANGES}\n{beside}\n"), "--fail-on", "data-loss")
    assert result.exit_code == 3
    assert result.stdout.startswith("### Plan not fully understood (`network`). No changes to resources\n")
    assert f"- `network`: `{named}" in result.stdout


def test_a_plan_without_a_version_in_an_array_passes_no_gate(tmp_path: Path):
    without_version = {"resource_changes": [DATABASE]}
    result = run(write(tmp_path, json.dumps([plan(), without_version])), "--fail-on", "data-loss")
    assert result.exit_code == 3
    assert "part of another plan, which cannot be read" in result.stdout


DELETED = change("aws_rds_cluster", DELETE, {}, None)
INVALID_ENTRIES: list[tuple[str, Any, str]] = [
    (
        "resource_changes",
        [{**DELETED, "mode": "spectral", "address": "a.b"}],
        '"resource_changes/a.b/mode": Input',
    ),
    ("resource_changes", [{"address": 1}, None, DELETED], '"resource_changes/2/address": Input should be a'),
    ("resource_changes", [{"address": "a.b", "change": {"actions": "delete"}}], '"resource_changes/a.b/change/act'),
    ("resource_drift", [{"change": {"actions": ["update"]}}], '"resource_drift/0/address": Field required'),
    ("deferred_changes", [{"reason": "absent_prereq"}], '"deferred_changes/0/resource_change": Field required'),
    ("output_changes", {"a": 1}, '"output_changes/a": Input should be'),
    ("checks", ["x"], '"checks/0": Input should be'),
    ("condition_results", [{"result": False}], '"condition_results/0/address": Field required'),
    ("action_invocations", [{"type": "aws_lambda_invoke"}], '"action_invocations/0/address": Field required'),
    ("deferred_action_invocations", [{}], '"deferred_action_invocations/0/action_invocation": Field required'),
]


@pytest.mark.parametrize(("part", "entries", "named"), INVALID_ENTRIES)
def test_an_invalid_entry_is_named_and_hides_nothing(tmp_path: Path, part: str, entries: Any, named: str):
    document = plan(DATABASE)
    document[part] = [*document[part], *entries] if part == "resource_changes" else entries
    output = run(write(tmp_path, document)).stdout
    assert output.startswith("### Plan not fully understood (`network`). Data is at stake: ")
    assert "`aws_rds_cluster.it`" in output
    assert f"- `network`: `{named}" in output
    without = {**document, "resource_changes": [entry for entry in document["resource_changes"] if entry != DATABASE]}
    assert run(write(tmp_path, without), "--fail-on", "data-loss").exit_code == 3


def test_parts_that_later_versions_add_are_named(tmp_path: Path):
    document = plan(format_version="1.9", surprises=[1], empty=[], checks=None, applyable=False)
    output = run(write(tmp_path, document), "--fail-on", "other")
    assert output.exit_code == 0
    assert output.stdout.startswith("### No changes to resources\n")
    assert "Not understood (1)</summary>\n\n- `network`: `surprises: unknown to this review`" in output.stdout


def test_ephemeral_resources_of_opentofu_are_no_changes(tmp_path: Path):
    ephemeral = change("aws_secretsmanager_secret_version", ["open"], mode="ephemeral", address="ephemeral.a.b")
    assert reviewed(tmp_path, ephemeral).startswith("### No changes\n")
    assert as_json(tmp_path, ephemeral, DATABASE)["summary"] == "Data is at stake: 1 data loss"


def invocation(type_: str, **trigger: Any) -> dict[str, Any]:
    return {
        "address": f"action.{type_}.it",
        "type": type_,
        "config_values": {"payload": "hunter2"},
        **({"lifecycle_action_trigger": trigger} if trigger else {"invoke_action_trigger": {}}),
    }


AFTER = {"triggering_resource_address": "aws_sns_topic.it", "action_trigger_event": "AfterUpdate"}


def test_actions_are_reported_without_their_configuration(tmp_path: Path):
    actions = [invocation("aws_lambda_invoke", **AFTER), invocation("aws_ec2_stop_instance")]
    deferred = [{"reason": "unknown", "action_invocation": invocation("x_purge_cache")}]
    document = plan(HARMLESS, action_invocations=actions, deferred_action_invocations=deferred)
    output = run(write(tmp_path, document)).stdout
    assert output.splitlines()[0] == "### Data is at stake: 1 data loss, 1 downtime, 2 other; 3 actions run"
    assert "| `network` | 0 | 1 | 0 | 0 | 3 | data loss |" in output
    for row in (
        "| `action.x_purge_cache.it` | deletes or overwrites what it acts on | `-invoke` |",
        "| `action.aws_ec2_stop_instance.it` | stops or restarts what it acts on | `-invoke` |",
        "| `action.aws_lambda_invoke.it` | runs an action: no plan shows its effect | `AfterUpdate aws_sns_topic.it` |",
    ):
        assert row in output
    assert "hunter2" not in output
    only_unknown = as_json(tmp_path, HARMLESS, action_invocations=actions[:1])
    assert only_unknown["summary"] == "No plan shows what actions do: 2 other; 1 action runs"


def test_failed_conditions_of_terraform_1_2_are_listed(tmp_path: Path):
    conditions = [
        {"address": "output.url", "condition_type": "OutputPrecondition", "result": False, "unknown": False},
        {"address": "output.later", "result": False, "unknown": True},
        {"address": "output.good", "result": True},
    ]
    output = reviewed(tmp_path, condition_results=conditions)
    assert output.startswith("### No changes to resources; 1 failed check\n")
    assert "Failed checks (1)</summary>\n\n- `network`: `output.url`" in output


@pytest.mark.parametrize(
    "more",
    [
        {"errored": True},
        {"complete": False},
        {"checks": [{"address": {"to_display": "check.a"}, "status": "error"}]},
        {"condition_results": [{"address": "output.a", "result": False}]},
        {"deferred_changes": [{"reason": "absent_prereq", "resource_change": change("a", ["read"], mode="data")}]},
        {"action_invocations": [invocation("aws_sns_publish")]},
        {"output_changes": {"a": {"actions": ["create"]}}},
        {"resource_changes": [{}]},
        {"resource_changes": [{**DELETED, "mode": "spectral"}]},
        {"resource_changes": [change("a", ["levitate"])]},
        {"surprises": {"a": 1}},
    ],
)
def test_nothing_but_a_plan_without_changes_has_no_changes(tmp_path: Path, more: dict[str, Any]):
    assert "No changes\n" not in reviewed(tmp_path, **more)
    assert "No changes" not in as_json(tmp_path, **more)["summary"].replace("No changes to resources", "")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text(max_size=40), after=st.text(max_size=40))
@example(before="{", after="}")
@example(before='{"format_version": "1.0",', after="")
def test_no_text_around_a_plan_hides_its_changes(tmp_path: Path, before: str, after: str):
    file = tmp_path / "network.json"
    file.write_bytes(f"{before}\n{PLAN}\n{after}".encode("utf-8", "surrogatepass"))
    result = run(file)
    assert result.exit_code == 1 or "Data is at stake" in result.stdout
    assert result.exit_code == 0 or result.stderr.count("\n") == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused_in_one_line(tmp_path: Path, content: bytes):
    file = tmp_path / "network.json"
    file.write_bytes(content)
    result = run(file)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_changes_by_import_are_read_whatever_identifies_the_resource(tmp_path: Path):
    unprotected = change(
        "aws_db_instance",
        UPDATE,
        {"deletion_protection": True},
        {"deletion_protection": False},
        importing={"identity": {"id": "shop"}, "unknown": False},
        generated_config="resource {}",
    )
    document = as_json(tmp_path, unprotected)
    assert (document["verdict"], document["stacks"][0]["counts"]) == ("data-loss", {"update": 1, "import": 1})


@pytest.mark.parametrize("around", ["{}", "warning\n{}"])
def test_a_member_that_hides_another_is_refused(tmp_path: Path, around: str):
    text = f'{PLAN[:-1]}, "resource_changes": []}}'
    result = run(write(tmp_path, around.format(text)))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("JSON that cannot be parsed: 'resource_changes' is there more than once\n")
