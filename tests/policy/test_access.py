"""Deployer roles: every rule holds in all environments and finds defects; and IAM's decisions on calls."""

from collections.abc import Callable
from typing import Any

import pytest

from stacks.names import GITHUB_ISSUER
from synthesized.platform import Platform
from tests.conftest import Synthesize
from tests.failures import expect_none
from tests.policy.decisions import assumes, decide
from tests.policy.deployers import RULES, deployers
from tests.policy.planted import is_noticed, with_added, with_changed, with_statement, with_statement_changed

IAM = "arn:aws:iam::111122223333"
TAGS = {"aws__ResourceTag_in_Project": "acme", "aws__ResourceTag_in_Environment": "prod"}
REQUESTED_TAGS = {"aws__RequestTag_in_Project": "acme", "aws__RequestTag_in_Environment": "prod"}
BOUNDED = {"iam__PermissionsBoundary": f"{IAM}:policy/acme-prod-boundary"}
STATE_KEY = {"kms__ResourceAliases": ["alias/acme-prod-state"], "kms__ViaService": "s3.eu-west-3.amazonaws.com"}
STATES = "arn:aws:s3:::acme-prod-state-111122223333-eu-west-3/prod"
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1"


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds(everywhere: list[Platform], rule: str):
    for platform in everywhere:
        expect_none(RULES[rule](platform))


def test_rules_hold_with_atlantis_and_an_existing_oidc_provider(synthesize: Synthesize):
    access = {
        "atlantis_role": "arn:aws:iam::999900001111:role/atlantis/server",
        "oidc_provider": f"{IAM}:oidc-provider/{GITHUB_ISSUER}",
    }
    platform = synthesize("prod", {"access": access})
    expect_none(found for rule in RULES.values() for found in rule(platform))


def may(*actions: str, on: tuple[str, ...] = ("*",), **others: Any) -> Callable[[Platform], Platform]:
    """Add a statement to the apply role."""
    statement = {"sid": "Planted", "effect": "Allow", "actions": list(actions), "resources": list(on), **others}
    return lambda prod: with_statement(prod, "access_identities-permissions", **statement)


def when(variable: str, *values: str, test: str = "StringEquals") -> dict[str, Any]:
    return {"condition": [{"test": test, "variable": variable, "values": list(values)}]}


def trusting(**arguments: Any) -> Callable[[Platform], Platform]:
    """Change the trust policy of the plan role."""
    return lambda prod: with_statement_changed(prod, "access_plan-trust", "GitHub", **arguments)


def token_condition(sub: str, aud: str = "sts.amazonaws.com", test: str = "StringEquals") -> dict[str, Any]:
    return {
        "condition": [
            {"test": test, "variable": f"{GITHUB_ISSUER}:sub", "values": [sub]},
            {"test": "StringEquals", "variable": f"{GITHUB_ISSUER}:aud", "values": [aud]},
        ]
    }


def changed(address: str, **arguments: Any) -> Callable[[Platform], Platform]:
    return lambda prod: with_changed(prod, address, **arguments)


