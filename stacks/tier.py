"""The base of every tier: where its state lives, how it reaches AWS, what it hands to others."""

from collections.abc import Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, ClassVar, cast

from cdktf import S3Backend, TerraformOutput, TerraformResource, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from stacks.names import PROJECT, Names
from stacks.settings import Environment


class TierStack(TerraformStack):
    """One tier of one environment: a stack `<environment>-<tier>` with a state of its own."""

    tier: ClassVar[str]
    alarms: Mapping[str, CloudwatchMetricAlarm] = MappingProxyType({})
    """By name; a tier that has any sets them."""

    def __init__(self, scope: Construct, settings: Environment) -> None:
        super().__init__(scope, f"{settings.name}-{self.tier}")
        self.settings = settings
        self.names = Names.from_settings(settings)
        self._configure_backend()
        self._configure_provider("aws", settings.region)

    def publish(self, name: str, resource: TerraformResource, attribute: str, description: str) -> None:
        """Tell people an attribute of a resource, as a named output, and offer it to the other tiers."""
        address = _address(resource)
        TerraformOutput(self, name, value=f"${{{address}.{attribute}}}", description=description, static_id=True)
        self.register_outgoing_cross_stack_reference(f"{address}.{attribute}")

    def runbook_reference(self, heading: str) -> str:
        """The end of what an alarm or event says: where to read on. A tier has a page, which has a heading each."""
        return f"Runbook: {self.settings.foundation.runbooks}/{self.tier}.md#{heading}"

    def export(self, resource: TerraformResource, *attributes: str) -> None:
        """Offer attributes of a resource to the tiers below, whether one uses them yet or not.

        A tier can only be planned once the tier above has been applied with the outputs that it reads. What is offered
        from the start needs no second apply when somebody comes to use it.
        """
        address = _address(resource)
        for attribute in attributes:
            self.register_outgoing_cross_stack_reference(f"{address}.{attribute}")

    def stateful_lifecycle(self, *ignored: str) -> TerraformResourceLifecycle | None:
        """The lifecycle of what keeps data: no plan destroys it where deletion protection is on.

        Args:
            ignored: arguments that are not Terraform's to set again, as a count that autoscaling changes.
        """
        if not self.settings.deletion_protection and not ignored:
            return None
        return TerraformResourceLifecycle(
            prevent_destroy=self.settings.deletion_protection or None, ignore_changes=list(ignored) or None
        )

    @cached_property
    def second_region(self) -> AwsProvider | None:
        """The provider of what lies in the second Region; None where the settings name none."""
        region = self.settings.second_region
        return self._configure_provider("aws-second-region", region, alias="second_region") if region else None

    def _configure_backend(self) -> None:
        """PCI DSS 3.5.1: states are encrypted with a key; the bucket is made before any tier."""
        S3Backend(
            self,
            bucket=self.names.state_bucket,
            key=f"{self.settings.name}/{self.tier}.tfstate",
            region=self.settings.region,
            encrypt=True,
            kms_key_id=self.names.state_key_alias_arn,
        )
        # S3Backend has no such argument. The lock is an object beside the state; it needs no table.
        self.add_override("terraform.backend.s3.use_lockfile", True)
        self.add_override("terraform.required_version", ">= 1.11")

    def _configure_provider(self, id: str, region: str, alias: str | None = None) -> AwsProvider:
        """PCI DSS 6.5.3: one account is never mistaken for another; every resource says where it belongs."""
        return AwsProvider(
            self,
            id,
            alias=alias,
            region=region,
            allowed_account_ids=[self.settings.account],
            default_tags=[
                AwsProviderDefaultTags(
                    tags={
                        "Project": PROJECT,
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
    """Terraform's name of a type. What is read of a construct is a question to the Node process, so it is kept."""
    return cast(Any, bound).TF_RESOURCE_TYPE
