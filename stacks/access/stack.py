"""Who may plan this environment, and who may apply it: a role each, and no third.

A stack by itself, which needs no other and which administrators apply by hand. The roles that it makes may change what
the other stacks hold, and nothing of what is here.
"""

from collections.abc import Mapping, Sequence

from cdktf_cdktf_provider_aws.iam_openid_connect_provider import IamOpenidConnectProvider
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from stacks.access import deployer_policies
from stacks.access.limits import Limits
from stacks.names import ACCESS
from stacks.parts.policy_documents import policy_document
from stacks.settings import Environment
from stacks.settings.access import ISSUER
from stacks.statements import Principal, Statement, allow, string_equals
from stacks.tier import TierStack

AUDIENCE = "sts.amazonaws.com"
"""Whom GitHub's tokens are for. https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments/configuring-openid-connect-in-amazon-web-services"""


class AccessStack(TierStack):
    """The plan role, the apply role, what each may do, and what neither may whoever comes to allow it."""

    tier = ACCESS

    def __init__(self, scope: Construct, settings: Environment) -> None:
        super().__init__(scope, settings)
        self._provider = self._know_github()
        limits = Limits.from_settings(settings)
        self._boundary = self._policy("boundary", deployer_policies.boundary(limits), "What no deployment may exceed")
        reads = self._policies(
            deployer_policies.read_policies(limits), "How the platform is set up, and nothing that is in it"
        )
        states = self._policies(deployer_policies.plan_policies(limits), "States, to be read and locked")
        writes = self._policies(deployer_policies.write_policies(limits), "What a deployment changes")
        plan = self._role("plan", "Plans in pull requests, and changes nothing", "pull_request")
        self._give("plan", plan, reads | states)
        apply = self._role("apply", "Applies what was reviewed", f"environment:{settings.name}")
        self._give("apply", apply, reads | writes)

    def _know_github(self) -> str:
        """ARN of the account's provider of identities for GitHub's workflows."""
        if there := self.settings.access.oidc_provider:
            return there
        provider = IamOpenidConnectProvider(self, "github", url=f"https://{ISSUER}", client_id_list=[AUDIENCE])
        self.publish("oidc_provider_arn", provider, "arn", "By which the account knows GitHub's workflows")
        return provider.arn

    def _policy(self, what: str, statements: Sequence[Statement], why: str) -> IamPolicy:
        return IamPolicy(
            self,
            f"{what}-policy",
            name=self.names.resource_name(f"deployment-{what}"),
            path=self.names.access_path,
            description=why,
            policy=policy_document(self, f"{what}-permissions", *statements),
        )

    def _policies(self, of: Mapping[str, Sequence[Statement]], why: str) -> dict[str, IamPolicy]:
        return {what: self._policy(what, statements, f"{why}: {what}") for what, statements in of.items()}

    def _role(self, what: str, why: str, workflows: str) -> IamRole:
        """PCI DSS 7.2.5, 8.6.1: taken on by these workflows of one repository alone, and by Atlantis; for an hour."""
        access = self.settings.access
        trusted = [
            allow(
                "GitHub",
                ["sts:AssumeRoleWithWebIdentity"],
                [],
                to=Principal("Federated", [self._provider]),
                when=[
                    string_equals(f"{ISSUER}:aud", AUDIENCE),
                    string_equals(f"{ISSUER}:sub", f"repo:{access.repository}:{workflows}"),
                ],
            )
        ]
        if access.atlantis_role:
            trusted.append(allow("Atlantis", ["sts:AssumeRole"], [], to=Principal("AWS", [access.atlantis_role])))
        role = IamRole(
            self,
            what,
            name=self.names.resource_name(what),
            path=self.names.access_path,
            description=why,
            assume_role_policy=policy_document(self, f"{what}-trust", *trusted),
            permissions_boundary=self._boundary.arn,
            max_session_duration=3600,  # seconds: IAM's least
        )
        self.publish(f"{what}_role_arn", role, "arn", f"{why}; who may take it on is in docs/access.md")
        return role

    def _give(self, who: str, role: IamRole, policies: Mapping[str, IamPolicy]) -> None:
        name = role.name
        for what, policy in policies.items():
            IamRolePolicyAttachment(self, f"{who}-may-{what}", role=name, policy_arn=policy.arn)
