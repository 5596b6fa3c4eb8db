"""What a plan opens: policies that grant more, and ways through the network."""

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
TO_B = {"Principal": {"AWS": ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"]}}
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
    "fewer principals": (allows(**TO_B), allows(**TO_A)),
    "one of all": (allows(**TO_ALL), allows(**TO_A)),
    "all, in other words": (allows(**TO_ALL), allows(Principal={"AWS": "*"})),
    "a condition more": (allows(), allows(**OWN)),
    "fewer values": (allows(**when("StringEquals", "a", "1", "2")), allows(**when("StringEquals", "a", "1"))),
    "the same in all but": (allows(NotResource="x"), allows(NotResource=["x"])),
    "nothing any more": (allows(), None),
    "a denial more": (allows(), {**DENY, "Effect": "Deny"}),
}
MORE = {
    "something": (None, allows()),
    "an action": (allows(), allows(["s3:GetObject", "s3:PutObject"])),
    "a wider pattern": (allows("s3:Get*"), allows("s3:*")),
    "a pattern of one letter": (allows("s3:Get?"), allows("s3:Get*")),
    "a wider resource": (allows(), allows(resource="*")),
    "a principal": (allows(**TO_A), allows(**TO_B)),
    "everybody": (allows(**TO_A), allows(**TO_ALL)),
    "a service": (allows(**TO_A), allows(Principal={"Service": "arn:aws:iam::1:role/a"})),
    "a condition less": (allows(**OWN), allows()),
    "another condition": (allows(**OWN), allows(**when("StringLike", "aws:PrincipalAccount", "1"))),
    "another key": (allows(**OWN), allows(**when("StringEquals", "aws:SourceAccount", "1"))),
    "more values": (allows(**when("StringEquals", "a", "1")), allows(**when("StringEquals", "a", "1", "2"))),
    "fewer values that are refused": (
        allows(**when("StringNotEquals", "a", "1", "2")),
        allows(**when("StringNotEquals", "a", "1")),
    ),
    "fewer values of all": (
        allows(**when("ForAllValues:StringEquals", "a", "1", "2")),
        allows(**when("ForAllValues:StringEquals", "a", "1")),
    ),
    "all but another": (
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
    ),
    "all but, where all was named": (allows(), {"Effect": "Allow", "NotAction": "iam:*", "Resource": BUCKET}),
    "a denial less": (DENY, None),
    "a narrower denial": (DENY, {**DENY, "Action": "s3:Get*"}),
    "a denial on a condition": (DENY, {**DENY, **OWN}),
    "an unknown element": (allows(), allows(Surprise=1)),
    "a statement that cannot be read": (allows(), "all of it"),
    "a condition that cannot be read": (allows(Condition="x"), allows(Condition="y")),
    "a condition that can be read no more": (allows(**OWN), allows(Condition="x")),
    "a condition's operator that cannot be read": (allows(Condition={"Bool": "x"}), allows(Condition={"Bool": "y"})),
}


def documents(before: Any, after: Any) -> tuple[Any, Any]:
    return tuple(document(*([each] if each is not None else [])) for each in (before, after))  # pyright: ignore[reportReturnType] - two


@pytest.mark.parametrize("name", SAME_OR_LESS)
def test_what_is_the_same_or_less_is_no_grant(name: str):
    assert grants(*documents(*SAME_OR_LESS[name])) == []


@pytest.mark.parametrize("name", MORE)
def test_what_is_more_is_a_grant(name: str):
    assert grants(*documents(*MORE[name])) != []


def test_a_statement_may_be_allowed_by_several():
    before = document(allows("s3:GetObject"), allows("s3:PutObject"))
    assert grants(before, document(allows(["s3:GetObject", "s3:PutObject"]))) == []


def test_a_document_of_one_statement_and_one_of_none_are_read():
    assert grants({"Statement": allows()}, document(allows())) == []
    assert grants(None, {"Statement": allows()}) == [f"allows s3:GetObject on {BUCKET}"]


def test_a_grant_says_what_on_what_to_whom_and_when():
    statement = allows(["a:1", "a:2", "a:3", "a:4", "a:5"], **TO_A, **OWN)
    assert grants(None, document(statement)) == [
        f"allows a:1, a:2, a:3 and 2 more on {BUCKET} to AWS: arn:aws:iam::1:role/a "
        "(conditions: StringEquals aws:PrincipalAccount)"
    ]
    left_out = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "b", "NotPrincipal": {"AWS": "c"}}
    assert grants(None, document(left_out)) == ["allows all but iam:* on all but b to all but AWS: c"]


