"""review: policies that grant more, and network rules that allow more traffic."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.review.comment import verdict
from operations.review.findings import review
from operations.review.plan import read_plans
from operations.review.policy_changes import grants, public_statements, unlimited_statements
from tests.commands.plans import CREATE, REPLACE, UPDATE, change, plan, write
from tests.commands.test_review_rules import findings

BUCKET = "arn:aws:s3:::b/*"
DENY = {"Sid": "DenyPlaintext", "Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}


def allows(action: Any = "s3:GetObject", resource: Any = BUCKET, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def when(operator: str, key: str, *values: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: list(values)}}}


TO_A = {"Principal": {"AWS": "arn:aws:iam::1:role/a"}}
TO_A_AND_B = {"Principal": {"AWS": ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"]}}
TO_ALL = {"Principal": "*"}
OWN = when("StringEquals", "aws:PrincipalAccount", "1")

SAME_OR_LESS = {
    "the same": (allows(), allows()),
    "another name": (allows(Sid="A"), allows(Sid="B")),
    "a list of one": (allows(["s3:GetObject"]), allows()),
    "another order": (allows(["s3:GetObject", "s3:PutObject"]), allows(["s3:PutObject", "s3:GetObject"])),
    "other case": (allows("s3:getobject"), allows("S3:GetObject")),
    "fewer actions": (allows(["s3:GetObject", "s3:PutObject"]), allows()),
    "within a pattern": (allows("s3:*"), allows("s3:Get*")),
    "a narrower resource": (allows(resource="arn:aws:s3:::b/*"), allows(resource="arn:aws:s3:::b/a/*")),
    "fewer principals": (allows(**TO_A_AND_B), allows(**TO_A)),
    "one instead of everyone": (allows(**TO_ALL), allows(**TO_A)),
    "everyone, written differently": (allows(**TO_ALL), allows(Principal={"AWS": "*"})),
    "an additional condition": (allows(), allows(**OWN)),
    "fewer values": (allows(**when("StringEquals", "a", "1", "2")), allows(**when("StringEquals", "a", "1"))),
    "the same negated element": (allows(NotResource="x"), allows(NotResource=["x"])),
    "no statement": (allows(), None),
    "a denial instead": (allows(), DENY),
}
MORE = {
    "a first statement": (None, allows()),
    "an action": (allows(), allows(["s3:GetObject", "s3:PutObject"])),
    "a wider pattern": (allows("s3:Get*"), allows("s3:*")),
    "* instead of ?": (allows("s3:Get?"), allows("s3:Get*")),
    "a wider resource": (allows(), allows(resource="*")),
    "a principal": (allows(**TO_A), allows(**TO_A_AND_B)),
    "everyone": (allows(**TO_A), allows(**TO_ALL)),
    "a service": (allows(**TO_A), allows(Principal={"Service": "arn:aws:iam::1:role/a"})),
    "a removed condition": (allows(**OWN), allows()),
    "another condition": (allows(**OWN), allows(**when("StringLike", "aws:PrincipalAccount", "1"))),
    "another key": (allows(**OWN), allows(**when("StringEquals", "aws:SourceAccount", "1"))),
    "more values": (allows(**when("StringEquals", "a", "1")), allows(**when("StringEquals", "a", "1", "2"))),
    "fewer excluded values": (
        allows(**when("StringNotEquals", "a", "1", "2")),
        allows(**when("StringNotEquals", "a", "1")),
    ),
    "fewer values of a set operator": (
        allows(**when("ForAllValues:StringEquals", "a", "1", "2")),
        allows(**when("ForAllValues:StringEquals", "a", "1")),
    ),
    "another exception": (
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
    ),
    "an exception instead of a list": (allows(), {"Effect": "Allow", "NotAction": "iam:*", "Resource": BUCKET}),
    "a removed denial": (DENY, None),
    "a narrower denial": (DENY, {**DENY, "Action": "s3:Get*"}),
    "a denial with a condition": (DENY, {**DENY, **OWN}),
    "an unknown element": (allows(), allows(Surprise=1)),
    "an invalid statement": (allows(), "everything"),
    "an invalid condition": (allows(Condition="x"), allows(Condition="y")),
    "a condition that became invalid": (allows(**OWN), allows(Condition="x")),
    "an invalid operator of a condition": (allows(Condition={"Bool": "x"}), allows(Condition={"Bool": "y"})),
}


def documents(before: Any, after: Any) -> tuple[Any, Any]:
    return tuple(document(*([each] if each is not None else [])) for each in (before, after))  # pyright: ignore[reportReturnType] - one element per side


@pytest.mark.parametrize("name", SAME_OR_LESS)
def test_the_same_or_less_is_not_a_grant(name: str):
    assert grants(*documents(*SAME_OR_LESS[name])) == []


@pytest.mark.parametrize("name", MORE)
def test_more_is_a_grant(name: str):
    assert grants(*documents(*MORE[name])) != []


def test_an_additional_denial_is_not_a_grant():
    assert grants(document(allows()), document(allows(), DENY)) == []


def test_a_statement_can_be_covered_by_several():
    before = document(allows("s3:GetObject"), allows("s3:PutObject"))
    assert grants(before, document(allows(["s3:GetObject", "s3:PutObject"]))) == []


def test_a_single_statement_and_a_new_policy_are_read():
    assert grants({"Statement": allows()}, document(allows())) == []
    assert grants(None, {"Statement": allows()}) == [f"allows s3:GetObject on {BUCKET}"]


def test_a_grant_names_actions_resources_principals_and_conditions():
    statement = allows(["a:1", "a:2", "a:3", "a:4", "a:5"], **TO_A, **OWN)
    assert grants(None, document(statement)) == [
        f"allows a:1, a:2, a:3 and 2 more on {BUCKET} to AWS: arn:aws:iam::1:role/a "
        "(conditions: StringEquals aws:PrincipalAccount)"
    ]
    negated = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "b", "NotPrincipal": {"AWS": "c"}}
    assert grants(None, document(negated)) == ["allows all except iam:* on all except b to all except AWS: c"]


def test_a_grant_names_only_the_new_part_of_a_statement():
    before, after = document(allows(["a:1", "a:2"], **TO_A)), document(allows(["a:1", "a:2"], **TO_A_AND_B))
    assert grants(before, after) == [f"allows a:1, a:2 on {BUCKET} to AWS: arn:aws:iam::1:role/b"]


def test_public_statements_are_recognized():
    assert public_statements(document(allows(**TO_ALL))) != []
    assert public_statements(document(allows(NotPrincipal={"AWS": "x"}))) != []
    assert public_statements(document(allows(**TO_ALL, **OWN), allows(**TO_A), DENY)) == []


def test_unlimited_statements_are_recognized():
    assert unlimited_statements(document(allows("*", "*"))) != []
    assert unlimited_statements(document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})) != []
    for all_ in ("*:*", "iam:*", "**", "i*:*"):
        assert unlimited_statements(document(allows(["s3:GetObject", all_], ["a", "*"]))) != []
    assert unlimited_statements(document(allows("iam:*", "arn:aws:iam::1:*"))) != []
    assert unlimited_statements(document({"Effect": "Allow", "Action": "s3:*", "NotResource": "a"})) != []
    assert unlimited_statements(document(allows("iam:Get*", "*"), allows("s3:*", "arn:aws:s3:::b/*"))) == []
    assert unlimited_statements(document(allows("*"), allows(resource="*"), allows("*", "*", **TO_A))) == []


ACTION_PATTERNS = st.text("ab*?", min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(ACTION_PATTERNS, ACTION_PATTERNS, st.text("abc", max_size=4))
def test_no_newly_allowed_action_is_missed(before: str, after: str, action: str):
    """Compared with an independent matcher: without a grant, whatever matches now matched before."""
    if grants(document(allows(before)), document(allows(after))) == [] and _matches(after, action):
        assert _matches(before, action)


def _matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_matches(pattern[1:], text[number:]) for number in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and _matches(pattern[1:], text[1:])


# Policies in plans.


def reported(folder: Path, *changes: dict[str, Any], **more: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Sentences and details of the findings of the levels exposure and other."""
    found = findings(folder, *changes, **more)
    return [(finding.sentence, finding.details) for finding in found if finding.level.value in {"exposure", "other"}]


