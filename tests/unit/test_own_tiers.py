"""Tiers of one's own, by the examples: what they declare reaches the project's tiers, and mistakes are reported."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.own.mail.stack import MailStack
from examples.own.sessions.stack import TABLE, SessionsStack
from operations.bootstrap import boundary as bootstrap
from operations.document.pictures.flows import flow_graph
from stacks import own, own_tiers
from stacks.own_tier import Endpoint, Grant, OwnTier
from stacks.settings import SettingsError
from synthesized.catalogue.row import Idempotent, Tagged
from synthesized.catalogue.table import row_of_own_type
from synthesized.controls import CONTROLS
from synthesized.controls.document import Document
from synthesized.platform import Platform
from tests.conftest import synthesize_variation
from tests.policy.deployers import known_things
from tests.synthesized import bodies, conditions, names_of, only, statements


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Production with the two examples."""
    return synthesize_variation(tmp_path_factory.mktemp("extended"), "prod", own=[MailStack, SessionsStack])


def test_each_tier_is_a_stack_with_a_state_of_its_own(extended: Platform):
    assert extended.stacks["sessions"].backend["key"] == "prod/sessions.tfstate"
    assert extended.stacks["mail"].backend["key"] == "prod/mail.tfstate"
    assert {"prod-foundation", "prod-service"} <= set(extended.stacks["sessions"].depends_on)


def test_the_deployment_roles_may_deploy_its_resources(extended: Platform):
    own = statements(extended, "access", "own-permissions")
    assert own["Tables"]["resources"] == ["arn:aws:dynamodb:eu-west-3:111122223333:table/acme-prod-*"]
    assert own["Mail"]["resources"] == [
        "arn:aws:ses:eu-west-3:111122223333:identity/shop.acme.example",
        "arn:aws:ses:eu-west-3:111122223333:configuration-set/acme-prod-mail",
    ]
    reads = statements(extended, "access", "reads-permissions")["Region"]["actions"]
    assert {"dynamodb:DescribeTable", "ses:GetEmailIdentity"} <= set(reads)
    aliases = str(extended.stacks["access"].document)
    assert "alias/acme-prod-sessions" in aliases


def test_nobody_who_deploys_may_lose_its_data(extended: Platform):
    assert "dynamodb:DeleteTable" not in statements(extended, "access", "own-permissions")["Tables"]["actions"]
    assert "dynamodb:DeleteTable" in statements(extended, "access", "identities-permissions")["NoLoss"]["actions"]


def test_tasks_use_it_by_name_and_its_key_through_its_service(extended: Platform):
    allowed = statements(extended, "sessions", "tasks-permissions")
    assert allowed["SessionsTable"]["resources"] == ["arn:aws:dynamodb:eu-west-3:111122223333:table/acme-prod-sessions"]
    assert conditions(allowed["UseKey"]) == {"StringEquals kms:ViaService": ["dynamodb.eu-west-3.amazonaws.com"]}
    assert allowed["UseKey"]["resources"] == ["${aws_kms_key.sessions_key-sessions.arn}"]
    policy = bodies(extended, "aws_iam_role_policy", "sessions")["tasks-policy"]
    assert policy["role"] == "${aws_iam_role.service_service-task.id}"
    assert "UseKey" not in statements(extended, "mail", "tasks-permissions")


def test_the_boundary_of_all_roles_allows_what_tasks_may(extended: Platform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, "own_tiers_of", lambda _: [MailStack, SessionsStack])
    document = bootstrap.boundary(names_of(extended))
    allowed = {each["Sid"]: each for each in document["Statement"]}
    assert allowed["SessionsTable"]["Action"] == ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
    assert allowed["MailSend"]["Resource"] == [
        "arn:aws:ses:eu-west-3:111122223333:identity/*",
        "arn:aws:ses:eu-west-3:111122223333:configuration-set/acme-prod-mail",
    ]
    assert len(json.dumps(document).replace(" ", "")) <= bootstrap.MAX_CHARACTERS


