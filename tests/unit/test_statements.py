"""Policy statements as JSON of AWS's API. The snapshots cover the Terraform data sources."""

import pytest

from stacks.statements import (
    EVERYONE,
    Condition,
    Principal,
    Statement,
    account_principal,
    allow,
    as_document,
    deny,
    service_principal,
    string_equals,
)


def rendered(statement: Statement) -> dict[str, object]:
    document = as_document(statement)
    assert document["Version"] == "2012-10-17"
    (only,) = document["Statement"]
    return only


def test_an_identity_policy_has_no_principal():
    assert rendered(allow("Read", ["s3:GetObject"], ["arn:aws:s3:::a/*"])) == {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::a/*"],
    }


def test_a_trust_policy_has_no_resource():
    assert "Resource" not in rendered(
        allow("Assume", ["sts:AssumeRole"], [], to=service_principal("ecs.amazonaws.com"))
    )


def test_a_denial_with_exceptions_has_not_resource():
    statement = rendered(deny("NoOthers", ["s3:*"], [], not_resources=["arn:aws:s3:::a/*"]))
    assert statement["NotResource"] == ["arn:aws:s3:::a/*"]
    assert "Resource" not in statement


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (EVERYONE, "*"),
        (account_principal("111122223333"), {"AWS": "arn:aws:iam::111122223333:root"}),
        (Principal("AWS", ["arn:a", "arn:b"]), {"AWS": ["arn:a", "arn:b"]}),
    ],
)
def test_a_single_principal_is_not_a_list_and_everyone_is_a_star(principal: Principal, expected: object):
    assert rendered(allow("To", ["s3:*"], ["*"], to=principal))["Principal"] == expected


def test_conditions_with_the_same_operator_are_merged():
    when = [string_equals("a:B", "1", "2"), Condition("Bool", "a:C", ["true"]), string_equals("a:D", "3")]
    assert rendered(allow("When", ["s3:*"], ["*"], when=when))["Condition"] == {
        "StringEquals": {"a:B": ["1", "2"], "a:D": "3"},
        "Bool": {"a:C": "true"},
    }
