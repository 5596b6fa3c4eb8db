"""The two deployment roles of an environment: one plans, one applies.

Administrators apply this stack by hand. It depends on no other, and its roles can change all stacks except this one.
"""

from collections.abc import Mapping, Sequence

from cdktf_cdktf_provider_aws.iam_openid_connect_provider import IamOpenidConnectProvider
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from stacks.access import deployer_policies
from stacks.access.grants import OwnPermissions
from stacks.access.limits import Limits
from stacks.names import ACCESS, GITHUB_AUDIENCE, GITHUB_ISSUER
from stacks.parts.policy_documents import policy_document
from stacks.settings import Environment
from stacks.statements import Principal, Statement, allow, string_equals
from stacks.tier import TierStack


class AccessStack(TierStack):
    """The plan role and the apply role with their policies and permissions boundary."""

    tier = ACCESS

    def __init__(self, scope: Construct, settings: Environment, *, own: OwnPermissions) -> None:
        """Create the stack.

        Args:
            own: what the roles need for the user's own tiers.
        """
        super().__init__(scope, settings)
        self._provider = self._github_provider()
        limits = Limits.from_settings(settings, own)
        self._boundary = self._policy("boundary", deployer_policies.boundary(limits), "What no deployment may exceed")
        reads = self._policies(
            deployer_policies.read_policies(limits), "How the platform is set up, and nothing that is in it"
        )
        states = self._policies(deployer_policies.plan_policies(limits), "States, to be read and locked")
        writes = self._policies(deployer_policies.write_policies(limits), "What a deployment changes")
        plan = self._role("plan", "Plans in pull requests, and changes nothing", "pull_request")
        self._attach("plan", plan, reads | states)
        apply = self._role("apply", "Applies what was reviewed", f"environment:{settings.name}")
        self._attach("apply", apply, reads | writes)

    def _github_provider(self) -> str:
        """ARN of the account's OIDC provider for GitHub Actions."""
        if existing := self.settings.access.oidc_provider:
            return existing
        provider = IamOpenidConnectProvider(
            self, "github", url=f"https://{GITHUB_ISSUER}", client_id_list=[GITHUB_AUDIENCE]
        )
        self.publish("oidc_provider_arn", provider, "arn", "By which the account knows GitHub's workflows")
        return provider.arn

    def _policy(self, name: str, statements: Sequence[Statement], description: str) -> IamPolicy:
        return IamPolicy(
            self,
            f"{name}-policy",
            name=self.names.resource_name(f"deployment-{name}"),
            path=self.names.access_path,
            description=description,
            policy=policy_document(self, f"{name}-permissions", *statements),
        )

    def _policies(self, policies: Mapping[str, Sequence[Statement]], description: str) -> dict[str, IamPolicy]:
        return {name: self._policy(name, statements, f"{description}: {name}") for name, statements in policies.items()}

    def _role(self, name: str, description: str, workflows: str) -> IamRole:
        """PCI DSS 7.2.5, 8.6.1: a role for the given workflows of one repository, and for Atlantis."""
        access = self.settings.access
        trusted = [
            allow(
                "GitHub",
                ["sts:AssumeRoleWithWebIdentity"],
                [],
                to=Principal("Federated", [self._provider]),
                when=[
                    string_equals(f"{GITHUB_ISSUER}:aud", GITHUB_AUDIENCE),
                    string_equals(f"{GITHUB_ISSUER}:sub", f"repo:{access.repository}:{workflows}"),
                ],
            )
        ]
        if access.atlantis_role:
            trusted.append(allow("Atlantis", ["sts:AssumeRole"], [], to=Principal("AWS", [access.atlantis_role])))
        role = IamRole(
            self,
            name,
            name=self.names.resource_name(name),
            path=self.names.access_path,
            description=description,
            assume_role_policy=policy_document(self, f"{name}-trust", *trusted),
            permissions_boundary=self._boundary.arn,
            max_session_duration=3600,  # seconds: IAM's minimum
        )
        self.publish(f"{name}_role_arn", role, "arn", f"{description}; who may take it on is in docs/access.md")
        return role

    def _attach(self, id: str, role: IamRole, policies: Mapping[str, IamPolicy]) -> None:
        role_name = role.name  # read once: each read is a call to the Node process
        for name, policy in policies.items():
            IamRolePolicyAttachment(self, f"{id}-may-{name}", role=role_name, policy_arn=policy.arn)
