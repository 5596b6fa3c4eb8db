"""What was changed behind Terraform's back: told by name, without what nobody has done."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from operations import drift as module
from operations.drift import DriftedAttribute, changes_in, computed_arguments
from synthesized.platform import Stack
from tests.commands.conftest import Scene
from tests.states import state

FILLED = {"aws_security_group": ["arn", "egress", "ingress", "tags_all"], "aws_s3_bucket": ["arn", "policy"]}
# Terraform, which tells what lies beside the stack, and asks to be initialized before the first plan.
TERRAFORM = """
if [ "$1" = init ]; then touch initialized; echo "$TF_PLUGIN_CACHE_DIR" >cache; exit; fi
if [ -e broken ]; then echo "Error: no valid credential sources" >&2; exit 1; fi
if [ ! -e initialized ]; then echo "Error: Backend initialization required, please run 'terraform init'" >&2; exit 1; fi
case "$1" in
    plan) echo "$@" >planned ;;
    show) cat plan.json ;;
    providers) cat schema.json; echo asked >>asked ;;
esac
"""
SCHEMA = {
    "provider_schemas": {
        "registry.terraform.io/hashicorp/aws": {
            "resource_schemas": {
                "aws_sns_topic": {"block": {"attributes": {"arn": {"computed": True}, "name": {"optional": True}}}},
                "aws_nothing": {"block": {}},
            }
        }
    }
}


def stack(type_: str, body: Mapping[str, Any]) -> Stack:
    document = {"resource": {type_: {"ours": dict(body)}}}
    return Stack("dev-network", "network", Path(), document, ())


def drifted(type_: str, before: Mapping[str, Any], after: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "address": f"{type_}.ours",
        "mode": "managed",
        "type": type_,
        "name": "ours",
        "change": {"actions": ["update"], "before": {"id": "1", **before}, "after": after and {"id": "1", **after}},
    }


def told(
    type_: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any] | None,
    body: Mapping[str, Any] | None = None,
    made: Mapping[str, str] | None = None,
) -> list[tuple[str, tuple[str, ...]]]:
    """What is told of one resource: what was done, to which arguments; `made` is another resource of the stack."""
    others = [{"type": type_, "values": {by: "1"}} for type_, by in (made or {}).items()]
    plan = {
        "resource_drift": [drifted(type_, before, after)],
        "prior_state": {"values": {"root_module": {"resources": others}}},
    }
    changes = changes_in(stack(type_, body if body is not None else before), plan, FILLED)
    assert all(change.address == f"{type_}.ours" and change.tier == "network" for change in changes)
    return [(change.action, change.arguments) for change in changes]


def test_an_argument_that_the_stack_sets_is_named_without_its_value():
    assert told("aws_sns_topic", {"name": "a", "policy": "p"}, {"name": "a", "policy": "secret"}) == [
        ("changed", ("policy",))
    ]


def test_an_argument_that_the_stack_does_not_set_and_aws_does_not_fill_in_is_told():
    assert told("aws_sns_topic", {"layers": None}, {"layers": ["x"]}, body={}) == [("changed", ("layers",))]


def test_what_aws_fills_in_is_nobodys_change():
    assert told("aws_s3_bucket", {"arn": "", "policy": ""}, {"arn": "arn:x", "policy": "{}"}, body={}) == []


def test_what_aws_would_fill_in_and_the_stack_sets_is_told():
    assert told("aws_s3_bucket", {"policy": "{}"}, {"policy": ""}) == [("changed", ("policy",))]


def test_what_was_deleted_is_told():
    assert told("aws_sns_topic", {"name": "a"}, None) == [("deleted", ())]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, []),
        (None, ""),
        ([], {}),
        (["b", "a"], ["a", "b"]),
        ([{"a": 1, "b": None}], [{"a": 1, "b": 0}]),
        ([{"x": ["b", {"y": False}]}], [{"x": [{}, "b"]}]),
        ([{"protocol": "tcp"}], [{"protocol": "6"}]),
    ],
)
def test_what_is_only_said_in_another_way_is_no_change(before: object, after: object):
    assert told("aws_network_acl", {"ingress": before}, {"ingress": after}) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [(True, False), (5, 0), ("a", ""), ([{"a": 1}], [{"a": 2}]), ([{"protocol": "tcp"}], [{"protocol": "17"}])],
)
def test_what_became_another_or_nothing_is_a_change(before: object, after: object):
    assert told("aws_network_acl", {"ingress": before}, {"ingress": after}) == [("changed", ("ingress",))]


@pytest.mark.parametrize("ignored", [["size"], "all"])
def test_what_the_stack_leaves_to_others_is_no_change(ignored: object):
    body = {"size": 1, "lifecycle": {"ignore_changes": ignored}}
    assert told("aws_sns_topic", {"size": 1}, {"size": 7}, body=body) == []


def test_a_tag_of_the_whole_stack_is_told_as_a_tag():
    after = {"tags": {}, "tags_all": {"Owner": "me"}}
    assert told("aws_security_group", {"tags": None, "tags_all": {"Owner": "us"}}, after, body={}) == [
        ("changed", ("tags",))
    ]


RULE = {"cidr_blocks": ["10.0.0.0/8"], "security_groups": [], "self": False, "from_port": 443}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([RULE], []),
        ([{**RULE, "cidr_blocks": ["10.0.0.0/8", "0.0.0.0/0"]}], [("added to", ("ingress",))]),
        ([{**RULE, "self": True}], [("added to", ("ingress",))]),
        (
            [RULE, {**RULE, "from_port": 22, "cidr_blocks": [], "security_groups": ["sg-1"]}],
            [("added to", ("ingress",))],
        ),
    ],
)
def test_a_rule_beside_those_of_the_stack_is_told_though_no_plan_would_take_it_away(
    rules: list[dict[str, Any]], expected: list[Any]
):
    made = {"aws_vpc_security_group_ingress_rule": "security_group_id"}
    assert told("aws_security_group", {"ingress": []}, {"ingress": rules}, body={}, made=made) == expected


@pytest.mark.parametrize(
    ("type_", "argument", "by"),
    [
        ("aws_iam_role", "inline_policy", {"aws_iam_role_policy": "role"}),
        ("aws_iam_role", "managed_policy_arns", {"aws_iam_role_policy_attachment": "role"}),
        ("aws_route_table", "route", {"aws_route": "route_table_id"}),
    ],
)
def test_a_policy_or_a_route_beside_those_of_the_stack_is_told(type_: str, argument: str, by: dict[str, str]):
    assert told(type_, {argument: []}, {argument: ["ours"]}, body={}, made=by) == []
    assert told(type_, {argument: []}, {argument: ["ours", "another"]}, body={}, made=by) == [("added to", (argument,))]


def test_what_a_resource_of_its_own_keeps_is_told_there():
    assert told("aws_s3_bucket", {"versioning": []}, {"versioning": [{"enabled": True}]}, body={}) == []


def test_data_sources_are_no_resources():
    entry = {**drifted("aws_sns_topic", {"name": "a"}, None), "mode": "data"}
    assert changes_in(stack("aws_sns_topic", {}), {"resource_drift": [entry]}, {}) == []


def test_what_no_longer_is_in_the_stack_is_told_all_the_same():
    entry = {**drifted("aws_sns_topic", {"name": "a"}, {"name": "b"}), "name": "former"}
    assert changes_in(stack("aws_sns_topic", {}), {"resource_drift": [entry]}, {}) == [
        DriftedAttribute("network", "aws_sns_topic.ours", "changed", ("name",))
    ]


class Deployed:
    """An environment of two tiers, of which one is deployed, and a Terraform that tells what a test says."""

    def __init__(self, scene: Scene, out: Path, programs: Path) -> None:
        self.scene, self.out = scene, out
        manifest: dict[str, Any] = {}
        for tier in ("foundation", "network"):
            name = f"{scene.name}-{tier}"
            backend = {"bucket": scene.names.state_bucket, "key": f"{scene.name}/{tier}.tfstate"}
            terraform = {"backend": {"s3": backend}, "required_providers": {"aws": {"version": "5.100.0"}}}
            document = {"terraform": terraform, "resource": {"aws_sns_topic": {"ours": {"name": "a"}}}}
            (folder := out / "stacks" / name).mkdir(parents=True)
            (folder / "stack.json").write_text(json.dumps(document))
            (folder / "schema.json").write_text(json.dumps(SCHEMA))
            path = f"stacks/{name}/stack.json"
            manifest[name] = {"workingDirectory": f"stacks/{name}", "synthesizedStackPath": path, "dependencies": []}
        (out / "manifest.json").write_text(json.dumps({"stacks": manifest}))
        (program := programs / "terraform").write_text(f"#!/bin/sh\n{TERRAFORM}")
        program.chmod(0o755)
        place = {"LocationConstraint": scene.settings.region}
        self.s3.create_bucket(Bucket=scene.names.state_bucket, CreateBucketConfiguration=place)

    @property
    def s3(self) -> Any:
        return self.scene.aws.client("s3")

    def folder(self, tier: str = "network") -> Path:
        return self.out / "stacks" / f"{self.scene.name}-{tier}"

    def deploy(self, tier: str = "network", *entries: dict[str, Any]) -> None:
        key = f"{self.scene.name}/{tier}.tfstate"
        body = json.dumps(state({"aws_sns_topic.ours": {"id": "1", "name": "a"}}))
        self.s3.put_object(Bucket=self.scene.names.state_bucket, Key=key, Body=body)
        (self.folder(tier) / "plan.json").write_text(json.dumps({"resource_drift": entries}))


@pytest.fixture
def deployed(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    (programs := tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "out"))
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path / "plugins"))
    return Deployed(scene, tmp_path / "out", programs)


def test_nothing_changed_is_said_so(deployed: Deployed):
    deployed.deploy()
    result = deployed.scene.run("drift")
    assert result.exit_code == 0, result.output
    name = deployed.scene.name
    assert result.output == f"not deployed: foundation\n{name}: 0 resources of 1 tiers were changed\n"


def test_each_change_is_a_row_and_none_of_its_values_is_told(deployed: Deployed):
    deployed.deploy("network", drifted("aws_sns_topic", {"name": "a"}, {"name": "[red]secret"}))
    deployed.deploy("foundation", drifted("aws_sns_topic", {"name": "a"}, None))
    result = deployed.scene.run("drift")
    assert result.exit_code == 1
    for said in ("network", "foundation", "aws_sns_topic.ours", "changed", "deleted", "name"):
        assert said in result.output
    assert "secret" not in result.output
    assert "2 resources of 2 tiers were changed" in result.output


def test_for_machines_it_is_json(deployed: Deployed):
    deployed.deploy("network", drifted("aws_sns_topic", {"name": "a"}, {"name": "b"}))
    result = deployed.scene.run("drift", "--json")
    assert result.exit_code == 1
    change = {"tier": "network", "address": "aws_sns_topic.ours", "action": "changed", "arguments": ["name"]}
    assert json.loads(result.stdout) == {
        "environment": deployed.scene.name,
        "changes": [change],
        "not_deployed": ["foundation"],
        "unknown": {},
    }


def test_the_plan_is_refresh_only_takes_no_lock_and_leaves_no_file(deployed: Deployed):
    deployed.deploy()
    deployed.scene.run("drift")
    asked = (deployed.folder() / "planned").read_text().split()
    assert asked[:3] == ["plan", "-refresh-only", "-lock=false"]
    assert not Path(asked[-1].removeprefix("-out=")).parent.exists()


def test_a_folder_is_initialized_with_the_shared_plugins_where_terraform_asks_for_it(
    deployed: Deployed, tmp_path: Path
):
    deployed.deploy()
    deployed.scene.run("drift")
    cache = deployed.folder() / "cache"
    assert cache.read_text() == f"{tmp_path / 'plugins'}\n"
    cache.unlink()
    assert deployed.scene.run("drift").exit_code == 0
    assert not cache.exists()


def test_the_providers_schema_is_asked_once(deployed: Deployed):
    deployed.deploy()
    deployed.scene.run("drift")
    deployed.scene.run("drift")
    assert (deployed.folder() / "asked").read_text() == "asked\n"


def test_the_schema_is_what_aws_fills_in(deployed: Deployed):
    document = {"terraform": {"required_providers": {}}}
    folder = deployed.folder()
    (folder / "initialized").touch()
    schema = computed_arguments(Stack("dev-network", "network", folder, document, ()))
    assert schema == {"aws_sns_topic": ["arn"], "aws_nothing": []}


def test_a_tier_that_cannot_be_planned_is_told_and_the_others_are_looked_at(deployed: Deployed):
    deployed.deploy("network", drifted("aws_sns_topic", {"name": "a"}, None))
    deployed.deploy("foundation")
    (deployed.folder("foundation") / "broken").touch()
    result = deployed.scene.run("drift")
    assert result.exit_code == 1
    assert "foundation: could not be looked at: terraform plan: Error: no valid credential sources" in result.output
    assert "deleted" in result.output


def test_while_a_run_is_under_way_nothing_is_drift(deployed: Deployed):
    deployed.deploy()
    key = f"{deployed.scene.name}/network.tfstate.tflock"
    deployed.s3.put_object(Bucket=deployed.scene.names.state_bucket, Key=key, Body=b"{}")
    result = deployed.scene.run("drift")
    assert result.exit_code == 1
    assert f"{deployed.scene.name}-network: locked; what a run under way changes is no drift" in result.stderr


def test_where_nothing_is_deployed_nothing_can_drift(deployed: Deployed):
    result = deployed.scene.run("drift")
    assert (result.exit_code, result.stderr) == (1, f"{deployed.scene.name}: nothing is deployed\n")


def test_without_stacks_it_says_what_writes_them(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "nowhere"))
    assert "run make synth" in deployed.scene.run("drift").stderr