def in_new_stack(*changes: dict[str, Any]) -> dict[str, Any]:
    """Arguments for a plan without the resources that other plans contain unchanged."""
    return {"resource_changes": [*changes]}


def policy(actions: list[str], before: Any, after: Any, **more: Any) -> dict[str, Any]:
    sides = (None if side is None else {"policy": json.dumps(side)} for side in (before, after))
    return change("aws_iam_role_policy", actions, *sides, **more)


def test_a_policy_that_grants_more_is_reported(tmp_path: Path):
    assert reported(tmp_path, policy(UPDATE, document(), document(allows()))) == [
        ("its policy grants more", (f"allows s3:GetObject on {BUCKET}",))
    ]
    assert reported(tmp_path, policy(UPDATE, document(allows()), document())) == []


def test_a_new_policy_is_reported_but_in_a_new_stack_only_if_it_is_public_or_unlimited(tmp_path: Path):
    new, for_all = policy(CREATE, None, document(allows())), policy(CREATE, None, document(allows(**TO_ALL)))
    everything = policy(CREATE, None, document(allows("*", "*")))
    assert [sentence for sentence, _ in reported(tmp_path, new)] == ["a new policy grants access"]
    assert reported(tmp_path, **in_new_stack(new)) == []
    sentences = [sentence for sentence, _ in reported(tmp_path, **in_new_stack(for_all, everything))]
    assert sentences == ["its policy grants access to everyone", "its policy grants everything, or all of a service"]