def attached_often(prod: Platform) -> Platform:
    body = {"role": "${aws_iam_role.access_apply.name}", "policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    for number in range(3):
        prod = with_added(prod, "access", "aws_iam_role_policy_attachment", f"planted-{number}", body)
    return prod


def without_passing_on(prod: Platform) -> Platform:
    for sid in ("PassOn", "PassOnToConfig"):
        prod = with_statement_changed(prod, "access_identities-permissions", sid, effect="Deny")
    return prod


PULL_REQUEST = "repo:acme/platform:pull_request"
# Rule, violation, defect.
DEFECTS: list[tuple[str, str, Callable[[Platform], Platform]]] = [
    ("trust", "sub", trusting(condition=[])),
    ("trust", "sub", trusting(**token_condition("repo:acme/*"))),
    ("trust", "sub", trusting(**token_condition("repo:acme/platform:*"))),
    ("trust", "sub", trusting(**token_condition("repo:acme/platform:environment:prod"))),
    ("trust", "sub", trusting(**token_condition(PULL_REQUEST, test="StringLike"))),
    ("trust", "aud", trusting(**token_condition(PULL_REQUEST, aud="https://github.com/acme"))),
    (
        "trust",
        "trusts {'Federated'",
        trusting(principals=[{"type": "Federated", "identifiers": ["accounts.google.com"]}]),
    ),
    ("trust", "sts:TagSession", trusting(actions=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"])),
    (
        "trust",
        "trusts {'AWS': ['arn:aws:iam::111122223333:root']}",
        trusting(actions=["sts:AssumeRole"], principals=[{"type": "AWS", "identifiers": [f"{IAM}:root"]}]),
    ),
    ("trust", "trusts *", trusting(actions=["sts:AssumeRole"], principals=[{"type": "*", "identifiers": ["*"]}])),
    (
        "bounds",
        "permissions_boundary",
        changed("aws_iam_role.access_apply", permissions_boundary=f"{IAM}:policy/acme-prod-boundary"),
    ),
    ("bounds", "access_plan: path", changed("aws_iam_role.access_plan", path="/acme/prod/")),
    ("bounds", "max_session_duration", changed("aws_iam_role.access_plan", max_session_duration=43200)),
    ("bounds", "stores-policy: path", changed("aws_iam_policy.access_stores-policy", path="/")),
    ("sizes", "access_identities-policy: 6", may(*(f"sns:Number{number}" for number in range(99)))),
    ("sizes", "access_apply: 12 policies", attached_often),
    ("named_actions", "Planted: *", may("*")),
    ("named_actions", "Planted: ec2:*", may("ec2:*")),
    ("named_actions", "Planted: ec2:CreateVpcs", may("ec2:CreateVpcs")),
    ("effective", "sns:Publish supports none", may("sns:Publish", on=("arn:aws:sqs:eu-west-3:111122223333:x",))),
    (
        "effective",
        "no action supports arn:aws:rds",
        may("rds:CreateDBCluster", on=("arn:aws:rds:eu-west-3:111122223333:proxy:acme-prod-x",)),
    ),
    (
        "conditions",
        "route53:ChangeResourceRecordSets does not support aws:ResourceTag/Project",
        may("route53:ChangeResourceRecordSets", **when("aws:ResourceTag/Project", "acme")),
    ),
    (
        "conditions",
        "ec2:DeleteVpc does not support aws:RequestTag/Project",
        may("ec2:DeleteVpc", **when("aws:RequestTag/Project", "acme")),
    ),
    (
        "complete",
        "ec2:CreateSubnet needs a vpc",
        lambda prod: with_statement_changed(
            prod,
            "access_network-permissions",
            "ChangeNetwork",
            resources=["arn:aws:ec2:eu-west-3:111122223333:subnet/*"],
        ),
    ),
    ("complete", "lambda:CreateFunction needs iam:PassRole", without_passing_on),
    (
        "callable_in_full",
        "secretsmanager:RotateSecret needs lambda:InvokeFunction on",
        lambda prod: with_statement_changed(
            prod, "access_service-permissions", "Rotation", resources=["arn:aws:lambda:*:*:function:other"]
        ),
    ),
    (
        "documented",
        "elasticfilesystem:DescribeMountTargetSecurityGroups needs ec2:DescribeNetworkInterfaceAttribute",
        lambda prod: with_statement_changed(
            prod,
            "access_reads-permissions",
            "Region",
            actions=["elasticfilesystem:DescribeMountTargetSecurityGroups"],
        ),
    ),
    ("known_things", "ec2:DeleteVpc on", may("ec2:DeleteVpc", on=("arn:aws:ec2:eu-west-3:111122223333:vpc/*",))),
    ("known_things", "rds:DeleteDBCluster on *", may("rds:DeleteDBCluster")),
    (
        "known_things",
        "s3:PutBucketPolicy on",
        may("s3:PutBucketPolicy", on=("arn:aws:s3:::acme-*",)),
    ),
    (
        "roles_of_the_platform",
        "another boundary",
        may("iam:CreateRole", on=(f"{IAM}:role/acme/prod/*",)),
    ),
    (
        "roles_of_the_platform",
        "another boundary",
        may(
            "iam:PutRolePolicy",
            on=(f"{IAM}:role/acme/prod/*",),
            **when("iam:PermissionsBoundary", f"{IAM}:policy/other"),
        ),
    ),
    ("roles_of_the_platform", "passes roles to any service", may("iam:PassRole", on=(f"{IAM}:role/acme/prod/x",))),
    ("roles_of_the_platform", "iam:DeletePolicy on", may("iam:DeletePolicy", on=(f"{IAM}:policy/*",))),
    (
        "every_type",
        "aws_sns_topic: aws_iam_role.access_apply: no sns action of level Write",
        lambda prod: with_statement_changed(prod, "access_records-permissions", "Topics", effect="Deny"),
    ),
    (
        "every_type",
        "aws_sns_topic: aws_iam_role.access_plan: no sns action of level List or Read",
        lambda prod: with_statement_changed(
            prod, "access_reads-permissions", "Region", actions=["sns:GetSubscriptionAttributes"]
        ),
    ),
    ("no_loss", "aws_rds_cluster: aws_iam_role.access_apply: Planted", may("rds:DeleteDBCluster")),
    ("roles_of_the_platform", "iam:TagRole on", may("iam:TagRole", on=(f"{IAM}:role/acme-access/prod/*",))),
]


@pytest.fixture(scope="module")
def before(prod: Platform) -> dict[str, list[str]]:
    """Violations of each rule without a planted defect."""
    return {name: list(rule(prod)) for name, rule in RULES.items()}


@pytest.mark.parametrize(
    ("rule", "violation", "plant"), DEFECTS, ids=[f"{rule}: {violation}" for rule, violation, _ in DEFECTS]
)
def test_rule_finds_the_defect(
    prod: Platform, before: dict[str, list[str]], rule: str, violation: str, plant: Callable[[Platform], Platform]
):
    assert is_noticed(violation, list(RULES[rule](plant(prod))), before[rule])


def test_every_rule_has_a_defect():
    assert {rule for rule, *_ in DEFECTS} == RULES.keys()


EC2 = "arn:aws:ec2:eu-west-3:111122223333"
# Decision, role, action, resource, and condition keys of the request.
DECISIONS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    # The plan role reads configuration, but no data.
    ("allowed", "plan", "ec2:DescribeVpcs", "*", {}),
    ("not allowed", "plan", "ec2:DescribeVpcs", "*", {"aws__RequestedRegion": "eu-west-1"}),
    ("not allowed", "plan", "ec2:DescribeInstances", "*", {}),
    ("allowed", "plan", "s3:GetObject", f"{STATES}/network.tfstate", {}),
    ("allowed", "plan", "s3:PutObject", f"{STATES}/network.tfstate.tflock", {}),
    ("allowed", "plan", "s3:DeleteObject", f"{STATES}/network.tfstate.tflock", {}),
    ("not allowed", "plan", "s3:PutObject", f"{STATES}/network.tfstate", {}),
    ("not allowed", "plan", "s3:DeleteObject", f"{STATES}/network.tfstate", {}),
    *(
        ("denied", role, "s3:GetObject", f"arn:aws:s3:::acme-prod-{bucket}-111122223333-eu-west-3/x", {})
        for role in ("plan", "apply")
        for bucket in ("audit", "config", "delivery")
    ),
    ("allowed", "plan", "kms:Decrypt", KEY, STATE_KEY),
    ("allowed", "plan", "kms:GenerateDataKey", KEY, STATE_KEY),
    ("denied", "plan", "kms:Decrypt", KEY, {"kms__ResourceAliases": ["alias/acme-prod-secrets"]}),
    ("denied", "plan", "kms:Decrypt", KEY, {}),
    ("allowed", "plan", "kms:Decrypt", KEY, {**TAGS, "kms__ViaService": "lambda.eu-west-3.amazonaws.com"}),
    ("not allowed", "plan", "kms:Decrypt", KEY, {"kms__ViaService": "lambda.eu-west-3.amazonaws.com"}),
    ("not allowed", "plan", "ec2:CreateVpc", f"{EC2}:vpc/*", REQUESTED_TAGS),
    *(
        ("denied", role, action, "arn:aws:any:::thing", {})
        for role in ("plan", "apply")
        for action in (
            "secretsmanager:GetSecretValue",
            "secretsmanager:BatchGetSecretValue",
            "ssm:GetParameter",
            "ssm:GetParametersByPath",
            "rds-db:connect",
            "sts:AssumeRole",
        )
    ),
    # The apply role creates resources with the environment's tags, and changes no others.
    ("allowed", "apply", "ec2:CreateVpc", f"{EC2}:vpc/*", REQUESTED_TAGS),
    ("not allowed", "apply", "ec2:CreateVpc", f"{EC2}:vpc/*", {}),
    (
        "not allowed",
        "apply",
        "ec2:CreateVpc",
        f"{EC2}:vpc/*",
        {**REQUESTED_TAGS, "aws__RequestTag_in_Environment": "dev"},
    ),
    ("not allowed", "apply", "ec2:CreateVpc", "arn:aws:ec2:eu-west-1:111122223333:vpc/*", REQUESTED_TAGS),
    ("allowed", "apply", "ec2:CreateSubnet", f"{EC2}:vpc/vpc-1", TAGS),
    ("not allowed", "apply", "ec2:CreateSubnet", f"{EC2}:vpc/vpc-1", REQUESTED_TAGS),
    ("allowed", "apply", "ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group/sg-1", TAGS),
    ("not allowed", "apply", "ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group/sg-1", REQUESTED_TAGS),
    ("allowed", "apply", "ec2:CreateTags", f"{EC2}:vpc/*", {**REQUESTED_TAGS, "ec2__CreateAction": "CreateVpc"}),
    ("not allowed", "apply", "ec2:CreateTags", f"{EC2}:vpc/vpc-1", REQUESTED_TAGS),
    ("allowed", "apply", "ec2:CreateTags", f"{EC2}:security-group/sg-default", REQUESTED_TAGS),
    (
        *("denied", "apply", "ec2:CreateTags", f"{EC2}:security-group/sg-1"),
        {**REQUESTED_TAGS, "aws__ResourceTag_in_Environment": "dev"},
    ),
    ("allowed", "apply", "ec2:RevokeSecurityGroupIngress", f"{EC2}:security-group/sg-default", {}),
    ("not allowed", "apply", "ec2:RunInstances", f"{EC2}:instance/*", REQUESTED_TAGS),
    (
        "allowed",
        "apply",
        "rds:ModifyDBCluster",
        "arn:aws:rds:eu-west-3:111122223333:cluster:acme-prod-database",
        {},
    ),
    ("not allowed", "apply", "rds:ModifyDBCluster", "arn:aws:rds:eu-west-3:111122223333:cluster:payroll", {}),
    (
        # Its name matches the pattern of prod's, too.
        *("denied", "apply", "rds:ModifyDBCluster", "arn:aws:rds:eu-west-3:111122223333:cluster:acme-prod-eu-x"),
        {"aws__ResourceTag_in_Environment": "prod-eu"},
    ),
    (
        "allowed",
        "apply",
        "backup:CreateBackupVault",
        "arn:aws:backup:eu-west-2:111122223333:backup-vault:acme-prod-x",
        {"aws__RequestedRegion": "eu-west-2"},
    ),
    # Roles: under the platform's path, with its boundary, for its services.
    ("allowed", "apply", "iam:CreateRole", f"{IAM}:role/acme/prod/acme-prod-x", BOUNDED),
    ("denied", "apply", "iam:CreateRole", f"{IAM}:role/acme/prod/acme-prod-x", {}),
    ("denied", "apply", "iam:CreateRole", f"{IAM}:role/acme-prod-x", BOUNDED),
    ("denied", "apply", "iam:PutRolePolicy", f"{IAM}:role/acme/prod/acme-prod-x", {}),
    (
        *("allowed", "apply", "iam:AttachRolePolicy", f"{IAM}:role/acme/prod/acme-prod-backup"),
        {**BOUNDED, "iam__PolicyARN": "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"},
    ),
    (
        *("not allowed", "apply", "iam:AttachRolePolicy", f"{IAM}:role/acme/prod/acme-prod-backup"),
        {**BOUNDED, "iam__PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    (
        *("allowed", "apply", "iam:PassRole", f"{IAM}:role/acme/prod/acme-prod-rotation"),
        {"iam__PassedToService": "lambda.amazonaws.com"},
    ),
    # A check that is part of a call to another service may name the Region of that call.
    (
        *("allowed", "apply", "iam:PassRole", f"{IAM}:role/acme/prod/acme-prod-rotation"),
        {"iam__PassedToService": "lambda.amazonaws.com", "aws__RequestedRegion": "eu-west-3"},
    ),
    (
        "allowed",
        "apply",
        "iam:CreateServiceLinkedRole",
        f"{IAM}:role/aws-service-role/rds.amazonaws.com/x",
        {"iam__AWSServiceName": "rds.amazonaws.com", "aws__RequestedRegion": "eu-west-3"},
    ),
    (
        *("not allowed", "apply", "iam:PassRole", f"{IAM}:role/acme/prod/acme-prod-rotation"),
        {"iam__PassedToService": "ec2.amazonaws.com"},
    ),
    ("denied", "apply", "iam:DeleteRolePermissionsBoundary", f"{IAM}:role/acme/prod/acme-prod-x", BOUNDED),
    (
        "allowed",
        "apply",
        "iam:CreateServiceLinkedRole",
        f"{IAM}:role/aws-service-role/rds.amazonaws.com/x",
        {"iam__AWSServiceName": "rds.amazonaws.com"},
    ),
    # The deployer roles and their boundaries cannot be changed.
    *(
        ("denied", "apply", f"iam:{action}", f"{IAM}:{on}", BOUNDED)
        for action, on in (
            ("AttachRolePolicy", "role/acme-access/prod/acme-prod-apply"),
            ("DeleteRole", "role/acme-access/prod/acme-prod-plan"),
            ("PassRole", "role/acme-access/prod/acme-prod-apply"),
            ("PutRolePermissionsBoundary", "role/acme-access/prod/acme-prod-apply"),
            ("PutRolePolicy", "role/acme-access/prod/acme-prod-apply"),
            ("UpdateAssumeRolePolicy", "role/acme-access/prod/acme-prod-apply"),
            ("CreatePolicyVersion", "policy/acme-access/prod/acme-prod-deployment-network"),
            ("CreatePolicyVersion", "policy/acme-prod-boundary"),
            ("SetDefaultPolicyVersion", "policy/acme-prod-boundary"),
            ("DeletePolicy", "policy/acme-prod-boundary"),
            ("AddClientIDToOpenIDConnectProvider", f"oidc-provider/{GITHUB_ISSUER}"),
            ("DeleteOpenIDConnectProvider", f"oidc-provider/{GITHUB_ISSUER}"),
        )
    ),
    ("allowed", "apply", "iam:GetRole", f"{IAM}:role/acme-access/prod/acme-prod-apply", {}),
    ("denied", "apply", "s3:PutObject", f"{STATES}/access.tfstate", {}),
    ("allowed", "apply", "s3:PutObject", f"{STATES}/access.tfstate.tflock", {}),
    ("allowed", "apply", "s3:PutObject", f"{STATES}/network.tfstate", {}),
    ("allowed", "apply", "s3:GetObject", f"{STATES}/network.tfstate", {}),
    ("not allowed", "apply", "s3:DeleteObject", f"{STATES}/network.tfstate", {}),
    ("not allowed", "apply", "s3:PutBucketVersioning", "arn:aws:s3:::acme-prod-state-111122223333-eu-west-3", {}),
    ("allowed", "apply", "s3:PutBucketPolicy", "arn:aws:s3:::acme-prod-delivery-111122223333-eu-west-3", {}),
    # Keys are used through services only; the state key cannot be changed.
    (
        "allowed",
        "apply",
        "kms:PutKeyPolicy",
        KEY,
        {**TAGS, "kms__ResourceAliases": ["alias/acme-prod-secrets"]},
    ),
    (
        "denied",
        "apply",
        "kms:PutKeyPolicy",
        KEY,
        {**TAGS, "kms__ResourceAliases": ["alias/acme-prod-state"]},
    ),
    ("denied", "apply", "kms:UpdateAlias", "arn:aws:kms:eu-west-3:111122223333:alias/acme-prod-state", {}),
    ("allowed", "apply", "kms:Decrypt", KEY, {**TAGS, "kms__ViaService": "rds.eu-west-3.amazonaws.com"}),
    ("not allowed", "apply", "kms:Decrypt", KEY, TAGS),
    # Data, keys and audit trails cannot be deleted.
    *(
        ("denied", "apply", action, "arn:aws:any:::thing", TAGS)
        for action in (
            "cloudtrail:DeleteTrail",
            "cloudtrail:StopLogging",
            "ec2:DeleteFlowLogs",
            "guardduty:DeleteDetector",
            "kms:ScheduleKeyDeletion",
            "rds:DeleteDBCluster",
            "s3:DeleteBucket",
        )
    ),
]


def test_iam_decision(prod: Platform):
    expect_none(
        f"aws_iam_role.access_{role}: {action} on {resource}: {found}, not {decision} ({keys})"
        for decision, role, action, resource, keys in DECISIONS
        if (found := decide(prod, role, action, resource, **keys)) != decision
    )


@pytest.mark.parametrize("role", ["plan", "apply"])
def test_boundary_limits_a_role_that_allows_everything(prod: Platform, role: str):
    """The boundary denies other services, credentials, and changes to the deployer roles."""
    planted = with_statement(
        with_statement(prod, "access_reads-permissions", sid="All", effect="Allow", actions=["*"], resources=["*"]),
        "access_boundary-permissions",
        sid="Unrelated",
        effect="Deny",
        actions=["glacier:*"],
        resources=["*"],
    )
    assert decide(planted, role, "ec2:CreateVpc", "*") == "allowed"
    assert decide(planted, role, "ec2:RunInstances", "*") == "not allowed"
    assert decide(planted, role, "secretsmanager:GetSecretValue", "*") == "denied"
    assert decide(planted, role, "iam:CreateUser", f"{IAM}:user/x") == "denied"
    assert decide(planted, role, "iam:CreatePolicyVersion", f"{IAM}:policy/acme-prod-boundary") == "denied"


def test_apply_role_can_destroy_an_environment_without_deletion_protection(dev: Platform):
    tags = {"aws__ResourceTag_in_Project": "acme", "aws__ResourceTag_in_Environment": "dev"}
    region = "eu-west-3:777788889999"
    assert decide(dev, "apply", "kms:ScheduleKeyDeletion", f"arn:aws:kms:{region}:key/1", **tags) == "allowed"
    assert decide(dev, "apply", "rds:DeleteDBCluster", f"arn:aws:rds:{region}:cluster:acme-dev-x") == "allowed"
    assert decide(dev, "apply", "rds:DeleteDBCluster", f"arn:aws:rds:{region}:cluster:payroll") == "not allowed"
    assert decide(dev, "plan", "kms:ScheduleKeyDeletion", f"arn:aws:kms:{region}:key/1", **tags) == "not allowed"


def test_apply_role_can_empty_buckets_without_deletion_protection_except_for_states(dev: Platform, prod: Platform):
    for platform, decision in ((dev, "allowed"), (prod, "denied")):
        for bucket in platform.of_type("aws_s3_bucket"):
            arn = f"arn:aws:s3:::{bucket.body['bucket']}"
            # tests/unit/test_grants.py covers buckets that the role may not create.
            if decide(platform, "apply", "s3:CreateBucket", arn) == "allowed":
                assert decide(platform, "apply", "s3:DeleteObjectVersion", f"{arn}/a/log") == decision
                assert decide(platform, "plan", "s3:DeleteObjectVersion", f"{arn}/a/log") == "not allowed"
    states = dev.stacks["network"].document["terraform"]["backend"]["s3"]
    state = f"arn:aws:s3:::{states['bucket']}/{states['key']}"
    assert decide(dev, "apply", "s3:DeleteObjectVersion", state) == "not allowed"
    assert decide(dev, "apply", "s3:DeleteObjectVersion", "arn:aws:s3:::payroll/x") == "not allowed"


AUDIENCE = "sts.amazonaws.com"


FORMS = ["acme/platform", "acme@1/platform@2"]


@pytest.mark.parametrize(("repository", "other"), [FORMS, FORMS[::-1]])
def test_tokens_of_one_kind_of_workflow_of_one_repository_are_accepted(
    synthesize: Synthesize, repository: str, other: str
):
    prod = synthesize("prod", {"access": {"repository": repository}})
    roles = {role.resource.name: role for role in deployers(prod)}
    subjects = {"plan": "pull_request", "apply": "environment:prod"}
    strangers = (
        *(other, "acme", "acme/website", "Acme/platform", "mallory/platform"),
        *("acme@1/platform@3", "acme@9/platform@2"),
    )
    for name, role in roles.items():
        assert assumes(role, sub=f"repo:{repository}:{subjects[name]}", aud=AUDIENCE)
        assert not assumes(role, sub=f"repo:{repository}:{subjects[name]}", aud="https://github.com/acme")
        assert not assumes(role, aud=AUDIENCE)
        for stranger in strangers:
            assert not assumes(role, sub=f"repo:{stranger}:{subjects[name]}", aud=AUDIENCE), stranger
        for workflow in {
            *("environment:staging", "environment:prod-eu", "environment:PROD", "ref:refs/heads/main"),
            *("ref:refs/tags/prod", "job_workflow_ref:acme", "", *subjects.values()),
        } - {subjects[name]}:
            assert not assumes(role, sub=f"repo:{repository}:{workflow}", aud=AUDIENCE), workflow
