"""review: lists are compared by content, and sets without their order."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.review import differences as module
from operations.review.differences import differences
from operations.review.plan import ResourceChange
from tests.commands.plans import UPDATE, change, plan, write
from tests.commands.test_review import as_json, reviewed
from tests.commands.test_review_rules import findings

A, B, C = (
    {"target_group_arn": arn, "container_port": port, "elb_name": ""} for arn, port in (("a", 1), ("b", 2), ("c", 3))
)


def paths(type_: str, before: Any, after: Any, **more: Any) -> list[tuple[str, Any, Any]]:
    """Paths, old and new values of the innermost differences."""
    changed = ResourceChange.model_validate(change(type_, UPDATE, before, after, **more))
    found = list(differences(changed))
    outer = {each.path.rpartition("/")[0] for each in found}
    return [(each.path, each.before.value, each.after.value) for each in found if each.path not in outer]


@pytest.mark.parametrize("type_", ["aws_ecs_service", "x_service"])
def test_an_element_that_sorts_first_changes_no_other(type_: str):
    found = paths(type_, {"load_balancer": [B]}, {"load_balancer": [A, B]})
    assert {path.split("/")[1] for path, *_ in found} == {"0"}
    assert {before for _, before, _ in found} == {None}
    removed = paths(type_, {"load_balancer": [A, B]}, {"load_balancer": [B]})
    assert {after for *_, after in removed} == {None}


def test_a_changed_element_is_compared_with_the_most_similar_one():
    before, after = {"load_balancer": [A, B]}, {"load_balancer": [C, {**B, "container_port": 9}, A]}
    assert [each for each in paths("aws_ecs_service", before, after) if each[1]] == [
        ("load_balancer/1/container_port", 2, 9)
    ]


@pytest.mark.parametrize("order", list(permutations([A, B, C])))
def test_the_order_of_a_set_is_no_difference(order: tuple[Any, ...]):
    sides: tuple[Any, Any] = ({"load_balancer": [A, B, C]}, {"load_balancer": list(order)})
    assert paths("aws_ecs_service", *sides) == []
    nested = (
        {"filter": [{"values": ["a", "b"]}, {"values": ["c"]}]},
        {"filter": [{"values": ["c"]}, {"values": ["b", "a"]}]},
    )
    assert paths("aws_unknown", *nested) == []


def test_the_order_of_a_list_is_a_difference():
    one, other = {"type": "authenticate-oidc"}, {"type": "forward"}
    before, after = {"default_action": [one, other]}, {"default_action": [other, one]}
    assert paths("aws_lb_listener", before, after) == [("default_action", [one, other], [other, one])]


def test_a_set_within_an_element_has_no_order(tmp_path: Path):
    rule = {
        "from_port": 1,
        "to_port": 1,
        "protocol": "tcp",
        "cidr_blocks": ["10.0.0.0/8"],
        "security_groups": ["a", "b"],
    }
    other = {**rule, "from_port": 2, "to_port": 2}
    before, after = {"ingress": [rule, other]}, {"ingress": [other, {**rule, "security_groups": ["b", "a"]}]}
    assert paths("aws_security_group", before, after) == []
    (entry,) = as_json(tmp_path, change("aws_security_group", UPDATE, before, after))["stacks"][0]["other"]
    assert entry["arguments"] == []


def test_lists_without_a_known_schema_are_named_in_the_comment(tmp_path: Path):
    before, after = {"blocks": {"a": [["x", "y"]]}, "one": [1]}, {"blocks": {"a": [["y", "x"]]}, "one": [2]}
    known = change("aws_ecs_service", UPDATE, {"load_balancer": [A, B]}, {"load_balancer": [B]})
    assert paths("x_service", before, after) == [("one/0", 1, 2)]
    output = reviewed(tmp_path, change("x_service", UPDATE, before, after), known)
    assert "`update` `x_service.it`: `blocks`, `one`" in output
    assert "\nLists of `x_service` are compared without their order: their schema is not known here.\n" in output
    assert "their order" not in reviewed(tmp_path, change("x_service", UPDATE, {"one": [1]}, {"one": [2]}), known)


@pytest.mark.parametrize(
    ("type_", "path", "before", "after"),
    [
        (
            "aws_eks_cluster",
            ("vpc_config", "public_access_cidrs"),
            ["198.51.100.0/24", "203.0.113.0/24"],
            ["203.0.113.0/24"],
        ),
        ("scaleway_rdb_acl", ("acl_rules", "allowed_ips"), ["198.51.100.7", "203.0.113.9"], ["203.0.113.9"]),
        (
            "google_compute_firewall",
            ("a", "source_ranges"),
            ["10.0.0.0/8", "10.9.0.0/16"],
            ["10.9.0.0/16", "10.0.0.0/8"],
        ),
    ],
)
def test_fewer_sources_are_not_more(tmp_path: Path, type_: str, path: tuple[str, str], before: Any, after: Any):
    sides = [{path[0]: [{path[1]: value}]} for value in (before, after)]
    assert findings(tmp_path, change(type_, UPDATE, *sides)) == []


def test_an_element_that_is_known_later_is_no_counterpart(tmp_path: Path):
    later = {"after_unknown": {"security_groups": [False, True]}}
    found = findings(
        tmp_path, change("aws_lb", UPDATE, {"security_groups": ["a"]}, {"security_groups": ["a", None]}, **later)
    )
    assert [finding.argument for finding in found] == ["security_groups"]


def test_many_changed_elements_are_compared_in_their_order(monkeypatch: pytest.MonkeyPatch):
    before, after = ([{"a": 1, "b": value} for value in values] for values in ("xy", "yz"))
    assert paths("t", {"l": [{"a": 1, "b": "x"}]}, {"l": after}) == [
        ("l/0/b", "x", "y"),
        ("l/1/a", None, 1),
        ("l/1/b", None, "z"),
    ]
    monkeypatch.setattr(module, "MAX_PAIRS", 0)
    assert paths("t", {"l": before}, {"l": after}) == [("l/1/b", "x", "z")]


ELEMENTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1), max_size=4)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ELEMENTS, after=ELEMENTS, data=st.data())
def test_the_order_of_elements_never_matters_without_a_schema(before: Any, after: Any, data: st.DataObject):
    shuffled = data.draw(st.permutations(after))
    assert bool(paths("t", {"l": before}, {"l": after})) == bool(paths("t", {"l": before}, {"l": shuffled}))
    assert paths("t", {"l": after}, {"l": shuffled}) == []


def test_a_long_list_is_compared_in_time(tmp_path: Path):
    values = [{"id": str(number), "value": number} for number in range(5000)]
    long = change("x_list", UPDATE, {"entries": values}, {"entries": [{"id": "new"}, *reversed(values)]})
    assert as_json(tmp_path, long)["verdict"] == "other"
    assert write(tmp_path, plan(long)).stat().st_size > 100_000
