"""IAM's decisions, held against the examples of AWS's documentation: pages of the IAM user guide, by their name."""

import json
from typing import Any

import pytest

from local_aws.policies import Decision, Keys, Policies, Principal, Request, Statement, decide, holds, parse

ROLE = Principal("arn:aws:iam::111122223333:role/carlos", "arn:aws:sts::111122223333:assumed-role/carlos/one")
BUCKET = "arn:aws:s3:::amzn-s3-demo-bucket"


def statements(*bodies: dict[str, Any]) -> tuple[Statement, ...]:
    return parse("policy", json.dumps({"Statement": [{"Effect": "Allow", **body} for body in bodies]}))


def ask(policies: Policies, action: str = "s3:GetObject", resource: str = f"{BUCKET}/one", **keys: Any) -> Decision:
    named = {name.replace("__", ":").replace("_in_", "/"): value for name, value in keys.items()}
    return decide(Request(ROLE, action, resource, Keys(named)), policies)


def allows(body: dict[str, Any], action: str = "s3:GetObject", resource: str = f"{BUCKET}/one", **keys: Any) -> bool:
    return ask(Policies(statements(body)), action, resource, **keys).is_allowed


READ = {"Action": "s3:GetObject", "Resource": "*"}
DENY = {**READ, "Effect": "Deny"}
TO_ROLE = {**READ, "Principal": {"AWS": ROLE.arn}}
TO_SESSION = {**READ, "Principal": {"AWS": ROLE.session}}
TO_ACCOUNT = {**READ, "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
TO_ALL = {**READ, "Principal": "*"}
OTHER = {"Action": "sqs:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("identity", "boundary", "resource", "reason"),
    [
        # reference_policies_evaluation-logic_policy-eval-denyallow: deny by default, allow, explicit deny.
        ([], None, [], "because no identity-based policy allows the s3:GetObject action"),
        ([READ], None, [], ""),
        ([READ, DENY], None, [], "with an explicit deny in an identity-based policy"),
        ([READ], None, [{**TO_ALL, "Effect": "Deny"}], "with an explicit deny in a resource-based policy"),
        # reference_policies_evaluation-logic_policy-eval-basics-identity-rdp: either is enough.
        ([], None, [TO_ROLE], ""),
        ([], None, [TO_ALL], ""),
        ([OTHER], None, [TO_SESSION], ""),
        # reference_policies_elements_principal: the account delegates to its administrators.
        ([], None, [TO_ACCOUNT], "because no identity-based policy allows the s3:GetObject action"),
        ([READ], None, [TO_ACCOUNT], ""),
        # access_policies_boundaries: the intersection of both, and what a boundary does not limit.
        ([READ], [READ], [], ""),
        ([READ], [OTHER], [], "because no permissions boundary allows the s3:GetObject action"),
        ([OTHER], [READ], [], "because no identity-based policy allows the s3:GetObject action"),
        ([READ], [DENY, READ], [], "with an explicit deny in a permissions boundary"),
        ([], [OTHER], [TO_ROLE], "because no permissions boundary allows the s3:GetObject action"),
        ([], [OTHER], [TO_SESSION], ""),
    ],
)
def test_policies_are_evaluated_together(
    identity: list[dict[str, Any]], boundary: list[dict[str, Any]] | None, resource: list[dict[str, Any]], reason: str
):
    limit = None if boundary is None else statements(*boundary)
    assert ask(Policies(statements(*identity), limit, statements(*resource))).reason == reason


@pytest.mark.parametrize(
    ("identity", "policy", "reason"),
    [
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
        ([READ], [], "because no resource-based policy allows the s3:GetObject action"),
        ([READ], [TO_ACCOUNT], ""),
        ([], [TO_ACCOUNT], "because no identity-based policy allows the s3:GetObject action"),
        ([], [TO_ROLE], ""),
    ],
)
def test_a_key_is_used_only_if_its_own_policy_lets_it(
    identity: list[dict[str, Any]], policy: list[dict[str, Any]], reason: str
):
    policies = Policies(statements(*identity), resource=statements(*policy), needs_resource_policy=True)
    assert ask(policies).reason == reason


def test_the_policy_of_an_endpoint_must_allow_what_comes_through_it():
    """https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"""
    assert ask(Policies(statements(READ), endpoint=statements(TO_ALL))).is_allowed
    refused = ask(Policies(statements(READ), endpoint=statements({**OTHER, "Principal": "*"})))
    assert refused.reason == "because no VPC endpoint policy allows the s3:GetObject action"
    refused = ask(Policies(statements(READ), endpoint=statements(TO_ALL, {**TO_ALL, "Effect": "Deny"})))
    assert refused.reason == "with an explicit deny in a VPC endpoint policy"


def test_a_statement_is_needed_if_no_other_of_its_kind_allows_the_request():
    (only,) = statements({**READ, "Sid": "Only"})
    first, second = statements({**READ, "Sid": "First"}, {**READ, "Sid": "Second"})
    assert ask(Policies([only])).needed == {only}
    assert ask(Policies([first, second])).needed == set()
    assert ask(Policies([first, second], [only])).needed == {only}
    assert ask(Policies([only], resource=statements(TO_ROLE))).needed == set()


def test_who_a_resource_policy_names():
    """reference_policies_elements_principal"""

    def names(body: dict[str, Any], principal: Principal = ROLE) -> bool:
        return statements(body)[0].names(principal)

    service = Principal("events.amazonaws.com")
    assert names({"Principal": {"AWS": "111122223333"}})
    assert names({"Principal": {"AWS": ["999999999999", ROLE.session]}})
    assert names({"Principal": {"AWS": "*"}}, service)
    assert names({"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}, service)
    assert not names({"Principal": {"Service": "sns.amazonaws.com"}}, service)
    assert not names({"Principal": {"AWS": "arn:aws:iam::999999999999:root"}})
    with pytest.raises(NotImplementedError, match="NotPrincipal"):
        names({"NotPrincipal": {"AWS": ROLE.arn}})
    provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    assert names({"Principal": {"Federated": provider}}, Principal("", federated=provider))
    assert not names({"Principal": {"Federated": provider}}, Principal("", federated=f"{provider}s"))
    assert not names({"Principal": {"AWS": ROLE.arn}}, Principal("", federated=provider))


def test_actions_and_resources_match_with_wildcards():
    """reference_policies_elements_action, _notaction, _resource, _notresource"""
    assert allows({"Action": "S3:getobject", "Resource": "*"})
    assert allows({"Action": ["sqs:*", "s3:Get*"], "Resource": f"{BUCKET}/*"})
    assert not allows({"Action": "s3:GetObject?", "Resource": "*"})
    assert allows({"Action": "*", "Resource": f"{BUCKET}/*/test/*"}, resource=f"{BUCKET}/1/2/test/3.jpg")
    assert not allows({"Action": "*", "Resource": f"{BUCKET}/*/test/*"}, resource=f"{BUCKET}/test/3.jpg")
    assert allows({"NotAction": "iam:*", "Resource": "*"})
    assert not allows({"NotAction": "s3:*", "Resource": "*"})
    assert not allows({"Action": "*", "NotResource": [f"{BUCKET}/*"]})
    assert allows({"Action": "*", "NotResource": BUCKET})
    topic = "arn:aws:sns:us-east-1:111122223333:orders"
    assert allows({"Action": "*", "Resource": "arn:aws:sns:*:*:ord*"}, "sns:Publish", topic)
    assert allows({"Action": "*", "Resource": "arn:aws:sns*"}, "sns:Publish", topic)
    assert not allows({"Action": "*", "Resource": "arn:aws:sqs*"}, "sns:Publish", topic)
    group = "arn:aws:logs:us-east-1:111122223333:log-group:one:log-stream:two"
    assert allows({"Action": "*", "Resource": "arn:aws:logs:*:*:log-group:*"}, "logs:PutLogEvents", group)


def test_policy_variables_are_replaced():
    """reference_policies_variables"""
    own = {"Action": "*", "Resource": f"{BUCKET}/${{aws:PrincipalTag/team}}/*"}
    assert allows(own, resource=f"{BUCKET}/yellow/1", aws__PrincipalTag_in_team="yellow")
    assert not allows(own, resource=f"{BUCKET}/red/1", aws__PrincipalTag_in_team="yellow")
    assert not allows(own, resource=f"{BUCKET}//1")
    default = {"Action": "*", "Resource": f"{BUCKET}/${{aws:PrincipalTag/team, 'company-wide'}}/*"}
    assert allows(default, resource=f"{BUCKET}/company-wide/1")
    literal = {"Action": "*", "Resource": f"{BUCKET}/${{*}}/${{$}}1"}
    assert allows(literal, resource=f"{BUCKET}/*/$1")
    assert not allows(literal, resource=f"{BUCKET}/a/$1")
    tagged = {**READ, "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}}
    assert allows(tagged, aws__PrincipalTag_in_team="red", aws__ResourceTag_in_team="red")
    assert not allows(tagged, aws__ResourceTag_in_team="red")


def test_all_conditions_hold_with_any_of_their_values():
    """reference_policies_condition-logic-multiple-context-keys-or-values"""
    condition = {"StringEquals": {"aws:a": ["1", "2"], "aws:b": "3"}, "Bool": {"aws:c": True}}
    assert allows({**READ, "Condition": condition}, aws__A="2", aws__b="3", aws__c="true")
    assert not allows({**READ, "Condition": condition}, aws__a="2", aws__b="4", aws__c="true")
    assert not allows({**READ, "Condition": condition}, aws__a="2", aws__b="3", aws__c="false")


# reference_policies_elements_condition_operators and reference_policies_condition-single-vs-multi-valued-context-keys
CONDITIONS: list[tuple[str, list[str] | None, list[str], bool]] = [
    ("StringEquals", ["a"], ["b", "a"], True),
    ("StringEquals", ["A"], ["a"], False),
    ("StringEqualsIgnoreCase", ["A"], ["a"], True),
    ("StringEquals", None, ["a"], False),
    ("StringEqualsIfExists", None, ["a"], True),
    ("StringEqualsIfExists", ["b"], ["a"], False),
    ("StringNotEquals", ["a"], ["a", "b"], False),
    ("StringNotEquals", ["c"], ["a", "b"], True),
    ("StringNotEquals", None, ["a"], True),
    ("StringLike", ["home/a/b"], ["home/*"], True),
    ("StringNotLike", ["home/a"], ["home/?"], False),
    ("NumericLessThanEquals", ["10"], ["10"], True),
    ("NumericLessThan", ["1.2"], ["1.2"], False),
    ("NumericGreaterThan", ["9"], ["10"], False),
    ("DateGreaterThan", ["2026-07-16T00:00:00Z"], ["2026-07-15T12:00:00Z"], True),
    ("DateLessThan", ["1784246400"], ["2026-07-15T12:00:00"], False),
    ("Bool", ["False"], ["false"], True),
    ("BoolIfExists", None, ["true"], True),
    ("BinaryEquals", ["QmluYXJ5"], ["QmluYXJ5"], True),
    ("IpAddress", ["203.0.113.7"], ["203.0.113.0/24", "2001:db8::/32"], True),
    ("NotIpAddress", ["203.0.113.7"], ["203.0.113.0/24"], False),
    ("ArnLike", ["arn:aws:sns:eu-west-1:1:a"], ["arn:aws:sns:*:1:*"], True),
    ("ArnEquals", ["arn:aws:sns:eu-west-1:1:a"], ["arn:aws:sns:*:1:b"], False),
    # Wildcards stay within the parts of an ARN that colons separate, except in the last.
    ("ArnLike", ["arn:aws:sns:eu-west-1:1:a"], ["arn:aws:*:a"], False),
    ("ArnNotLike", ["arn:aws:sns:eu-west-1:1:a"], ["arn:aws:sns:*:1:*"], False),
    ("Null", None, ["true"], True),
    ("Null", ["a"], ["true"], False),
    ("Null", ["a"], ["false"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b", "c"], True),
    ("ForAllValues:StringEquals", ["a", "d"], ["a", "b", "c"], False),
    ("ForAllValues:StringEquals", None, ["a"], True),
    ("ForAnyValue:StringEquals", ["a", "d"], ["a", "b"], True),
    ("ForAnyValue:StringEquals", ["d"], ["a", "b"], False),
    ("ForAnyValue:StringEquals", None, ["a"], False),
    ("ForAllValues:StringNotEquals", ["a", "d"], ["a"], False),
]


@pytest.mark.parametrize(("operator", "actual", "expected", "outcome"), CONDITIONS)
def test_condition_operators(operator: str, actual: list[str] | None, expected: list[str], outcome: bool):
    assert holds(operator, actual, expected) == outcome


def test_an_unknown_operator_is_an_error():
    with pytest.raises(NotImplementedError, match="StringMatches"):
        holds("StringMatches", ["a"], ["a"])
