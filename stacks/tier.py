"""The base class of all tiers: state backend, AWS provider, outputs."""

from collections.abc import Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, ClassVar, cast

from cdktf import S3Backend, TerraformOutput, TerraformResource, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from stacks.names import GLOBAL_REGION
from stacks.settings import Environment


class TierStack(TerraformStack):
    """One tier of one environment: a stack named `<environment>-<tier>` with its own state."""

    tier: ClassVar[str]
    alarms: Mapping[str, CloudwatchMetricAlarm] = MappingProxyType({})
    """The tier's alarms by name."""

    def __init__(self, scope: Construct, settings: Environment) -> None:
        super().__init__(scope, f"{settings.name}-{self.tier}")
        self.settings = settings
        self.names = settings.names
        self._configure_backend()
        self._configure_provider("aws", settings.region)

    def publish(
        self, name: str, resource: TerraformResource, attribute: str, description: str, *, missing: str | None = None
    ) -> None:
        """Output an attribute of a resource under a name, and export it to other tiers.

        Args:
            missing: value while AWS does not return the attribute, which otherwise breaks every plan of the tier.
        """
        reference = f"{_address(resource)}.{attribute}"
        value = f"${{{reference}}}" if missing is None else f'${{try({reference}, "{missing}")}}'
        TerraformOutput(self, name, value=value, description=description, static_id=True)
        self.register_outgoing_cross_stack_reference(reference).value = value

    def runbook_reference(self, heading: str) -> str:
        """The last sentence of every alarm and event: the URL of its heading on the tier's runbook page."""
        return f"Runbook: {self.settings.foundation.runbooks}/{self.tier}.md#{heading}"

    def export(self, resource: TerraformResource, *attributes: str) -> None:
        """Export attributes of a resource to later tiers, whether or not one uses them yet.

        A tier can only be planned once the tier that it reads from has been applied with the outputs it needs. An
        attribute that is exported from the start needs no second apply when a tier begins to use it.
        """
        address = _address(resource)
        for attribute in attributes:
            self.register_outgoing_cross_stack_reference(f"{address}.{attribute}")

    def stateful_lifecycle(self, *ignored: str) -> TerraformResourceLifecycle | None:
        """Lifecycle of a resource that holds data: `prevent_destroy` while deletion protection is on.

        Args:
            ignored: arguments that Terraform leaves alone, such as a count that autoscaling changes.
        """
        if not self.settings.deletion_protection and not ignored:
            return None
        return TerraformResourceLifecycle(
            prevent_destroy=self.settings.deletion_protection or None, ignore_changes=list(ignored) or None
        )

    @cached_property
    def second_region(self) -> AwsProvider | None:
        """Provider for the second Region; None if the settings name none."""
        region = self.settings.second_region
        return self._configure_provider("aws-second-region", region, alias="second_region") if region else None

    @cached_property
    def global_region(self) -> AwsProvider | None:
        """Provider for the Region of AWS's global services; None if it is the environment's own Region."""
        if self.settings.region == GLOBAL_REGION:
            return None
        return self._configure_provider("aws-global-region", GLOBAL_REGION, alias="global_region")

    def _configure_backend(self) -> None:
        """PCI DSS 3.5.1: states are encrypted with a KMS key. `bootstrap` creates the bucket and the key."""
        S3Backend(
            self,
            bucket=self.names.state_bucket,
            key=f"{self.settings.name}/{self.tier}.tfstate",
            region=self.settings.region,
            encrypt=True,
            kms_key_id=self.names.state_key_alias_arn,
        )
        # S3Backend lacks the argument. The lock is an object next to the state; no DynamoDB table is needed.
        self.add_override("terraform.backend.s3.use_lockfile", True)
        self.add_override("terraform.required_version", ">= 1.11")

    def _configure_provider(self, id: str, region: str, alias: str | None = None) -> AwsProvider:
        """PCI DSS 6.5.3: only the environment's own account is allowed, and every resource is tagged."""
        return AwsProvider(
            self,
            id,
            alias=alias,
            region=region,
            allowed_account_ids=[self.settings.account],
            default_tags=[
                AwsProviderDefaultTags(
                    tags={
                        "Project": self.settings.company,
                        "Environment": self.settings.name,
                        "Tier": self.tier,
                        "ManagedBy": "cdktf",
                        "Owner": self.settings.owner,
                    }
                )
            ],
        )


def _address(resource: TerraformResource) -> str:
    return f"{_terraform_type(type(resource))}.{resource.friendly_unique_id}"


@cache
def _terraform_type(bound: type[TerraformResource]) -> str:
    """Terraform's name of a resource type; cached, because reading it from the class calls the Node process."""
    return cast(Any, bound).TF_RESOURCE_TYPE
