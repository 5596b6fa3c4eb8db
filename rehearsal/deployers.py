"""Runs Terraform as the deployer roles, and reports what they were denied, and what they are granted without need."""

import base64
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from local_aws.actions import reads
from rehearsal.one_environment import Rehearsal
from rehearsal.statements import idle_statements
from stacks.names import ACCESS, GITHUB_AUDIENCE, GITHUB_ISSUER
from synthesized.permissions import unused_actions

TOKEN_SECONDS = 300
"""Validity of a token of GitHub Actions, in seconds."""
WORKFLOWS = {"plan": "pull_request", "apply": "environment:{environment}"}
"""What follows the repository in the subject of a token of GitHub Actions, by role."""


@dataclass(frozen=True)
class Deployers:
    """The roles that deploy an environment.

    The access tier is deployed and destroyed by an administrator, all other tiers by the deployer roles.
    """

    rehearsal: Rehearsal

    def deploy_access(self) -> None:
        """Deploy the access tier, as an administrator."""
        self.rehearsal.deploy(ACCESS)

    def deploy(self) -> None:
        """Deploy all other tiers, as the apply role."""
        with self.acting_as("apply"):
            self.rehearsal.deploy(*self._other_tiers)

    def plan_again(self) -> None:
        """Plan every tier a second time, as the plan role."""
        with self.acting_as("plan"):
            self.rehearsal.plan_again()

    def check_permissions(self) -> None:
        """Report what roles were denied, and what they are granted without need."""
        self._report_denied()
        rehearsal = self.rehearsal
        # Smaller environments do not need everything.
        if rehearsal.settings.production:
            authorizer = rehearsal.aws.gateway.authorizer
            used = {role: authorizer.records[self._arn(role)].actions for role in WORKFLOWS}
            for role in WORKFLOWS:
                # Both share what reads, and each reads something that the other does not.
                shared = {action for each in used.values() for action in each if reads(action)}
                unused = unused_actions(used[role] | shared, role, rehearsal.platform)
                rehearsal.report.idle_actions += [f"{role}: {action}" for action in unused]
            rehearsal.report.idle_statements = list(idle_statements(authorizer, rehearsal.settings.names))

    def destroy(self) -> None:
        """Destroy all other tiers, as the apply role, and then the access tier, as an administrator."""
        with self.acting_as("apply"):
            self.rehearsal.destroy(*self._other_tiers)
        self._report_denied()
        self.rehearsal.destroy(ACCESS)

    @contextmanager
    def acting_as(self, role: str) -> Generator[None]:
        """Give programs that are started within the context the credentials of a role."""
        before = dict(os.environ)
        os.environ.update(self.credentials(role))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def credentials(self, role: str) -> Mapping[str, str]:
        """Environment variables with credentials of a role, which a job in GitHub Actions assumes with its token."""
        settings = self.rehearsal.settings
        workflow = WORKFLOWS[role].format(environment=settings.name)
        claims = {
            "iss": f"https://{GITHUB_ISSUER}",
            "aud": GITHUB_AUDIENCE,
            "sub": f"repo:{settings.access.repository}:{workflow}",
            "exp": time.time() + TOKEN_SECONDS,
        }
        assumed = self.rehearsal.aws.client("sts").assume_role_with_web_identity(
            RoleArn=self._arn(role), RoleSessionName=f"rehearsal-{role}", WebIdentityToken=_token(claims)
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
            "AWS_SESSION_TOKEN": assumed["SessionToken"],
        }

    def _arn(self, role: str) -> str:
        return self.rehearsal.settings.names.deployer_role_arn(role)

    @property
    def _other_tiers(self) -> list[str]:
        return [tier for tier in self.rehearsal.platform.stacks if tier != ACCESS]

    def _report_denied(self) -> None:
        records = self.rehearsal.aws.gateway.authorizer.records
        self.rehearsal.report.denied_calls = [
            f"{arn.rpartition('/')[2]}: {denied}" for arn, record in records.items() for denied in record.denied
        ]


def _token(claims: Mapping[str, str | float]) -> str:
    """An unsigned JSON Web Token."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])