def test_a_policy_that_was_already_public_is_not_reported_again(tmp_path: Path):
    same = allows(**TO_ALL)
    assert reported(tmp_path, policy(UPDATE, document(same), document(same, DENY))) == []


def test_the_policy_of_a_replaced_role_is_compared(tmp_path: Path):
    replaced = change(
        "aws_iam_role",
        REPLACE,
        {"assume_role_policy": json.dumps(document(allows("sts:AssumeRole", [], **TO_A)))},
        {"assume_role_policy": json.dumps(document(allows("sts:AssumeRole", [], **TO_A_AND_B)))},
    )
    assert reported(tmp_path, replaced)[0][0] == "its policy grants more"


def plan_with_pending_policy(
    statements: Any, unknown: Any, current_policy: Any, module: str = "", **source: Any
) -> dict[str, Any]:
    """A plan that replaces a policy with one from a data source that is read during apply."""
    address = "aws_iam_role_policy.it"
    resource = {
        "address": address,
        "expressions": {"policy": {"references": ["data.aws_iam_policy_document.it.json"]}},
    }
    root: dict[str, Any] = {"resources": [resource]}
    if module:
        root = {"module_calls": {"inner": {"module": root}}}
    data_source = change(
        "aws_iam_policy_document",
        ["read"],
        None,
        {"statement": statements, **source},
        after_unknown={"json": True, "statement": unknown},
        mode="data",
        address=f"{module}data.aws_iam_policy_document.it",
    )
    policy = change(
        "aws_iam_role_policy",
        UPDATE,
        {"policy": json.dumps(current_policy)},
        {},
        after_unknown={"policy": True},
        address=f"{module}{address}[0]",
    )
    return {
        "configuration": {"root_module": root},
        "resource_changes": [change("aws_vpc", ["no-op"], {}, {}), data_source, policy],
    }


STATEMENT = {
    "sid": "Read",
    "effect": "Allow",
    "actions": ["s3:GetObject"],
    "resources": [BUCKET],
    "principals": [{"type": "AWS", "identifiers": ["arn:aws:iam::1:role/a"]}],
    "condition": [{"test": "StringEquals", "variable": "aws:PrincipalAccount", "values": ["1"]}],
}
CURRENT_POLICY = document(allows(Sid="Read", **TO_A, **OWN))
UNKNOWN_RESOURCES = [{"resources": [True]}]
LATER = "its policy is known only after apply"
ASSUMED = "part of its policy is known only after apply; the rest grants no more"


@pytest.mark.parametrize("module", ["", "module.inner.", 'module.inner["a"].'])
def test_a_pending_policy_is_read_from_its_data_source(tmp_path: Path, module: str):
    assert reported(tmp_path, **plan_with_pending_policy([STATEMENT], [{}], CURRENT_POLICY, module)) == []
    wider = {**STATEMENT, "resources": ["*"], "effect": None, "condition": []}
    assert reported(tmp_path, **plan_with_pending_policy([wider], [{}], CURRENT_POLICY, module)) == [
        ("its policy grants more", ("allows s3:GetObject on * to AWS: arn:aws:iam::1:role/a",))
    ]