def test_a_grant_says_only_what_is_new_of_a_statement():
    before, after = document(allows(["a:1", "a:2"], **TO_A)), document(allows(["a:1", "a:2"], **TO_B))
    assert grants(before, after) == [f"allows a:1, a:2 on {BUCKET} to AWS: arn:aws:iam::1:role/b"]


def test_what_everybody_may_is_told_from_what_some_may():
    assert public_statements(document(allows(**TO_ALL))) != []
    assert public_statements(document(allows(NotPrincipal={"AWS": "x"}))) != []
    assert public_statements(document(allows(**TO_ALL, **OWN), allows(**TO_A), DENY)) == []


def test_what_may_do_everything_is_told_from_what_may_do_some():
    assert unlimited_statements(document(allows("*", "*"))) != []
    assert unlimited_statements(document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})) != []
    assert unlimited_statements(document(allows("*"), allows(resource="*"), allows("*", "*", **TO_A))) == []


NAMES = st.text("ab*?", min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(NAMES, NAMES, st.text("abc", max_size=4))
def test_no_action_is_allowed_that_was_not(before: str, after: str, asked: str):
    """Against a matcher of one's own: were no grant told, whatever matches now would have matched before."""
    if grants(document(allows(before)), document(allows(after))) == [] and _matches(after, asked):
        assert _matches(before, asked)


def _matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_matches(pattern[1:], text[number:]) for number in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and _matches(pattern[1:], text[1:])


# Of plans.


def told(folder: Path, *changes: dict[str, Any], **more: Any) -> list[tuple[str, tuple[str, ...]]]:
    found = findings(folder, *changes, **more)
    return [(finding.sentence, finding.details) for finding in found if finding.level.value in {"exposure", "other"}]


def policy(actions: list[str], before: Any, after: Any, **more: Any) -> dict[str, Any]:
    sides = (None if side is None else {"policy": json.dumps(side)} for side in (before, after))
    return change("aws_iam_role_policy", actions, *sides, **more)


def test_a_policy_that_grants_more_is_told(tmp_path: Path):
    assert told(tmp_path, policy(UPDATE, document(), document(allows()))) == [
        ("its policy grants more", (f"allows s3:GetObject on {BUCKET}",))
    ]
    assert told(tmp_path, policy(UPDATE, document(allows()), document())) == []


def test_a_new_policy_is_told_and_in_a_new_stack_only_where_it_is_for_all(tmp_path: Path):
    new, for_all = policy(CREATE, None, document(allows())), policy(CREATE, None, document(allows(**TO_ALL)))
    everything = policy(CREATE, None, document(allows("*", "*")))
    assert [sentence for sentence, _ in told(tmp_path, new)] == ["a new policy grants"]
    assert told(tmp_path, resource_changes=[new]) == []
    sentences = [sentence for sentence, _ in told(tmp_path, resource_changes=[for_all, everything])]
    assert sentences == ["its policy grants to everybody", "its policy grants everything"]


def test_a_policy_that_was_public_already_is_not_told_again(tmp_path: Path):
    same = allows(**TO_ALL)
    assert told(tmp_path, policy(UPDATE, document(same), document(same, DENY))) == []


def test_the_policy_of_a_role_that_is_replaced_is_compared(tmp_path: Path):
    replaced = change(
        "aws_iam_role",
        REPLACE,
        {"assume_role_policy": json.dumps(document(allows("sts:AssumeRole", [], **TO_A)))},
        {"assume_role_policy": json.dumps(document(allows("sts:AssumeRole", [], **TO_B)))},
    )
    assert told(tmp_path, replaced)[0][0] == "its policy grants more"


def waiting(after: Any, unknown: Any, before: Any, module: str = "", **source: Any) -> dict[str, Any]:
    """A plan in which a policy waits for a data source."""
    address = "aws_iam_role_policy.it"
    resource = {
        "address": address,
        "expressions": {"policy": {"references": ["data.aws_iam_policy_document.it.json"]}},
    }
    root: dict[str, Any] = {"resources": [resource]}
    if module:
        root = {"module_calls": {"inner": {"module": root}}}
    read = change(
        "aws_iam_policy_document",
        ["read"],
        None,
        {"statement": after, **source},
        after_unknown={"json": True, "statement": unknown},
        mode="data",
        address=f"{module}data.aws_iam_policy_document.it",
    )
    waits = change(
        "aws_iam_role_policy",
        UPDATE,
        {"policy": json.dumps(before)},
        {},
        after_unknown={"policy": True},
        address=f"{module}{address}[0]",
    )
    return {
        "configuration": {"root_module": root},
        "resource_changes": [change("aws_vpc", ["no-op"], {}, {}), read, waits],
    }


STATEMENT = {
    "sid": "Read",
    "effect": "Allow",
    "actions": ["s3:GetObject"],
    "resources": [BUCKET],
    "principals": [{"type": "AWS", "identifiers": ["arn:aws:iam::1:role/a"]}],
    "condition": [{"test": "StringEquals", "variable": "aws:PrincipalAccount", "values": ["1"]}],
}
IAM = document(allows(Sid="Read", **TO_A, **OWN))
UNKNOWN_RESOURCES = [{"resources": [True]}]
LATER = "what its policy grants is known only after the apply"
ASSUMED = "some of what its policy names is known only after the apply; all else in it grants no more"


@pytest.mark.parametrize("module", ["", "module.inner.", 'module.inner["a"].'])
def test_a_policy_that_waits_for_a_data_source_is_taken_from_there(tmp_path: Path, module: str):
    assert told(tmp_path, **waiting([STATEMENT], [{}], IAM, module)) == []
    wider = {**STATEMENT, "resources": ["*"], "effect": None, "condition": []}
    assert told(tmp_path, **waiting([wider], [{}], IAM, module)) == [
        ("its policy grants more", ("allows s3:GetObject on * to AWS: arn:aws:iam::1:role/a",))
    ]


def test_everybody_is_read_from_a_data_source(tmp_path: Path):
    public = {**STATEMENT, "principals": [{"type": "*", "identifiers": ["*"]}], "condition": []}
    assert told(tmp_path, **waiting([public], [{}], IAM))[0][0] == "its policy grants to everybody"


def test_what_of_a_waiting_policy_is_not_known_is_taken_as_it_was_and_said_so(tmp_path: Path):
    later = {key: value for key, value in STATEMENT.items() if key != "resources"}
    assert told(tmp_path, **waiting([later], UNKNOWN_RESOURCES, IAM)) == [(ASSUMED, ())]
    (reviewed,) = read_plans([write(tmp_path, plan(**waiting([later], UNKNOWN_RESOURCES, IAM)))])
    assert verdict([review(reviewed)]) == "Nothing of weight: 1 other"
    more = {**later, "actions": ["s3:*"]}
    assert told(tmp_path, **waiting([more], UNKNOWN_RESOURCES, IAM))[0][0] == "its policy grants more"


def test_where_nobody_can_tell_what_a_policy_grants_it_is_said_so(tmp_path: Path):
    unknown = [(LATER, ())]
    new = {**STATEMENT, "sid": "New"}
    assert told(tmp_path, **waiting([new], UNKNOWN_RESOURCES, IAM)) == unknown
    assert told(tmp_path, **waiting(None, True, IAM)) == unknown
    assert told(tmp_path, **waiting([STATEMENT], [{}], IAM, source_policy_documents=["{}"])) == unknown
    for configuration in (None, {}, [], {"root_module": {"resources": [1]}}, {"root_module": {"resources": []}}):
        assert told(tmp_path, **{**waiting([STATEMENT], [{}], IAM), "configuration": configuration}) == unknown
    by_hand = {"address": "aws_iam_role_policy.it", "expressions": {"policy": {"references": ["local.policy"]}}}
    configuration = {"root_module": {"resources": [by_hand]}}
    assert told(tmp_path, **{**waiting([STATEMENT], [{}], IAM), "configuration": configuration}) == unknown
    hidden = change("aws_iam_role_policy", UPDATE, {"policy": json.dumps(IAM)}, {"policy": "{}"}, before_sensitive=True)
    assert told(tmp_path, hidden) == [("its policy changes; what it grants is sensitive", ())]


# Ways through the network.

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
def test_a_way_is_told_where_none_was_as_wide(tmp_path: Path, before: Any, after: Any, expected: list[str]):
    found = told(tmp_path, change(RULE, UPDATE, before, after))
    assert [line for _, lines in found for line in lines] == expected


def test_a_new_way_is_told_and_in_a_new_stack_only_where_it_leads_to_the_world(tmp_path: Path):
    inner, outer = (change(RULE, CREATE, None, rule(cidr)) for cidr in ("10.0.0.0/16", "0.0.0.0/0"))
    assert [sentence for sentence, _ in told(tmp_path, inner, outer)] == [
        "opens a way",
        "opens a way to or from the whole internet",
    ]
    assert [lines for _, lines in told(tmp_path, resource_changes=[inner, outer])] == [("tcp port 443 from 0.0.0.0/0",)]


def test_a_way_that_is_not_known_or_not_to_be_told_is_told_as_such(tmp_path: Path):
    later = change(RULE, UPDATE, rule(), rule(None), after_unknown={"cidr_ipv4": True})
    marks = {"cidr_ipv4": True, "from_port": True, "ip_protocol": True}
    hidden = change(RULE, UPDATE, rule("192.0.2.0/24"), rule("192.0.2.9/32"), after_sensitive=marks)
    lines = [line for _, lines in told(tmp_path, later, hidden) for line in lines]
    assert lines == ["tcp port 443 from (known after apply)", "all traffic from (sensitive)"]


def test_rules_within_groups_and_lists_are_compared(tmp_path: Path):
    block = {"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["10.0.0.0/16"], "self": False}
    wider = {**block, "cidr_blocks": ["10.0.0.0/16", "10.9.0.0/16"], "self": True, "security_groups": ["sg-1"]}
    found = told(tmp_path, change("aws_security_group", UPDATE, {"ingress": [block]}, {"ingress": [wider]}))
    assert found == [
        ("opens a way", tuple(f"tcp port 443 from {peer}" for peer in ("10.9.0.0/16", "sg-1", "the group itself")))
    ]
    one = {"type": "egress", **block}
    found = told(tmp_path, change("aws_security_group_rule", UPDATE, one, {**one, "cidr_blocks": ["0.0.0.0/0"]}))
    assert found == [("opens a way to or from the whole internet", ("tcp port 443 to 0.0.0.0/0",))]


def test_a_denial_of_a_network_acl_that_goes_is_told_and_one_that_comes_is_not(tmp_path: Path):
    denial = {"action": "deny", "protocol": "-1", "from_port": 0, "to_port": 0, "cidr_block": "192.0.2.0/24"}
    allowed = {**denial, "action": "allow"}
    without, with_ = {"ingress": [], "egress": []}, {"ingress": [denial], "egress": []}
    gone = told(tmp_path, change("aws_network_acl", UPDATE, with_, without))
    assert gone == [("denies less", ("all traffic from 192.0.2.0/24",))]
    assert told(tmp_path, change("aws_network_acl", UPDATE, without, with_)) == []
    turned = change(
        "aws_network_acl_rule",
        UPDATE,
        {**denial, "egress": True, "rule_action": "deny", "action": None},
        {**allowed, "egress": True, "rule_action": "allow", "action": None},
    )
    assert {sentence for sentence, _ in told(tmp_path, turned)} == {"opens a way", "denies less"}
