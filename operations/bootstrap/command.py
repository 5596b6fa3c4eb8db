"""What must exist in an account before its first stack: bucket and key of the states, boundary, administrators."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from operations.account import Account, EnvironmentName, connect, settings_of
from operations.bootstrap.boundary import (
    bootstrap_arns,
    boundary,
    key_administrators_permissions,
    key_administrators_trust,
)
from operations.bootstrap.state_bucket import StateBucket
from operations.bootstrap.state_key import StateKey
from operations.bootstrap.steps import ABSENT, Step, apply_steps, policy_step, steps_table, unchanged
from operations.errors import RefusedError, call_or_none, one_line_errors
from operations.terminal import console
from stacks.names import Names


def bootstrap(
    environment: EnvironmentName,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and end.")] = False,
    print_boundary: Annotated[
        bool, typer.Option("--print-boundary", help="Print the boundary's policy as JSON, without AWS, and end.")
    ] = False,
) -> None:
    """Make what must exist in an environment's account before its first stack.

    That is: the bucket that the stacks' states lie in, and its KMS key; the permissions boundary of the platform's
    roles; the role that administers its keys; AWS Config's own role, where Config is on. Boundary and administrators
    are made where the settings name them `globecart-ENV-boundary` and `globecart-ENV-key-administrators`; others are
    your organization's, and must be there.

    Once, before the first deploy, by somebody who may make roles. It shows what it will do and asks first. It deletes
    nothing, changes nothing that is stricter than its own, and does nothing at all where it refuses anything. Run it
    again whenever you like: what is as it should be stays as it is.

    Example: `python -m operations bootstrap dev --dry-run`

    Exit codes: 0 done, or nothing to be done; 1 refused or failed; 2 usage.
    """
    with one_line_errors():
        if print_boundary:
            typer.echo(json.dumps(boundary(Names.from_settings(settings_of(environment))), indent=2))
            return
        account = connect(environment)
        steps = list(steps_of(account))
        shown = console()
        shown.print(steps_table(steps, f"{environment}: account {account.settings.account}, {account.settings.region}"))
        _refuse(steps, shown)
        if not any(step.apply for step in steps):
            shown.print("Nothing is to be done.")
            return
        if dry_run:
            shown.print("Nothing was done (--dry-run).")
            return
        if not yes and not typer.confirm("Do this?"):
            raise RefusedError("nothing was done")
        apply_steps(steps, lambda line: shown.print(line, markup=False))


def steps_of(account: Account) -> Iterator[Step]:
    """All that must be so, in the order of making: AWS refuses a key whose administrator is not there."""
    yield from _identity_steps(account)
    key = StateKey(account)
    yield from key.steps()
    yield from StateBucket(account, key).steps()


def _refuse(steps: list[Step], shown: Console) -> None:
    refused = [step for step in steps if step.is_refused]
    for step in refused:
        shown.print(f"{step.name}: {step.current}. What to do: {step.remedy}", soft_wrap=True, markup=False)
        if step.missing_statements:
            shown.print(json.dumps(step.missing_statements, indent=2), soft_wrap=True, markup=False)
    if refused:
        raise RefusedError("nothing was done, so that nothing of yours is weakened")


def _identity_steps(account: Account) -> Iterator[Step]:
    iam = account.client("iam")
    our_boundary, our_role = bootstrap_arns(account.settings)
    arn = account.settings.permissions_boundary
    policy = call_or_none(iam.get_policy, "NoSuchEntity", PolicyArn=arn)
    yield (
        _boundary_step(account, iam, policy)
        if arn == our_boundary
        else _organization_step("permissions boundary", arn, policy, our_boundary)
    )
    for arn in account.settings.foundation.key_administrators:
        role = call_or_none(iam.get_role, "NoSuchEntity", RoleName=arn.rpartition("/")[2])
        if arn == our_role:
            yield from _key_administrator_steps(account, iam, role)
        else:
            yield _organization_step("key administrators", arn, role, our_role)
    if account.settings.audit.config:
        yield _config_role_step(account, iam)


def _config_role_step(account: Account, iam: Any) -> Step:
    """The account has one, for all its Regions and whoever records there: no environment's stack can keep it."""
    name = account.names.config_role_arn.rpartition("/")[2]
    what = f"role of AWS Config {name}"
    if call_or_none(iam.get_role, "NoSuchEntity", RoleName=name):
        return unchanged(what, "AWS's own")
    return Step(
        what, ABSENT, "AWS's own", lambda: iam.create_service_linked_role(AWSServiceName="config.amazonaws.com")
    )


def _organization_step(what: str, arn: str, there: Any, ours: str) -> Step:
    if there:
        return unchanged(f"{what} {arn}", "your organization's")
    return Step(
        f"{what} {arn}",
        ABSENT,
        "left as it is",
        remedy=f"let your organization make it, or name {ours} in the settings, which bootstrap makes",
    )


def _boundary_step(account: Account, iam: Any, policy: Any) -> Step:
    name = account.names.resource_name("boundary")
    wanted = boundary(account.names)
    version = policy and iam.get_policy_version(
        PolicyArn=account.settings.permissions_boundary, VersionId=policy["Policy"]["DefaultVersionId"]
    )
    return policy_step(
        f"permissions boundary {name}",
        wanted,
        version and version["PolicyVersion"]["Document"],
        "what the platform's roles do; no identities, no code of others, no policies, no states",
        lambda: iam.create_policy(
            PolicyName=name,
            PolicyDocument=json.dumps(wanted),
            Description=f"What no role of {account.settings.name} may exceed",
            Tags=_tags(account),
        ),
        "compare it with --print-boundary; if that is what you want, set it as the new default version "
        f"(aws iam create-policy-version --set-as-default --policy-arn {account.settings.permissions_boundary})",
    )


def _key_administrator_steps(account: Account, iam: Any, role: Any) -> Iterator[Step]:
    name = account.names.resource_name("key-administrators")
    what = f"key administrators {name}"
    yield (
        # Who may assume it is for the account's people to say.
        unchanged(what, "there, with its own trust")
        if role
        else Step(
            what,
            ABSENT,
            "assumed from this account with a second factor",
            lambda: iam.create_role(
                RoleName=name,
                Description=f"Administers the keys of {account.settings.name}, without use of them",
                AssumeRolePolicyDocument=json.dumps(key_administrators_trust(account.names)),
                MaxSessionDuration=3600,
                Tags=_tags(account),
            ),
        )
    )
    permissions = {"RoleName": name, "PolicyName": "key-administration"}
    answer = call_or_none(iam.get_role_policy, "NoSuchEntity", **permissions)
    yield policy_step(
        "policy of the key administrators",
        key_administrators_permissions(),
        answer and answer["PolicyDocument"],
        "find keys, never use one",
        lambda: iam.put_role_policy(**permissions, PolicyDocument=json.dumps(key_administrators_permissions())),
        f"add what it lacks (aws iam put-role-policy --role-name {name})",
    )


def _tags(account: Account) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in account.tags.items()]
