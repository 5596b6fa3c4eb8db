"""`python -m operations bootstrap ENV`: creates the account's prerequisites for the first stack."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from operations.account import Account, EnvironmentName, connect, settings_of
from operations.bootstrap.boundary import (
    boundary,
    key_administrators_permissions,
    key_administrators_trust,
)
from operations.bootstrap.state_bucket import StateBucket
from operations.bootstrap.state_key import StateKey
from operations.bootstrap.steps import ABSENT, Step, apply_steps, policy_step, steps_table, unchanged
from operations.errors import RefusedError, call_or_none, one_line_errors
from operations.terminal import console


def bootstrap(
    environment: EnvironmentName,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps, then exit.")] = False,
    print_boundary: Annotated[
        bool,
        typer.Option("--print-boundary", help="Print the boundary's policy, then exit. Needs no AWS."),
    ] = False,
) -> None:
    """Create the prerequisites for the first stack in an environment's account.

    These are the bucket for Terraform's states and its KMS key, the permissions boundary of the platform's roles, the
    role that administers its keys, and AWS Config's service-linked role if Config is enabled. Bootstrap creates the
    boundary and the role only if the settings name them `COMPANY-ENV-boundary` and
    `COMPANY-ENV-key-administrators`; any others are your organization's and must exist.

    It shows its steps and asks for confirmation. It deletes nothing, replaces nothing that is stricter, and changes
    nothing at all if any step is refused. Running it again is safe.

    When: once, before the first deployment, by somebody who may create roles.

    Example: `python -m operations bootstrap dev --dry-run`

    Exit codes: 0 done, or nothing to do; 1 refused or failed; 2 usage.
    """
    with one_line_errors():
        if print_boundary:
            typer.echo(json.dumps(boundary(settings_of(environment).names), indent=2))
            return
        account = connect(environment)
        steps = list(steps_of(account))
        terminal = console()
        terminal.print(
            steps_table(steps, f"{environment}: account {account.settings.account}, {account.settings.region}")
        )
        _refuse(steps, terminal)
        if not any(step.apply for step in steps):
            terminal.print("Nothing to do.")
            return
        if dry_run:
            terminal.print("Nothing was done (--dry-run).")
            return
        if not yes and not typer.confirm("Apply these steps?"):
            raise RefusedError("nothing was done")
        apply_steps(steps, lambda line: terminal.print(line, markup=False))


def steps_of(account: Account) -> Iterator[Step]:
    """All steps, in order: AWS rejects a key policy whose administrator does not exist."""
    yield from _identity_steps(account)
    key = StateKey(account)
    yield from key.steps()
    yield from StateBucket(account, key).steps()


def _refuse(steps: list[Step], terminal: Console) -> None:
    refused = [step for step in steps if step.is_refused]
    for step in refused:
        terminal.print(f"{step.name}: {step.current}. Remedy: {step.remedy}", soft_wrap=True, markup=False)
        if step.missing_statements:
            terminal.print(json.dumps(step.missing_statements, indent=2), soft_wrap=True, markup=False)
    if refused:
        raise RefusedError("nothing was done: a step was refused")


def _identity_steps(account: Account) -> Iterator[Step]:
    iam = account.client("iam")
    own_boundary, own_role = account.names.boundary_arn, account.names.key_administrators_arn
    arn = account.settings.permissions_boundary
    policy = call_or_none(iam.get_policy, "NoSuchEntity", PolicyArn=arn)
    yield (
        _boundary_step(account, iam, policy)
        if arn == own_boundary
        else _organization_step("permissions boundary", arn, policy, own_boundary)
    )
    for arn in account.settings.foundation.key_administrators:
        role = call_or_none(iam.get_role, "NoSuchEntity", RoleName=arn.rpartition("/")[2])
        if arn == own_role:
            yield from _key_administrator_steps(account, iam, role)
        else:
            yield _organization_step("key administrators", arn, role, own_role)
    if account.settings.audit.config:
        yield _config_role_step(account, iam)


def _config_role_step(account: Account, iam: Any) -> Step:
    """One per account, shared by all Regions and environments, so that no stack can manage it."""
    name = account.names.config_role_arn.rpartition("/")[2]
    title = f"service-linked role of AWS Config {name}"
    if call_or_none(iam.get_role, "NoSuchEntity", RoleName=name):
        return unchanged(title, "exists")
    return Step(title, ABSENT, "created", lambda: iam.create_service_linked_role(AWSServiceName="config.amazonaws.com"))


def _organization_step(kind: str, arn: str, existing: Any, own: str) -> Step:
    if existing:
        return unchanged(f"{kind} {arn}", "your organization's")
    return Step(
        f"{kind} {arn}",
        ABSENT,
        "unchanged",
        remedy=f"have your organization create it, or name {own} in the settings, which bootstrap creates",
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
        "what the platform's roles need; no identities, code under other roles, policies or states",
        lambda: iam.create_policy(
            PolicyName=name,
            PolicyDocument=json.dumps(wanted),
            Description=f"What no role of {account.settings.name} may exceed",
            Tags=_tags(account),
        ),
        "compare it with --print-boundary, and if you agree, set that as the new default version "
        f"(aws iam create-policy-version --set-as-default --policy-arn {account.settings.permissions_boundary})",
    )


def _key_administrator_steps(account: Account, iam: Any, role: Any) -> Iterator[Step]:
    name = account.names.resource_name("key-administrators")
    title = f"key administrators {name}"
    yield (
        # The trust policy of an existing role is the account owner's decision.
        unchanged(title, "exists, with its own trust policy")
        if role
        else Step(
            title,
            ABSENT,
            "assumable from this account with MFA",
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
    response = call_or_none(iam.get_role_policy, "NoSuchEntity", **permissions)
    yield policy_step(
        "policy of the key administrators",
        key_administrators_permissions(),
        response and response["PolicyDocument"],
        "list keys, never use one",
        lambda: iam.put_role_policy(**permissions, PolicyDocument=json.dumps(key_administrators_permissions())),
        f"add the missing statements (aws iam put-role-policy --role-name {name})",
    )


def _tags(account: Account) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in account.bootstrap_tags.items()]
