"""The stacks of an environment are read and joined into one document."""

import json
from pathlib import Path
from typing import Any

import pytest

from synthesized.platform import Body, Platform, PlatformError, read_stacks
from tests.synthesized import TIERS

UPSTREAM: Body = {
    "terraform": {"backend": {"s3": {"bucket": "b", "key": "e/up.tfstate"}}},
    "provider": {"aws": [{"region": "r"}]},
    "resource": {"aws_vpc": {"vpc": {"//": {"metadata": {}}, "cidr_block": "10.0.0.0/16"}}},
    "output": {
        "id": {"value": "${aws_vpc.vpc.id}"},
        "literal": {"value": 5},
        "sum": {"value": "x-${aws_vpc.vpc.id}"},
        "tried": {"value": '${try(aws_vpc.vpc.id, "none")}'},
    },
}


def downstream(**arguments: Any) -> Body:
    return {
        "terraform": {"backend": {"s3": {"bucket": "b", "key": "e/down.tfstate"}}},
        "provider": {"aws": [{"region": "r"}]},
        "data": {
            "terraform_remote_state": {"up": {"config": {"bucket": "b", "key": "e/up.tfstate"}}},
            "aws_region": {"here": {}},
        },
        "resource": {"aws_subnet": {"one": {"vpc_id": "v", **arguments}, "two": {}}},
    }


def write(folder: Path, documents: dict[str, Body], **depends_on: list[str]) -> Path:
    manifest: Body = {"stacks": {}}
    for name, document in documents.items():
        path = folder / "stacks" / name / "cdk.tf.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        manifest["stacks"][name] = {
            "workingDirectory": f"stacks/{name}",
            "synthesizedStackPath": f"stacks/{name}/cdk.tf.json",
            "dependencies": depends_on.get(name.rpartition("-")[2], []),
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def joined(folder: Path, **arguments: Any) -> Body:
    """First resource of a stack that depends on another one."""
    write(folder, {"e-down": downstream(**arguments), "e-up": UPSTREAM}, down=["e-up"])
    return Platform.read(folder, "e").document["resource"]["aws_subnet"]["down_one"]


REMOTE = "data.terraform_remote_state.up.outputs"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f"${{{REMOTE}.id}}", "${aws_vpc.up_vpc.id}"),
        (f"a-${{{REMOTE}.id}}-b", "a-${aws_vpc.up_vpc.id}-b"),
        (
            f'${{join(",", [{REMOTE}.id, aws_subnet.two.id])}}',
            '${join(",", [aws_vpc.up_vpc.id, aws_subnet.down_two.id])}',
        ),
        (f"${{{REMOTE}.literal}}", "${5}"),
        (f"${{{REMOTE}.tried}}", "${aws_vpc.up_vpc.id}"),
        (f"${{{REMOTE}.sum}}", '${"x-${aws_vpc.up_vpc.id}"}'),
        ("${aws_subnet.two.id}", "${aws_subnet.down_two.id}"),
        ("${data.aws_region.here.name}", "${data.aws_region.down_here.name}"),
        ("arn:aws:s3:::aws_subnet.two", "arn:aws:s3:::aws_subnet.two"),
        ("${merge({a = 1}, {b = aws_subnet.two.id})}", "${merge({a = 1}, {b = aws_subnet.down_two.id})}"),
        ('${lookup(aws_subnet.two.tags, "aws_x.y")}', '${lookup(aws_subnet.down_two.tags, "aws_x.y")}'),
        ('${upper("a-${aws_subnet.two.id}")}', '${upper("a-${aws_subnet.down_two.id}")}'),
        ("$${aws_subnet.gone.id}", "$${aws_subnet.gone.id}"),
        ("${terraform.workspace}", "${terraform.workspace}"),
        (
            ["${aws_subnet.two.id}", {"deep": "${aws_subnet.two.arn}"}],
            ["${aws_subnet.down_two.id}", {"deep": "${aws_subnet.down_two.arn}"}],
        ),
        (True, True),
    ],
)
def test_references_are_rewritten_for_the_joined_document(tmp_path: Path, written: Any, read: Any):
    assert joined(tmp_path, argument=written)["argument"] == read


