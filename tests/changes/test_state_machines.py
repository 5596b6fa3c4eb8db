"""A rehearsal notices state machines that do not do their work, whatever breaks them."""

import json
from collections.abc import Mapping

import pytest

from local_aws.server import LocalAws
from rehearsal.one_environment import Rehearsal
from tests.changes.copies import Task, in_copies
from tests.changes.mutations import Mutation
from tests.changes.mutations.lookup import secret, tagged


def replace_in_definition(tier: str, old: str, new: str) -> Mutation:
    """Change the definition of a tier's state machine."""

    def change(aws: LocalAws) -> None:
        client = aws.client("stepfunctions")
        (machine,) = tagged(aws, "states", "stateMachine", Tier=tier)
        definition = json.dumps(json.loads(client.describe_state_machine(stateMachineArn=machine)["definition"]))
        assert old in definition
        client.update_state_machine(stateMachineArn=machine, definition=definition.replace(old, new))

    return change


def stop_rule(aws: LocalAws) -> None:
    """Disable the rule that starts the redeployment."""
    (machine,) = tagged(aws, "states", "stateMachine", Tier="service")
    (name,) = aws.client("events").list_rule_names_by_target(TargetArn=machine)["RuleNames"]
    aws.client("events").disable_rule(Name=name)


BREAKS: Mapping[str, tuple[Mutation, str]] = {
    "the redeployment names another service": (
        replace_in_definition("service", '"Service": "', '"Service": "other-'),
        "is not authorized to perform: ecs:",
    ),
    "the redeployment starts no deployment": (
        replace_in_definition("service", '"ForceNewDeployment": true', '"ForceNewDeployment": false'),
        "ECS has started no deployment",
    ),
    "the redeployment has a wrong argument": (
        replace_in_definition("service", '"Services": ', '"Service": '),
        "States.Runtime",
    ),
    "the rule starts nothing": (stop_rule, "ECS has started no deployment"),
    "the check reads another secret": (
        replace_in_definition("rotation", '"SecretId": "', '"SecretId": "x'),
        "to perform: secretsmanager:DescribeSecret",
    ),
    "the check compares wrongly": (replace_in_definition("rotation", " < $millis()", " > $millis()"), "published"),
}
"""Changes, and what the problem says."""


@pytest.fixture(scope="module")
def outcomes(rehearsed: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Problems after each change, and without any."""
    return dict(in_copies(rehearsed.aws, tasks(rehearsed), tmp_path_factory.mktemp("copies")))


def tasks(rehearsed: Rehearsal) -> dict[str, Task]:
    changes: dict[str, Mutation] = {name: change for name, (change, _) in BREAKS.items()}
    return {name: _problems_after(rehearsed, change) for name, change in {"": lambda _: None, **changes}.items()}


def _problems_after(rehearsed: Rehearsal, change: Mutation) -> Task:
    def task(copy: LocalAws) -> list[str]:
        change(copy)
        client, id = copy.client("secretsmanager"), secret(copy)
        with rehearsed.checked_state_machines():
            # A new version is current, as after a rotation: the copies share one database.
            client.put_secret_value(SecretId=id, SecretString=client.get_secret_value(SecretId=id)["SecretString"])
        return rehearsed.report.failed_executions

    return task


def test_without_a_change_there_is_no_problem(outcomes: dict[str, list[str]]):
    assert outcomes[""] == []


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_state_machine_is_a_problem(outcomes: dict[str, list[str]], name: str):
    assert BREAKS[name][1] in json.dumps(outcomes[name]), outcomes[name]