def test_tasks_reach_its_services_through_endpoints(extended: Platform):
    endpoints = bodies(extended, "aws_vpc_endpoint")
    assert endpoints["endpoint-dynamodb"]["vpc_endpoint_type"] == "Gateway"
    assert endpoints["endpoint-email"]["vpc_endpoint_type"] == "Interface"
    rule = bodies(extended, "aws_vpc_security_group_egress_rule")["service-to-dynamodb-443-out"]
    assert rule["prefix_list_id"] == "${aws_vpc_endpoint.network_endpoint-dynamodb.prefix_list_id}"
    # The picture shows each service by its name.
    assert {("service", "S3"), ("service", "DynamoDB")} <= {
        (edge.source, edge.target) for edge in flow_graph(extended).edges if edge.is_encrypted
    }
    for service, action in (("dynamodb", "dynamodb:GetItem"), ("email", "ses:SendEmail")):
        policy = statements(extended, "network", f"endpoint-{service}-policy")["OwnAccount"]
        assert action in policy["actions"]
        assert conditions(policy)["StringEquals aws:PrincipalAccount"] == ["111122223333"]


def test_its_alarms_join_those_of_the_platform(extended: Platform):
    rule = only(extended, "aws_cloudwatch_composite_alarm")["alarm_rule"]
    board = only(extended, "aws_cloudwatch_dashboard")["dashboard_body"]
    for alarm in ("sessions_alarm-throttled", "mail_alarm-bounces"):
        assert f'ALARM("${{aws_cloudwatch_metric_alarm.{alarm}.arn}}")' in rule
        assert f"${{aws_cloudwatch_metric_alarm.{alarm}.arn}}" in board


def test_its_types_have_rows_in_the_catalogue():
    row = row_of_own_type(TABLE, "sessions")
    assert row.keys == {"server_side_encryption.kms_key_arn": "sessions"}
    assert row.recovery == Tagged(r"dynamodb:table/(.+)", "AWS::DynamoDB::Table")
    (records, _) = MailStack.resource_types
    assert row_of_own_type(records, "mail").keys == {}
    untagged = row_of_own_type(type(TABLE)("aws_dynamodb_resource_policy", denied_without_tls="dynamodb:*"), "sessions")
    assert untagged.recovery == Idempotent("apply")
    assert untagged.denied_without_tls == "dynamodb:*"


class FilesStack(OwnTier):
    """A bucket by the ARN of its name, and endpoints that the platform or another own tier has, too."""

    tier = "files"
    tasks = (Grant("Objects", "s3", "GetObject", "arn:aws:s3:::{ours}files-{account}-{region}/*"),)
    roles = (Grant("Index", "s3", "ListBucket", "arn:aws:s3:::{ours}files-{account}-{region}"),)
    passed_to = ("firehose.amazonaws.com",)
    endpoints = (
        Endpoint("s3", ("s3:DeleteObject",), is_gateway=True),
        Endpoint("sts", ("sts:GetAccessKeyInfo", "sts:AssumeRole")),
        Endpoint("secretsmanager", ("secretsmanager:ListSecrets",)),
        Endpoint("dynamodb", ("dynamodb:Query",), is_gateway=True),
    )


def test_a_grant_may_name_an_arn(extended: Platform):
    objects, _ = FilesStack.boundary_statements(names_of(extended))
    assert objects.resources == ["arn:aws:s3:::acme-prod-files-111122223333-eu-west-3/*"]


def test_roles_of_its_own_may_do_what_it_declares_within_the_boundary(tmp_path: Path, extended: Platform):
    _, index = FilesStack.boundary_statements(names_of(extended))
    assert (index.sid, index.actions) == ("FilesIndex", ["s3:ListBucket"])
    platform = synthesize_variation(tmp_path / "roles", "prod", own=[FilesStack])
    passed = conditions(statements(platform, "access", "identities-permissions")["PassOn"])
    assert {"firehose.amazonaws.com", "lambda.amazonaws.com"} <= set(passed["StringEquals iam:PassedToService"])


def test_a_boundary_that_own_tiers_overfill_is_refused(extended: Platform, monkeypatch: pytest.MonkeyPatch):
    grants = tuple(Grant(f"Many{number}", "s3", "GetObject", f"arn:aws:s3:::{'x' * 50}/*") for number in range(20))
    monkeypatch.setattr(FilesStack, "tasks", grants)
    monkeypatch.setattr(bootstrap, "own_tiers_of", lambda _: [SessionsStack, FilesStack])
    with pytest.raises(
        SettingsError,
        match=r"^stacks/own/sessions, stacks/own/files: tasks, roles: make the permissions boundary of prod \d+ "
        r"characters long; allowed: IAM's limit of 6144, with fewer or shorter actions and resources$",
    ):
        bootstrap.boundary(names_of(extended))


