"""drift: reports changes that were made outside Terraform, by name, and nothing else."""

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

# Whether the configuration can set what AWS fills in.
FILLED = {
    "aws_security_group": {"arn": False, "egress": True, "ingress": True, "tags_all": True},
    "aws_s3_bucket": {"arn": False, "policy": True},
    "aws_lambda_function": {"code_sha256": False},
    "aws_rds_cluster": {"availability_zones": True, "cluster_members": True, "iam_roles": True, "renewals": False},
}
# A Terraform that returns the files in the stack's folder, and must be initialized before the first plan.
TERRAFORM = """
if [ "$1" = init ]; then touch initialized; echo "$TF_PLUGIN_CACHE_DIR" >cache; exit; fi
if [ -e broken ]; then echo "Error: no valid credential sources" >&2; exit 1; fi
if [ ! -e initialized ]; then echo "Error: Backend initialization required, please run 'terraform init'" >&2; exit 1; fi
case "$1" in
    plan) echo "$@" >planned ;;
    show) cat plan.json ;;
    providers) cat schema.json; echo read >>schema_reads ;;
esac
"""
SCHEMA = {
    "provider_schemas": {
        "registry.terraform.io/hashicorp/aws": {
            "resource_schemas": {
                "aws_sns_topic": {
                    "block": {
                        "attributes": {
                            "arn": {"computed": True},
                            "name": {"optional": True},
                            "policy": {"computed": True, "optional": True},
                        }
                    }
                },
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


def drift_of(
    type_: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any] | None,
    body: Mapping[str, Any] | None = None,
    managed: Mapping[str, str] | None = None,
) -> list[tuple[str, tuple[str, ...]]]:
    """The drift of one resource: actions and arguments. `managed` is another resource of the stack."""
    others = [{"type": type_, "values": {by: "1"}} for type_, by in (managed or {}).items()]
    plan = {
        "resource_drift": [drifted(type_, before, after)],
        "prior_state": {"values": {"root_module": {"resources": others}}},
    }
    changes = changes_in(stack(type_, body if body is not None else before), plan, FILLED)
    assert all(change.address == f"{type_}.ours" and change.tier == "network" for change in changes)
    return [(change.action, change.arguments) for change in changes]


def test_an_argument_that_the_stack_sets_is_named_without_its_value():
    assert drift_of("aws_sns_topic", {"name": "a", "policy": "p"}, {"name": "a", "policy": "secret"}) == [
        ("changed", ("policy",))
    ]


def test_an_argument_that_neither_the_stack_nor_aws_sets_is_drift():
    assert drift_of("aws_sns_topic", {"layers": None}, {"layers": ["x"]}, body={}) == [("changed", ("layers",))]


def test_a_computed_argument_is_not_drift():
    assert drift_of("aws_s3_bucket", {"arn": "", "policy": ""}, {"arn": "arn:x", "policy": "{}"}, body={}) == []


def test_other_code_of_a_function_is_drift():
    assert FILLED["aws_lambda_function"].keys() == {"code_sha256"}
    assert drift_of("aws_lambda_function", {"code_sha256": "ours"}, {"code_sha256": "other"}, body={}) == [
        ("changed", ("code_sha256",))
    ]


def test_a_computed_argument_that_the_stack_sets_is_drift():
    assert drift_of("aws_s3_bucket", {"policy": "{}"}, {"policy": ""}) == [("changed", ("policy",))]


def test_a_deleted_resource_is_drift():
    assert drift_of("aws_sns_topic", {"name": "a"}, None) == [("deleted", ())]


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
def test_an_equivalent_value_is_not_drift(before: object, after: object):
    assert drift_of("aws_network_acl", {"ingress": before}, {"ingress": after}) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [(True, False), (5, 0), ("a", ""), ([{"a": 1}], [{"a": 2}]), ([{"protocol": "tcp"}], [{"protocol": "17"}])],
)
def test_a_different_or_empty_value_is_drift(before: object, after: object):
    assert drift_of("aws_network_acl", {"ingress": before}, {"ingress": after}) == [("changed", ("ingress",))]


@pytest.mark.parametrize("ignored", [["size"], "all"])
def test_an_ignored_change_is_not_drift(ignored: object):
    body = {"size": 1, "lifecycle": {"ignore_changes": ignored}}
    assert drift_of("aws_sns_topic", {"size": 1}, {"size": 7}, body=body) == []


def test_a_changed_default_tag_is_reported_as_a_tag():
    after = {"tags": {}, "tags_all": {"Owner": "me"}}
    assert drift_of("aws_security_group", {"tags": None, "tags_all": {"Owner": "us"}}, after, body={}) == [
        ("changed", ("tags",))
    ]


@pytest.mark.parametrize(
    ("argument", "before", "after", "expected"),
    [
        ("iam_roles", [], ["export"], [("added to", ("iam_roles",))]),
        ("iam_roles", None, ["export"], [("added to", ("iam_roles",))]),
        # AWS replaced its own entries, or removed them.
        ("availability_zones", ["a"], ["a", "b"], []),
        ("availability_zones", ["a"], [], []),
        # Instances, which are resources of their own, or which auto scaling adds.
        ("cluster_members", [], ["reader"], []),
        # No stack could set it.
        ("renewals", [], ["done"], []),
    ],
)
def test_an_entry_in_an_empty_list_that_the_stack_does_not_set_is_drift(
    argument: str, before: object, after: object, expected: list[Any]
):
    assert drift_of("aws_rds_cluster", {argument: before}, {argument: after}, body={}) == expected
    for ignored in ([argument], "all"):
        body = {"lifecycle": {"ignore_changes": ignored}}
        assert drift_of("aws_rds_cluster", {argument: before}, {argument: after}, body=body) == []


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
def test_an_additional_rule_is_drift_though_no_plan_removes_it(rules: list[dict[str, Any]], expected: list[Any]):
    managed = {"aws_vpc_security_group_ingress_rule": "security_group_id"}
    assert drift_of("aws_security_group", {"ingress": []}, {"ingress": rules}, body={}, managed=managed) == expected


@pytest.mark.parametrize(
    ("type_", "argument", "by"),
    [
        ("aws_iam_role", "inline_policy", {"aws_iam_role_policy": "role"}),
        ("aws_iam_role", "managed_policy_arns", {"aws_iam_role_policy_attachment": "role"}),
        ("aws_route_table", "route", {"aws_route": "route_table_id"}),
    ],
)
def test_an_additional_policy_or_route_is_drift(type_: str, argument: str, by: dict[str, str]):
    assert drift_of(type_, {argument: []}, {argument: ["ours"]}, body={}, managed=by) == []
    assert drift_of(type_, {argument: []}, {argument: ["ours", "another"]}, body={}, managed=by) == [
        ("added to", (argument,))
    ]


@pytest.mark.parametrize(
    ("type_", "argument"), [("aws_s3_bucket", "versioning"), ("aws_guardduty_detector", "datasources")]
)
def test_an_argument_that_a_separate_resource_manages_is_not_drift(type_: str, argument: str):
    assert drift_of(type_, {argument: []}, {argument: [{"enabled": True}]}, body={}) == []


def test_data_sources_are_not_resources():
    entry = {**drifted("aws_sns_topic", {"name": "a"}, None), "mode": "data"}
    assert changes_in(stack("aws_sns_topic", {}), {"resource_drift": [entry]}, {}) == []


def test_drift_of_a_resource_that_left_the_stack_is_reported():
    entry = {**drifted("aws_sns_topic", {"name": "a"}, {"name": "b"}), "name": "former"}
    assert changes_in(stack("aws_sns_topic", {}), {"resource_drift": [entry]}, {}) == [
        DriftedAttribute("network", "aws_sns_topic.ours", "changed", ("name",))
    ]


class Deployed:
    """An environment of two tiers, and a Terraform that returns what a test provides."""

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


def test_without_drift_the_summary_says_so(deployed: Deployed):
    deployed.deploy()
    result = deployed.scene.run("drift")
    assert result.exit_code == 0, result.output
    name = deployed.scene.name
    assert result.output == f"not deployed: foundation\n{name}: 0 resources of 1 tiers were changed\n"


def test_each_change_is_a_row_without_values(deployed: Deployed):
    deployed.deploy("network", drifted("aws_sns_topic", {"name": "a"}, {"name": "[red]secret"}))
    deployed.deploy("foundation", drifted("aws_sns_topic", {"name": "a"}, None))
    result = deployed.scene.run("drift")
    assert result.exit_code == 1
    for expected in ("network", "foundation", "aws_sns_topic.ours", "changed", "deleted", "name"):
        assert expected in result.output
    assert "secret" not in result.output
    assert "2 resources of 2 tiers were changed" in result.output


def test_json_has_all_changes(deployed: Deployed):
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
    arguments = (deployed.folder() / "planned").read_text().split()
    assert arguments[:3] == ["plan", "-refresh-only", "-lock=false"]
    assert not Path(arguments[-1].removeprefix("-out=")).parent.exists()


def test_a_folder_is_initialized_with_the_shared_plugins_if_needed(deployed: Deployed, tmp_path: Path):
    deployed.deploy()
    deployed.scene.run("drift")
    cache = deployed.folder() / "cache"
    assert cache.read_text() == f"{tmp_path / 'plugins'}\n"
    cache.unlink()
    assert deployed.scene.run("drift").exit_code == 0
    assert not cache.exists()


def test_the_providers_schema_is_read_once(deployed: Deployed):
    deployed.deploy()
    deployed.scene.run("drift")
    deployed.scene.run("drift")
    assert (deployed.folder() / "schema_reads").read_text() == "read\n"


def test_the_schema_lists_computed_arguments(deployed: Deployed):
    document = {"terraform": {"required_providers": {}}}
    folder = deployed.folder()
    (folder / "initialized").touch()
    schema = computed_arguments(Stack("dev-network", "network", folder, document, ()))
    assert schema == {"aws_sns_topic": {"arn": False, "policy": True}, "aws_nothing": {}}


def test_a_tier_that_cannot_be_planned_is_reported_and_the_others_are_checked(deployed: Deployed):
    deployed.deploy("network", drifted("aws_sns_topic", {"name": "a"}, None))
    deployed.deploy("foundation")
    (deployed.folder("foundation") / "broken").touch()
    result = deployed.scene.run("drift")
    assert result.exit_code == 1
    assert "foundation: could not be checked: terraform plan: Error: no valid credential sources" in result.output
    assert "deleted" in result.output


def test_drift_is_refused_during_a_run(deployed: Deployed):
    deployed.deploy()
    key = f"{deployed.scene.name}/network.tfstate.tflock"
    deployed.s3.put_object(Bucket=deployed.scene.names.state_bucket, Key=key, Body=b"{}")
    result = deployed.scene.run("drift")
    assert result.exit_code == 1
    assert f"{deployed.scene.name}-network: locked: wait for the run in progress" in result.stderr


def test_an_environment_without_a_deployment_is_refused(deployed: Deployed):
    result = deployed.scene.run("drift")
    assert (result.exit_code, result.stderr) == (1, f"{deployed.scene.name}: nothing is deployed\n")


def test_without_synthesized_stacks_the_message_says_to_run_make_synth(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "nowhere"))
    assert "run make synth" in deployed.scene.run("drift").stderr