def test_everyone_is_recognized_in_a_data_source(tmp_path: Path):
    public = {**STATEMENT, "principals": [{"type": "*", "identifiers": ["*"]}], "condition": []}
    assert (
        reported(tmp_path, **plan_with_pending_policy([public], [{}], CURRENT_POLICY))[0][0]
        == "its policy grants access to everyone"
    )


def test_unknown_elements_of_a_pending_policy_are_assumed_unchanged(tmp_path: Path):
    later = {key: value for key, value in STATEMENT.items() if key != "resources"}
    assert reported(tmp_path, **plan_with_pending_policy([later], UNKNOWN_RESOURCES, CURRENT_POLICY)) == [(ASSUMED, ())]
    (reviewed,) = read_plans(
        [write(tmp_path, plan(**plan_with_pending_policy([later], UNKNOWN_RESOURCES, CURRENT_POLICY)))]
    )
    assert verdict([review(reviewed)]) == "Nothing significant: 1 other"
    more = {**later, "actions": ["s3:*"]}
    assert (
        reported(tmp_path, **plan_with_pending_policy([more], UNKNOWN_RESOURCES, CURRENT_POLICY))[0][0]
        == "its policy grants more"
    )


def test_a_policy_that_cannot_be_reconstructed_is_reported(tmp_path: Path):
    unknown = [(LATER, ())]
    new = {**STATEMENT, "sid": "New"}
    assert reported(tmp_path, **plan_with_pending_policy([new], UNKNOWN_RESOURCES, CURRENT_POLICY)) == unknown
    assert reported(tmp_path, **plan_with_pending_policy(None, True, CURRENT_POLICY)) == unknown
    assert (
        reported(
            tmp_path, **plan_with_pending_policy([STATEMENT], [{}], CURRENT_POLICY, source_policy_documents=["{}"])
        )
        == unknown
    )
    for configuration in (None, {}, [], {"root_module": {"resources": [1]}}, {"root_module": {"resources": []}}):
        assert (
            reported(
                tmp_path,
                **{**plan_with_pending_policy([STATEMENT], [{}], CURRENT_POLICY), "configuration": configuration},
            )
            == unknown
        )
    by_hand = {"address": "aws_iam_role_policy.it", "expressions": {"policy": {"references": ["local.policy"]}}}
    configuration = {"root_module": {"resources": [by_hand]}}
    assert (
        reported(
            tmp_path, **{**plan_with_pending_policy([STATEMENT], [{}], CURRENT_POLICY), "configuration": configuration}
        )
        == unknown
    )
    hidden = change(
        "aws_iam_role_policy", UPDATE, {"policy": json.dumps(CURRENT_POLICY)}, {"policy": "{}"}, before_sensitive=True
    )
    assert reported(tmp_path, hidden) == [
        ("its policy changes; it is sensitive, so the review does not compare it", ())
    ]


# Network rules in plans.

RULE = "aws_vpc_security_group_ingress_rule"


def rule(cidr: str | None = "10.0.0.0/16", first: int = 443, last: int = 443, **more: Any) -> dict[str, Any]:
    return {
        "cidr_ipv4": cidr,
        "ip_protocol": "tcp",
        "from_port": first,
        "to_port": last,
        "security_group_id": "sg-1",
        **more,
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (rule(), rule(), []),
        (rule(), rule("10.0.1.0/24"), []),
        (rule(first=0, last=1000), rule(), []),
        (rule(ip_protocol="-1"), rule(), []),
        (rule(), rule("10.0.0.0/8"), ["tcp port 443 from 10.0.0.0/8"]),
        (rule(), rule(last=444), ["tcp ports 443 to 444 from 10.0.0.0/16"]),
        (rule(), rule(ip_protocol="-1"), ["all traffic from 10.0.0.0/16"]),
        (rule(), rule(ip_protocol="17"), ["udp port 443 from 10.0.0.0/16"]),
        (rule(), rule(None, referenced_security_group_id="sg-2"), ["tcp port 443 from sg-2"]),
        (rule(), rule(None, prefix_list_id="pl-1"), ["tcp port 443 from pl-1"]),
        (rule(), rule(security_group_id="sg-9"), ["tcp port 443 from 10.0.0.0/16"]),
        (rule(), rule("0.0.0.0/0"), ["tcp port 443 from 0.0.0.0/0"]),
        (rule(), rule(None, cidr_ipv6="::/0"), ["tcp port 443 from ::/0"]),
    ],
)
def test_traffic_is_reported_if_no_old_rule_allowed_it(tmp_path: Path, before: Any, after: Any, expected: list[str]):
    found = reported(tmp_path, change(RULE, UPDATE, before, after))
    assert [line for _, lines in found for line in lines] == expected