def test_an_endpoint_allows_what_all_tiers_need(tmp_path: Path):
    platform = synthesize_variation(tmp_path / "merged", "prod", own=[SessionsStack, FilesStack])
    actions = {
        service: statements(platform, "network", f"endpoint-{service}-policy")["OwnAccount"]["actions"]
        for service in ("s3", "sts", "secretsmanager", "dynamodb")
    }
    assert {"s3:DeleteObject", "s3:GetObject"} <= set(actions["s3"])
    assert sorted(actions["sts"]) == ["sts:AssumeRole", "sts:GetAccessKeyInfo", "sts:GetCallerIdentity"]
    assert {"secretsmanager:ListSecrets", "secretsmanager:GetSecretValue"} <= set(actions["secretsmanager"])
    assert {"dynamodb:GetItem", "dynamodb:Query"} <= set(actions["dynamodb"])


def test_rules_find_nothing_in_the_examples(extended: Platform):
    assert not list(known_things(extended))


def test_a_function_outside_the_vpc_and_a_store_without_key_are_one_problem(extended: Platform):
    document = Document.of(extended)
    document.bodies["aws_lambda_function.own_function"] = {"function_name": "x"}
    document.bodies["aws_dynamodb_table.sessions_table"] = {"name": "x"}
    document.bodies["aws_sns_topic.own_topic"] = {"name": "x"}
    found = {control.name: control.problems(document) for control in CONTROLS}
    assert not found["data-store-sources"]
    assert not found["one-key-per-purpose"]
    assert not found["alarm-subscriptions"]


def test_a_folder_without_a_stack_is_reported(folder: Path):
    (folder / "lost").mkdir()
    (folder / "lost" / "stacks.py").touch()
    with pytest.raises(SettingsError, match=r"^stacks/own/lost: has no stack\.py$"):
        own_tiers.own_tiers()


def write(folder: Path, name: str, stack: str) -> None:
    (folder / name).mkdir()
    (folder / name / "stack.py").write_text(stack)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in place of `stacks/own`."""
    monkeypatch.setattr(own_tiers, "FOLDER", tmp_path)
    monkeypatch.setattr(own, "__path__", [str(tmp_path)])
    own_tiers.own_tiers.cache_clear()
    yield tmp_path
    own_tiers.own_tiers.cache_clear()


TIER = "from stacks.own_tier import OwnTier\nclass Stack(OwnTier):\n    tier = {name!r}\n"


def test_tiers_are_found_in_their_folders(folder: Path):
    assert own_tiers.own_tiers() == []
    own_tiers.own_tiers.cache_clear()
    write(folder, "founda", TIER.format(name="founda"))
    write(folder, "foundb", TIER.format(name="foundb"))
    assert [each.tier for each in own_tiers.own_tiers()] == ["founda", "foundb"]


def test_a_tier_can_be_of_some_environments_only(folder: Path):
    write(folder, "limited", f"{TIER.format(name='limited')}    environments = ('dev',)\n")
    assert [each.tier for each in own_tiers.own_tiers_of("dev")] == ["limited"]
    assert own_tiers.own_tiers_of("prod") == []


@pytest.mark.parametrize(
    ("name", "stack", "message"),
    [
        ("two-words", "", "allowed: a folder name of 2 to 16 lowercase letters and digits, starting with a letter"),
        ("cache", "", "allowed: a folder name that no tier of the project has"),
        ("broken", "x = 1\ndef (\n", "stack.py, line 2: invalid syntax"),
        ("helpless", "x = 1\nimport nowhere\n", "stack.py, line 2: ModuleNotFoundError: No module named 'nowhere'"),
        ("nameless", "x = 1\n\n\ndef f():\n    y\n\n\nf()\n", "stack.py, line 5: NameError: name 'y' is not defined"),
        ("nothing", "", "stack.py has 0 classes that derive from OwnTier; allowed: one"),
        ("renamed", TIER.format(name="other"), "stack.py: tier = 'other'; allowed: 'renamed', the name of the folder"),
    ],
)
def test_mistakes_are_reported_with_the_folder(folder: Path, name: str, stack: str, message: str):
    write(folder, name, stack)
    with pytest.raises(SettingsError) as error:
        own_tiers.own_tiers()
    assert str(error.value) == f"stacks/own/{name}: {message}"
