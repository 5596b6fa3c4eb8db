"""review: which plans it accepts, what the comment contains, and that no text in a plan can forge it."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from typer.testing import CliRunner, Result

from operations.__main__ import app
from operations.review import documents as module
from operations.review.comment import LIMIT, comment
from operations.review.findings import review as review_plan
from operations.review.plan import read_plans
from operations.review.rules import Level
from tests.commands.plans import CREATE, DELETE, REPLACE, STANDING, UPDATE, change, plan, write

SECRET = "hunter2-and-more"
DATABASE = change("aws_rds_cluster", DELETE, {"id": "a"}, None)
EXPOSING = change("aws_db_instance", UPDATE, {"publicly_accessible": False}, {"publicly_accessible": True})
HARMLESS = change("aws_sns_topic", UPDATE, {"display_name": "a"}, {"display_name": "b"})


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["review", *map(str, arguments)])


def reviewed(folder: Path, *changes: dict[str, Any], **more: Any) -> str:
    result = run(write(folder, plan(*changes, **more)))
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(folder: Path, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return json.loads(run(write(folder, plan(*changes, **more)), "--json").stdout)


def rows(comment: str) -> list[list[str]]:
    """Rows of the table of findings."""
    lines = [
        line for line in comment.splitlines() if re.match(r"\| (data loss|downtime|exposure|rotation|capacity)", line)
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


# Content.


def test_the_first_line_is_the_verdict_and_the_worst_finding_comes_first(tmp_path: Path):
    output = reviewed(tmp_path, HARMLESS, EXPOSING, DATABASE)
    assert output.splitlines()[0] == "### Data is at stake: 1 data loss, 1 exposure, 1 other"
    assert [row[0] for row in rows(output)] == ["data loss", "exposure"]
    assert "| `network` | 0 | 2 | 0 | 1 | data loss |" in output
    assert "<details><summary>All other changes (1)</summary>\n\n- `network`: `update` `aws_sns_topic.it`" in output


def test_a_row_has_the_old_and_the_new_value(tmp_path: Path):
    assert rows(reviewed(tmp_path, EXPOSING)) == [
        [
            "exposure",
            "`network`",
            "`aws_db_instance.it`",
            "`publicly_accessible`: can be reached from the internet",
            "`false -> true`",
        ]
    ]


def test_a_plan_without_changes_says_so(tmp_path: Path):
    assert reviewed(tmp_path).startswith("### No changes\n")
    assert as_json(tmp_path)["verdict"] is None


def test_the_reason_of_a_replacement_is_shown(tmp_path: Path):
    output = reviewed(
        tmp_path,
        change(
            "aws_nat_gateway",
            REPLACE,
            {"subnet_id": "a"},
            {"subnet_id": "b"},
            replace_paths=[["subnet_id"], ["tags", 0]],
            action_reason="replace_because_cannot_update",
        ),
    )
    assert rows(output)[0][-1] == "`because of subnet_id, tags.0`<br>`it cannot be changed in place`"


def test_several_plans_make_one_comment_with_one_row_per_stack(tmp_path: Path):
    files = [write(tmp_path, plan(each), f"{name}.json") for name, each in (("a", HARMLESS), ("b", DATABASE))]
    output = run(*files).stdout
    assert output.startswith("### Data is at stake: 1 data loss, 1 other\n")
    assert output.index("| `a` | 0 | 1 | 0 | 0 | other |") < output.index("| `b` | 0 | 0 | 0 | 1 | data loss |")


def tagged(**tags: str) -> dict[str, Any]:
    return {"provider_config": {"aws": {"expressions": {"default_tags": [{"tags": {"constant_value": tags}}]}}}}


@pytest.mark.parametrize(
    ("name", "configuration", "stack"),
    [
        ("vpc.plan.json", {}, "vpc"),
        ("plan.json", {}, "{folder}"),
        ("vpc.json", tagged(Environment="prod", Tier="network"), "prod-network"),
        ("vpc.json", tagged(Environment="prod"), "vpc"),
        ("vpc.json", [], "vpc"),
    ],
)
def test_a_stack_is_named_by_its_tags_its_file_or_its_folder(tmp_path: Path, name: str, configuration: Any, stack: str):
    (found,) = read_plans([write(tmp_path, plan(configuration=configuration), name)])
    assert found.stack == stack.format(folder=tmp_path.name)


def test_two_stacks_with_the_same_name_are_distinguished_by_file(tmp_path: Path):
    files = [write(folder, plan()) for name in ("a", "b") if not (folder := tmp_path / name).mkdir()]
    assert [found.stack for found in read_plans(files)] == [f"network ({file})" for file in files]


def test_imported_moved_forgotten_and_deposed_resources_are_counted_and_named(tmp_path: Path):
    same = {"display_name": "a"}
    output = as_json(
        tmp_path,
        change("aws_sns_topic", ["no-op"], same, same, importing={"id": "x"}, address="aws_sns_topic.imported"),
        change(
            "aws_sns_topic", ["no-op"], same, same, previous_address="aws_sns_topic.old", address="aws_sns_topic.new"
        ),
        change("aws_sns_topic", UPDATE, same, {}, previous_address="a.b", importing={}, address="aws_sns_topic.both"),
        change("aws_nat_gateway", ["forget"], same, None),
        change("aws_nat_gateway", DELETE, same, None, deposed="0123abcd"),
    )
    (stack,) = output["stacks"]
    assert stack["counts"] == {"import": 2, "move": 2, "update": 1, "forget": 1, "delete": 1}
    assert [(entry["address"], entry["action"]) for entry in stack["other"]] == [
        ("aws_sns_topic.imported", "import"),
        ("aws_sns_topic.new", "move from aws_sns_topic.old"),
        ("aws_sns_topic.both", "update, moved, imported"),
    ]
    assert [finding["address"] for finding in output["findings"]] == [
        "aws_nat_gateway.it (deposed 0123abcd)",
        "aws_nat_gateway.it",
    ]


def test_a_resource_with_skip_destroy_is_forgotten_not_lost(tmp_path: Path):
    kept = change("aws_cloudwatch_log_group", DELETE, {"skip_destroy": True}, None)
    recreated = change("aws_cloudwatch_log_group", REPLACE, {"skip_destroy": True}, {"skip_destroy": True})
    assert [finding["level"] for finding in as_json(tmp_path, kept, recreated)["findings"]] == ["capacity"]


def test_data_that_was_deleted_outside_terraform_is_reported(tmp_path: Path):
    recreated = change("aws_ecr_repository", CREATE, None, {"name": "a"})
    deleted = change("aws_ecr_repository", DELETE, {"name": "a"}, None)
    (finding,) = as_json(tmp_path, recreated, resource_drift=[deleted])["findings"]
    assert (finding["level"], finding["what"]) == (
        "data-loss",
        "was deleted outside Terraform: its replacement is empty",
    )
    deleted = change("aws_sns_topic", DELETE, {"name": "a"}, None)
    assert as_json(tmp_path, change("aws_sns_topic", CREATE, None, {}), resource_drift=[deleted])["verdict"] == "other"


def test_drift_is_listed_unless_both_sides_are_unset(tmp_path: Path):
    drift = [
        change("aws_sns_topic", UPDATE, {"name": "a", "tags": None}, {"name": "b", "tags": {}}),
        change("aws_vpc", UPDATE, {"tags": None}, {"tags": {}}),
    ]
    output = reviewed(tmp_path, resource_drift=drift)
    assert "Drift (1)</summary>\n\n- `network`: `update` `aws_sns_topic.it`: `name`" in output
    assert "aws_vpc" not in output


def test_outputs_deferred_changes_and_failed_checks_are_listed(tmp_path: Path):
    output = reviewed(
        tmp_path,
        output_changes={"endpoint": {"actions": ["delete"]}, "same": {"actions": ["no-op"]}},
        deferred_changes=[{"reason": "resource_config_unknown", "resource_change": DATABASE}],
        checks=[
            {"address": {"to_display": "check.health"}, "status": "fail"},
            {"address": {"to_display": "check.other"}, "status": "pass"},
        ],
        complete=False,
    )
    assert output.splitlines()[0] == "### Data is at stake: 1 data loss, 1 other; 1 failed check"
    assert "- `network`: `destroy endpoint`" in output
    assert "- `network`: `aws_rds_cluster.it: resource_config_unknown`" in output
    assert "- `network`: `check.health`" in output
    assert "data loss; another plan is required |" in output
    assert "check.other" not in output
    assert " same`" not in output


def test_data_sources_are_not_changes(tmp_path: Path):
    assert as_json(tmp_path, change("aws_vpc", ["read"], None, {}, mode="data"))["verdict"] is None


def test_rows_of_one_level_start_with_deletions(tmp_path: Path):
    changes = [
        change("aws_rds_cluster", UPDATE, {"skip_final_snapshot": False}, {"skip_final_snapshot": True}, address="a.a"),
        change("aws_rds_cluster", REPLACE, {}, {}, address="a.b"),
        change("aws_rds_cluster", DELETE, {}, None, address="a.c"),
    ]
    assert [finding["address"] for finding in as_json(tmp_path, *changes)["findings"]] == ["a.c", "a.b", "a.a"]


# Gates.


@pytest.mark.parametrize(
    ("changes", "level", "code"),
    [
        ([DATABASE], "data-loss", 3),
        ([DATABASE], "downtime", 3),
        ([EXPOSING], "downtime", 0),
        ([EXPOSING], "exposure", 3),
        ([HARMLESS], "capacity", 0),
        ([HARMLESS], "other", 3),
        ([], "other", 0),
    ],
)
def test_a_gate_exits_with_3_at_its_level_or_worse(tmp_path: Path, changes: list[Any], level: str, code: int):
    file = write(tmp_path, plan(*changes))
    assert run(file).exit_code == 0
    for options in ((), ("--json",)):
        assert run(file, "--fail-on", level, *options).exit_code == code


def test_an_incomplete_plan_passes_no_gate(tmp_path: Path):
    result = run(write(tmp_path, plan(errored=True, complete=False)), "--fail-on", "data-loss")
    assert result.exit_code == 3
    assert result.stdout.startswith("### Incomplete plan (`network`). No changes to resources\n")
    assert "incomplete plan |" in result.stdout


def test_an_unknown_level_is_a_usage_error(tmp_path: Path):
    assert run(write(tmp_path, plan()), "--fail-on", "boredom").exit_code == 2
    assert run().exit_code == 2


def test_json_has_everything_that_a_comment_omits(tmp_path: Path):
    output = as_json(tmp_path, *(change("aws_rds_cluster", DELETE, {}, None, address=f"a.c{n}") for n in range(600)))
    assert len(output["findings"]) == 600
    assert output["verdict"] == "data-loss"


# Invalid plans.

PLAN = json.dumps(plan(HARMLESS))
INVALID = "not a valid plan"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty; allowed: the output of `terraform show -json PLANFILE`"),
        ("hello", "not JSON (Expecting value"),
        (PLAN[:-20], "truncated after "),
        (PLAN[: PLAN.index("display") + 3], "truncated after "),
        ("[]", "not a plan: JSON, but not an object"),
        ("{}", "not a plan but other JSON, without a format_version"),
        ('{"format_version": "2.0", "resource_changes": []}', 'format_version "2.0": allowed: 1.x'),
        ('{"format_version": 1, "resource_changes": []}', "format_version 1: allowed: 1.x"),
        ('{"format_version": "0.1", "resource_changes": []}', 'format_version "0.1": allowed: 1.x'),
        (
            '{"format_version": "1.0", "terraform_version": "1.11.4", "values": {}}',
            "not a plan but a state, the output of ",
        ),
        ('{"format_version": "1.0"}', "not a plan but a state, the output of "),
        ('{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x"}', "not a plan but a state file"),
        (
            '{"format_version": "1.0", "valid": true, "diagnostics": []}',
            "not a plan but the output of `terraform validate -json`",
        ),
        ('{"format_version": "1.0", "provider_schemas": {}}', "not a plan but provider schemas"),
        ('{"@level":"info","@message":"x"}', "not a plan but the output of `terraform plan -json`"),
        ('{"@level":"info","@message":"x"}\n{"@level":"info"}', "not a plan but the output of `terraform plan -json`"),
        ("PK\x03\x04binary", "a binary plan file"),
        ("[" * 20_000, "nested too deeply for a plan"),
        (f'{{"format_version": {"9" * 5000}}}', "JSON that cannot be parsed: Exceeds the limit"),
        ("\x17random\n{\n", "not JSON (Expecting value"),
        (f"warning\n{PLAN[:-20]}", "not JSON (Expecting "),
        (f"[{PLAN}, 1]", "not a plan: JSON, but not an object"),
        (f"{PLAN}\n{PLAN[:-20]}", "truncated after "),
        ('{"format_version": "1.0", "resource_changes": 1}', f'{INVALID}: "resource_changes": '),
        ('{"format_version": "1.0", "resource_changes": [], "errored": []}', f'{INVALID}: "errored": '),
    ],
)
def test_an_invalid_plan_is_refused_in_one_line(tmp_path: Path, content: str, message: str):
    result = run(file := write(tmp_path, content))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{file}: {message}"), result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unreadable_file_is_refused_in_one_line(tmp_path: Path):
    assert run(tmp_path).stderr == f"{tmp_path}: cannot be read: Is a directory\n"
    assert run(tmp_path / "no.json").stderr == f"{tmp_path / 'no.json'}: cannot be read: No such file or directory\n"
    (tmp_path / "latin.json").write_bytes('{"format_version": "é"}'.encode("latin-1"))
    assert "not JSON: invalid continuation byte at byte 20" in run(tmp_path / "latin.json").stderr


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with (tmp_path / "huge.json").open("wb") as huge:
        os.truncate(huge.fileno(), module.MAX_BYTES + 1)
    assert run(tmp_path / "huge.json").stderr.endswith("huge.json: too large; allowed: up to 128 MiB\n")
    monkeypatch.setattr(module, "MAX_BYTES", len(PLAN))
    assert run(write(tmp_path, PLAN)).exit_code == 0


def test_a_newer_minor_version_with_unknown_fields_is_read(tmp_path: Path):
    assert as_json(tmp_path, DATABASE, format_version="1.99", new={"a": 1})["verdict"] == "data-loss"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_output_of_windows_powershell_is_read(tmp_path: Path, encoding: str):
    file = tmp_path / "plan.json"
    file.write_bytes(PLAN.encode(encoding))
    assert run(file).exit_code == 0


def test_deeply_nested_values_are_reviewed_or_refused(tmp_path: Path):
    for depth in (100, 450, 900):
        value = json.loads("[" * depth + "]" * depth)
        result = run(write(tmp_path, plan(change("a_b", UPDATE, {"a": 1}, {"a": value}))))
        assert result.exit_code == 0 or result.stderr.strip().endswith("nested too deeply for a plan")


# Secrets.


SENSITIVE: list[dict[str, Any]] = [
    change(
        "aws_db_instance",
        UPDATE,
        {"instance_class": "a"},
        {"instance_class": SECRET},
        after_sensitive={"instance_class": True},
    ),
    change(
        "aws_db_instance",
        UPDATE,
        {"instance_class": SECRET},
        {"instance_class": "b"},
        before_sensitive={"instance_class": True},
    ),
    change("aws_db_instance", UPDATE, {"instance_class": SECRET}, {"instance_class": "b"}, before_sensitive=True),
    change(
        "aws_lb",
        UPDATE,
        {"security_groups": ["a", SECRET]},
        {"security_groups": ["b"]},
        before_sensitive={"security_groups": [False, True]},
    ),
    change(
        "aws_lb_listener",
        UPDATE,
        {"default_action": [{"target_group_arn": SECRET}]},
        {"default_action": [{"target_group_arn": "b"}]},
        before_sensitive={"default_action": [{"target_group_arn": True}]},
    ),
    change(
        "aws_iam_role_policy",
        UPDATE,
        {"policy": '{"Statement": []}'},
        {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": SECRET}]})},
        after_sensitive={"policy": True},
    ),
    change(
        "aws_vpc_security_group_ingress_rule",
        UPDATE,
        {"cidr_ipv4": "10.0.0.0/8"},
        {"cidr_ipv4": SECRET},
        after_sensitive={"cidr_ipv4": True},
    ),
    change(
        "aws_secretsmanager_secret_version",
        UPDATE,
        {"secret_string": SECRET},
        {"secret_string": f"{SECRET}2"},
        before_sensitive={"secret_string": True},
        after_sensitive={"secret_string": True},
    ),
    change("aws_lambda_function", UPDATE, {"environment": [{"variables": {"A": SECRET}}]}, {"environment": []}),
    change(
        "aws_db_instance",
        REPLACE,
        {"password": SECRET},
        {"password": f"{SECRET}3"},
        before_sensitive={"password": True},
        after_sensitive={"password": True},
        replace_paths=[["password"]],
    ),
    change(
        "aws_ecs_task_definition",
        UPDATE,
        {"container_definitions": json.dumps([{"name": "a", "privileged": False}])},
        {"container_definitions": json.dumps([{"name": "a", "privileged": SECRET}])},
        after_sensitive={"container_definitions": True},
    ),
]


@pytest.mark.parametrize("number", range(len(SENSITIVE)))
def test_no_sensitive_value_is_shown(tmp_path: Path, number: int):
    file = write(tmp_path, plan(SENSITIVE[number], resource_drift=[SENSITIVE[number]]))
    for options in ((), ("--json",)):
        result = run(file, *options)
        assert result.exit_code == 0
        assert SECRET not in result.output


@pytest.mark.parametrize("value", [True, False])
def test_sensitive_values_are_not_compared(tmp_path: Path, value: bool):
    output = reviewed(
        tmp_path,
        change(
            "aws_rds_cluster",
            UPDATE,
            {"deletion_protection": value},
            {"deletion_protection": not value},
            after_sensitive={"deletion_protection": True},
        ),
    )
    (row,) = rows(output)
    assert row[3] == "`deletion_protection`: changes; the values are sensitive, so the review does not compare them"
    assert "true" not in output
    assert "false" not in output


def test_values_known_only_after_apply_are_reported_as_such(tmp_path: Path):
    output = as_json(
        tmp_path,
        change("aws_db_instance", UPDATE, {"instance_class": "a"}, {}, after_unknown={"instance_class": True}),
        change("aws_db_instance", REPLACE, {"instance_class": "a"}, {}, after_unknown={"instance_class": True}),
        change(
            "aws_lb",
            UPDATE,
            {"security_groups": ["a"]},
            {"security_groups": ["a", None]},
            after_unknown={"security_groups": [False, True]},
        ),
    )
    later = "known only after apply, so the review cannot compare it"
    assert [(finding["what"], finding["details"]) for finding in output["findings"] if finding["argument"]] == [
        (later, ["a -> (known after apply)"]),
        (later, ["[] -> [null]"]),
    ]


# Hostile input.

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = (
    "@everyone",
    "a|b",
    "`code`",
    "``",
    "\\|",
    "a\\",
    "<img src=x onerror=1>",
    "</details>",
    "[x](http://evil.example)",
    "![x](http://evil.example)",
    "http://evil.example",
    "\n\n# heading\n",
    "\r\n| a | b |",
    "*x* _y_ ~z~",
    "&lt;",
    "<!--",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    " ",
    "",
    "```\n",
    "#1",
    "x" * 5000,
    "🦀" * 400,
    "$\\frac{1}{2}$",
)


def hostile(text: str) -> dict[str, Any]:
    """A plan with a text in every place that can have one."""
    deferred = {"reason": text, "resource_change": change(text, [text], {text: 1}, {text: 2}, address=text)}
    return plan(
        change(
            "aws_rds_cluster",
            REPLACE,
            {text: 1},
            {text: 2},
            address=f'aws_rds_cluster.it["{text}"]',
            replace_paths=[[text]],
            action_reason=text,
            deposed=text,
        ),
        change(
            "aws_rds_cluster", UPDATE, {"port": text}, {"port": f"{text}2"}, address=f"a.{text}", previous_address=text
        ),
        change("aws_sns_topic", UPDATE, {text: text}, {text: f"{text}2"}, address=text),
        change("aws_wafv2_web_acl", UPDATE, {"rule": [{"name": text, "a": 1}]}, {"rule": [{"name": text, "a": 2}]}),
        change(
            "aws_iam_policy",
            UPDATE,
            {},
            {
                "policy": json.dumps(
                    {
                        "Statement": [
                            {
                                "Action": text,
                                "Resource": [text],
                                "Principal": {text: text},
                                "Condition": {text: {text: text}},
                            },
                            text,
                        ]
                    }
                )
            },
        ),
        change("aws_vpc_security_group_ingress_rule", CREATE, None, {"cidr_ipv4": text, "ip_protocol": text}),
        resource_drift=[change("a_b", UPDATE, {text: 1}, {text: 2}, address=text)],
        deferred_changes=[deferred],
        output_changes={text: {"actions": [text]}},
        checks=[{"address": {"to_display": text}, "status": "fail"}],
        configuration=tagged(Environment=text, Tier=text),
    )


def shape(comment: str) -> list[tuple[str, int]]:
    """Markdown structure of a comment. Fails if text from a plan is outside of code spans."""
    found: list[tuple[str, int]] = []
    for token in MARKDOWN.parse(comment):
        if token.type == "inline":
            for child in token.children or []:
                assert child.type in {"text", "code_inline", "html_inline", "softbreak"}, (child.type, child.content)
                assert child.type != "html_inline" or child.content == "<br>"
                if child.type == "text":
                    assert re.fullmatch(r"[\w ,.:;'()/-]*", child.content), child.content
        else:
            assert token.type != "html_block" or re.fullmatch(
                r"<details><summary>[\w ']+ \(\d+\)</summary>|</details>", token.content.strip()
            )
            found.append((token.type, token.level))
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_not_markup(tmp_path: Path, text: str):
    result = run(write(tmp_path, hostile(text)))
    assert result.exit_code == 0, result.output
    shape(result.stdout)
    assert json.loads(run(write(tmp_path, hostile(text)), "--json").stdout)["verdict"] == "data-loss"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40))
def test_arbitrary_text_is_not_markup(tmp_path: Path, text: str):
    (found,) = read_plans([write(tmp_path, hostile(text))])
    shape(comment([review_plan(found)]))


PARTS = ("bucket", "name", "rule", "expiration", "days", "status", "access", "members", "policy_arn")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*PARTS, "policy", "ingress", "Statement", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)
BUCKET = "aws_s3_bucket_lifecycle_configuration"
TYPES = ("aws_rds_cluster", "aws_network_acl", "aws_security_group", "aws_iam_role", "aws_wafv2_web_acl", "a", BUCKET)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    type_=st.sampled_from(TYPES),
    actions=st.sampled_from([UPDATE, CREATE, DELETE, REPLACE]),
    sides=st.tuples(*[JSON] * 5),
)
def test_any_value_can_be_reviewed(tmp_path: Path, type_: str, actions: list[str], sides: tuple[Any, ...]):
    before, after, unknown, *sensitive = sides
    marks = dict(zip(("before_sensitive", "after_sensitive"), sensitive, strict=True))
    one = change(type_, actions, before, after, after_unknown=unknown, **marks)
    (found,) = read_plans([write(tmp_path, plan(one, resource_drift=[one]))])
    shape(comment([review_plan(found)]))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.fixed_dictionaries(
        {"format_version": st.just("1.2"), "resource_changes": JSON},
        optional={
            "resource_drift": JSON,
            "deferred_changes": JSON,
            "output_changes": JSON,
            "checks": JSON,
            "errored": JSON,
            "configuration": JSON,
        },
    )
)
def test_any_document_is_reviewed_or_refused(tmp_path: Path, document: dict[str, Any]):
    result = run(write(tmp_path, document))
    if result.exit_code:
        assert result.stderr.count("\n") == 1
    else:
        shape(result.stdout)


@pytest.mark.parametrize("letter", ["a", "🦀", "|"])
def test_a_comment_fits_the_limit_and_counts_what_it_omits(tmp_path: Path, letter: str):
    long = letter * 300
    many = [
        change(type_, actions, {long + "a": 1}, {long + "a": 2}, address=f"{long}{n}", previous_address=long)
        for n in range(30)
        for type_, actions in (("aws_rds_cluster", DELETE), ("aws_nat_gateway", DELETE), ("aws_sns_topic", UPDATE))
    ]
    document = plan(
        *many,
        resource_drift=many,
        output_changes={f"{long}{n}": {"actions": ["create"]} for n in range(30)},
        deferred_changes=[{"reason": long, "resource_change": each} for each in many],
        checks=[{"address": {"to_display": f"{long}{n}"}, "status": "fail"} for n in range(30)],
        errored=True,
    )
    files = [write(tmp_path, document, f"{letter}{'b' * 80}{n}.json") for n in range(3)]
    reviews = [review_plan(found) for found in read_plans(files)]
    output = comment([replace(review, stack=f"{review.stack}{n}") for n in range(20) for review in reviews])
    assert len(output.encode()) < LIMIT
    assert output.startswith("### Incomplete plan (")
    omitted = re.search(r"characters: (\d+) \((\d+) data loss, (\d+) downtime\)", output)
    assert omitted, output[-3000:]
    assert int(omitted[1]) == int(omitted[2]) + int(omitted[3])
    shown = sum(line.startswith(("| data loss |", "| downtime |")) for line in output.splitlines())
    assert shown > 40
    assert shown + int(omitted[1]) == 20 * sum(len(review.findings) for review in reviews)
    assert "Omitted because of GitHub's limit of 65,536 characters: " in output
    shape(output)


def test_the_tests_plan_is_valid(tmp_path: Path):
    found = read_plans([write(tmp_path, plan())])[0].plan
    assert [each.address for each in found.changes] == [STANDING["address"]]
    assert not found.is_first
    assert list(Level) == sorted(Level, key=lambda level: level.rank)


def test_another_ttl_of_a_dns_record_is_no_downtime(tmp_path: Path):
    record = change("aws_route53_record", UPDATE, {"ttl": 300, "records": ["a"]}, {"ttl": 60, "records": ["a"]})
    assert reviewed(tmp_path, record).startswith("### Nothing significant: 1 other\n")