def test_addresses_without_braces_are_rewritten(tmp_path: Path):
    body = joined(tmp_path, depends_on=["aws_subnet.two"], lifecycle={"replace_triggered_by": ["aws_subnet.two"]})
    assert body["depends_on"] == ["aws_subnet.down_two"]
    assert body["lifecycle"] == {"replace_triggered_by": ["aws_subnet.down_two"]}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${aws_subnet.three.id}", "e-down: refers to aws_subnet.three, which is not in the stack"),
        ("${data.aws_region.there.name}", "e-down: refers to data.aws_region.there, which is not in the stack"),
        ("${random_id.nope.hex}", "refers to random_id.nope, which is not in the stack"),
        ("${local.nope}", "refers to local.nope, which is not in the stack"),
        ("${merge({a = 1}, {b = aws_subnet.nope.id})}", "refers to aws_subnet.nope, which is not in the stack"),
        ('${data.terraform_remote_state.up.outputs["id"]}', "refers to data.terraform_remote_state.up, which"),
        ("${aws_subnet.two.id", "unclosed interpolation"),
        (f"${{{REMOTE}.gone}}", "e-down: reads output gone, which e-up does not have"),
        (
            "${data.terraform_remote_state.other.outputs.id}",
            "e-down: reads remote state other, which belongs to no stack",
        ),
    ],
)
def test_an_unresolvable_reference_is_an_error(tmp_path: Path, written: str, message: str):
    with pytest.raises(PlatformError, match=message):
        joined(tmp_path, argument=written)


def test_every_resource_has_its_tier_and_origin(prod: Platform):
    (cluster,) = prod.of_type("aws_rds_cluster")
    assert (cluster.tier, cluster.address_in_stack, cluster.address) == (
        "database",
        "aws_rds_cluster.cluster",
        "aws_rds_cluster.database_cluster",
    )
    assert cluster.name in prod.stacks["database"].document["resource"]["aws_rds_cluster"]


def test_an_expression_is_resolved_to_its_resource(prod: Platform):
    (instance, *_) = prod.of_type("aws_rds_cluster_instance")
    assert prod.resolve(instance.body["cluster_identifier"]).address == "aws_rds_cluster.database_cluster"
    (key, *_) = prod.of_type("aws_kms_key")
    assert prod.resolve(key.body["policy"]).type == "aws_iam_policy_document"


@pytest.mark.parametrize(
    "expression",
    ["${aws_rds_cluster.database_gone.id}", "a-${aws_rds_cluster.database_cluster.id}", "arn:aws:iam::x", ""],
)
def test_an_unresolvable_or_composite_expression_is_an_error(prod: Platform, expression: str):
    with pytest.raises(PlatformError, match="refers to no resource of prod"):
        prod.resolve(expression)


def test_the_joined_document_has_all_resources_and_no_cdktf_metadata(prod: Platform):
    document = prod.document
    assert sum(map(len, document["resource"].values())) == len(prod.resources)
    assert sum(map(len, document["data"].values())) == len(prod.data)
    text = json.dumps(document)
    assert "terraform_remote_state" not in text
    assert '"//"' not in text


def test_stacks_are_sorted_by_dependency(prod: Platform):
    assert set(prod.stacks) == set(TIERS)
    order = list(prod.stacks)
    for tier, stack in prod.stacks.items():
        for upstream in stack.depends_on:
            assert order.index(upstream.removeprefix("prod-")) < order.index(tier)


def test_a_folder_without_cdktf_output_is_an_error(tmp_path: Path):
    with pytest.raises(PlatformError, match="no readable output of cdktf; run make synth"):
        read_stacks(tmp_path)


@pytest.mark.parametrize("manifest", ["[]", "null", "{", '{"stacks": []}', '{"stacks": {"a": 1}}'])
def test_an_invalid_manifest_is_an_error(tmp_path: Path, manifest: str):
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(PlatformError, match="no readable output of cdktf; run make synth"):
        read_stacks(tmp_path)


def test_an_environments_name_may_have_a_hyphen(tmp_path: Path):
    platform = Platform.read(write(tmp_path, {"prod-eu-up": UPSTREAM, "prod-up": UPSTREAM}), "prod-eu")
    assert [(stack.name, stack.tier) for stack in platform.stacks.values()] == [("prod-eu-up", "up")]


def test_an_environment_that_was_not_synthesized_is_an_error(tmp_path: Path):
    with pytest.raises(PlatformError, match="no stack of prod; run make synth"):
        Platform.read(write(tmp_path, {"dev-up": UPSTREAM}), "prod")


def test_circular_dependencies_are_an_error(tmp_path: Path):
    write(tmp_path, {"e-up": UPSTREAM, "e-down": downstream()}, up=["e-down"], down=["e-up"])
    with pytest.raises(PlatformError, match="e-up, e-down: circular dependency"):
        read_stacks(tmp_path)