def test_a_new_rule_is_reported_but_in_a_new_stack_only_for_the_internet(tmp_path: Path):
    inner, outer = (change(RULE, CREATE, None, rule(cidr)) for cidr in ("10.0.0.0/16", "0.0.0.0/0"))
    assert [sentence for sentence, _ in reported(tmp_path, inner, outer)] == [
        "allows new traffic",
        "allows new traffic to or from the internet",
    ]
    assert [lines for _, lines in reported(tmp_path, **in_new_stack(inner, outer))] == [
        ("tcp port 443 from 0.0.0.0/0",)
    ]


def test_half_the_internet_is_the_internet(tmp_path: Path):
    halves = [change(RULE, CREATE, None, rule(cidr)) for cidr in ("0.0.0.0/1", "128.0.0.0/1")]
    assert [sentence for sentence, _ in reported(tmp_path, **in_new_stack(*halves))] == [
        "allows new traffic to or from the internet"
    ] * 2


def test_in_a_new_stack_only_attachments_of_everything_are_reported(tmp_path: Path):
    types = ("aws_iam_role_policy_attachment", "aws_iam_user_policy_attachment")
    arns = ("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/AdministratorAccess")
    new = [change(type_, CREATE, None, {"policy_arn": arn}) for type_, arn in zip(types, arns, strict=True)]
    everything = "grants everything, or permissions to all of IAM"
    assert [sentence for sentence, _ in reported(tmp_path, *new)] == [
        "grants new access",
        "grants new access",
        everything,
    ]
    assert [sentence for sentence, _ in reported(tmp_path, **in_new_stack(*new))] == [everything]


def test_unknown_and_sensitive_peers_are_reported_as_such(tmp_path: Path):
    later = change(RULE, UPDATE, rule(), rule(None), after_unknown={"cidr_ipv4": True})
    marks = {"cidr_ipv4": True, "from_port": True, "ip_protocol": True}
    hidden = change(RULE, UPDATE, rule("192.0.2.0/24"), rule("192.0.2.9/32"), after_sensitive=marks)
    lines = [line for _, lines in reported(tmp_path, later, hidden) for line in lines]
    assert lines == ["tcp port 443 from (known after apply)", "all traffic from (sensitive)"]


def test_inline_rules_of_security_groups_are_compared(tmp_path: Path):
    block = {"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["10.0.0.0/16"], "self": False}
    wider = {**block, "cidr_blocks": ["10.0.0.0/16", "10.9.0.0/16"], "self": True, "security_groups": ["sg-1"]}
    found = reported(tmp_path, change("aws_security_group", UPDATE, {"ingress": [block]}, {"ingress": [wider]}))
    assert found == [
        (
            "allows new traffic",
            tuple(f"tcp port 443 from {peer}" for peer in ("10.9.0.0/16", "sg-1", "the security group itself")),
        )
    ]
    one = {"type": "egress", **block}
    found = reported(tmp_path, change("aws_security_group_rule", UPDATE, one, {**one, "cidr_blocks": ["0.0.0.0/0"]}))
    assert found == [("allows new traffic to or from the internet", ("tcp port 443 to 0.0.0.0/0",))]


def test_a_removed_denial_of_a_network_acl_is_reported_and_a_new_one_is_not(tmp_path: Path):
    denial = {"action": "deny", "protocol": "-1", "from_port": 0, "to_port": 0, "cidr_block": "192.0.2.0/24"}
    allowed = {**denial, "action": "allow"}
    without, with_ = {"ingress": [], "egress": []}, {"ingress": [denial], "egress": []}
    removed = reported(tmp_path, change("aws_network_acl", UPDATE, with_, without))
    assert removed == [("removes a denial", ("all traffic from 192.0.2.0/24",))]
    assert reported(tmp_path, change("aws_network_acl", UPDATE, without, with_)) == []
    reversal = change(
        "aws_network_acl_rule",
        UPDATE,
        {**denial, "egress": True, "rule_action": "deny", "action": None},
        {**allowed, "egress": True, "rule_action": "allow", "action": None},
    )
    assert {sentence for sentence, _ in reported(tmp_path, reversal)} == {"allows new traffic", "removes a denial"}
