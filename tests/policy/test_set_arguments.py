"""The list of the AWS provider's set arguments is that of the provider which the stacks require."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.review.set_arguments import FILE, is_set
from operations.terraform import terraform
from synthesized.platform import Platform
from tests.failures import expect_none

PROVIDER = "registry.terraform.io/hashicorp/aws"


def test_set_arguments_are_those_of_the_provider(
    platforms: dict[str, Platform], tmp_path: Path, pytestconfig: pytest.Config
):
    """`--snapshot-update` writes the file anew."""
    stack = next(iter(next(iter(platforms.values())).stacks.values()))
    required = {"required_providers": {"aws": stack.document["terraform"]["required_providers"]["aws"]}}
    (tmp_path / "main.tf.json").write_text(json.dumps({"terraform": required}), encoding="utf-8")
    terraform("init", "-input=false", "-no-color", cwd=tmp_path)
    schemas = json.loads(terraform("providers", "schema", "-json", cwd=tmp_path))["provider_schemas"]
    lines = list(_lines(schemas[PROVIDER]["resource_schemas"]))
    if pytestconfig.option.update_snapshots:
        FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    written = FILE.read_text(encoding="utf-8").splitlines()
    expect_none([f"{line}: outdated" for line in sorted(set(written) ^ set(lines))])


def test_a_set_is_recognized_by_its_block_if_its_name_is_ambiguous():
    assert is_set("aws_security_group", argument="ingress")
    assert is_set("aws_lb_listener", argument="default_action") is False
    assert is_set("aws_ce_cost_category", "tags", "values")
    assert is_set("aws_ce_cost_category", "split_charge_rule", "parameter")
    assert is_set("azurerm_subnet", argument="address_prefixes") is None


def _lines(types: dict[str, Any]) -> Iterator[str]:
    for type_, schema in sorted(types.items()):
        found = set(_arguments(schema["block"], ""))
        lists = {name for _, name, kind in found if kind != "set"}
        sets = {name if name not in lists else f"{parent}/{name}" for parent, name, kind in found if kind == "set"}
        if any(kind != "one" for *_, kind in found):
            yield " ".join([type_, *sorted(sets)])


def _arguments(block: dict[str, Any], parent: str) -> Iterator[tuple[str, str, str]]:
    """Block, name and kind of each list or set that can be configured."""
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("optional") or attribute.get("required"):
            yield from _lists(attribute.get("type"), parent, name)
    for name, nested in block.get("block_types", {}).items():
        if nested["nesting_mode"] in {"list", "set"}:
            yield parent, name, "one" if nested.get("max_items") == 1 else nested["nesting_mode"]
        yield from _arguments(nested["block"], name)


def _lists(type_: Any, parent: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Lists and sets in the type of an attribute, such as `["set", "string"]`."""
    kind, inner = type_ if isinstance(type_, list) else ("", {})
    if kind in {"list", "set"}:
        yield parent, name, kind
    if kind == "object":
        for argument, nested in inner.items():
            yield from _lists(nested, name, argument)
    elif kind:
        yield from _lists(inner, parent, name)
