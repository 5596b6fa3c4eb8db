"""Statements of deployed roles without which nothing of a rehearsal would have been denied.

Each statement that allows something is as good as taken away in turn: the local AWS records, for each check of a call,
whether one statement alone allowed it.
"""

import re
from collections.abc import Iterator, Mapping

from local_aws.authorization import Authorizer
from local_aws.policies import Statement
from local_aws.policy_parsing import as_list
from stacks.names import Names
from synthesized.permissions import EXPECTED_UNUSED

EXPECTED_IDLE: Mapping[str, str] = {
    r".*-apply: .*-reads-by-name/Provider": "both deployer roles share what reads; one plans the access tier",
    r".*-apply: .*-records/Rules": "rules of AWS Config exist then; they are made by another statement",
    r".*: .*/(Tell|EncryptWhatIsTold)": "state machines tell of failures, and none fails",
    r".*-service-task: .*": "no task runs",
    r"boundary: .*/(Files|Cache)": "tasks need it, and none runs",
    r"boundary: .*/Backups": "no backup runs",
    r"boundary: .*/Alarms": "state machines tell of failures, and none fails",
}
"""Statements that a rehearsal does not need: a pattern of the role, the policy and the Sid, and the reason."""


def idle_statements(authorizer: Authorizer, names: Names) -> Iterator[str]:
    """Statements of the environment's roles that no call needed, without a reason; one line each."""
    roles = [
        each for each in authorizer.iam.roles.values() if each.path.startswith((names.role_path, names.access_path))
    ]
    boundaries: dict[Statement, bool] = {}
    for role in sorted(roles, key=lambda role: role.name):
        needed = authorizer.records[role.arn].statements
        for statement in authorizer.statements(role):
            line = f"{role.name}: {statement}"
            if statement not in needed and _must_be_needed(statement) and not _has_reason(line):
                yield line
        for statement in authorizer.boundary(role) or ():
            boundaries[statement] = boundaries.get(statement, False) or statement in needed
    # Each role needs a part of its boundary, and all roles together the whole.
    for statement, is_needed in boundaries.items():
        line = f"boundary: {statement}"
        if not is_needed and _must_be_needed(statement) and not _has_reason(line):
            yield line


def _must_be_needed(statement: Statement) -> bool:
    """Whether the statement allows something that a first deployment is expected to use."""
    is_of_aws = statement.policy.startswith("arn:aws:iam::aws:")
    actions = as_list(statement.body.get("Action"))
    return (
        statement.effect == "Allow"
        and not is_of_aws
        and not (actions and all(_is_expected_unused(action) for action in actions))
    )


def _has_reason(line: str) -> bool:
    return any(re.fullmatch(pattern, line) for pattern in EXPECTED_IDLE)


def _is_expected_unused(action: str) -> bool:
    return any(re.fullmatch(pattern, action) for pattern in EXPECTED_UNUSED)
