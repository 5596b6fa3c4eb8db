"""The ECR repository of the application: immutable tags, scan on push, no access for other accounts."""

from cdktf_cdktf_provider_aws.data_aws_ecr_lifecycle_policy_document import (
    DataAwsEcrLifecyclePolicyDocument,
    DataAwsEcrLifecyclePolicyDocumentRule,
    DataAwsEcrLifecyclePolicyDocumentRuleAction,
    DataAwsEcrLifecyclePolicyDocumentRuleSelection,
)
from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)
from cdktf_cdktf_provider_aws.ecr_repository_policy import EcrRepositoryPolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from stacks.parts.policy_documents import policy_document
from stacks.statements import deny_other_accounts
from stacks.tier import TierStack


def image_repository(tier: TierStack, key: KmsKey) -> EcrRepository:
    """PCI DSS 6.3.1: images are scanned, and their tags are immutable."""
    repository = EcrRepository(
        tier,
        "images",
        name=tier.names.service,
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
        encryption_configuration=[EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=key.arn)],
        force_delete=not tier.settings.deletion_protection,
        lifecycle=tier.stateful_lifecycle(),
    )
    EcrRepositoryPolicy(
        tier,
        "images-policy",
        repository=repository.name,
        policy=policy_document(tier, "images-access", deny_other_accounts(tier.settings.account, ["ecr:*"], [])),
    )
    tier.publish("image_repository_url", repository, "repository_url", "Where the application's images are pushed")
    tier.export(repository, "arn", "name")
    _expire_interrupted_pushes(tier, repository)
    return repository


def _expire_interrupted_pushes(tier: TierStack, repository: EcrRepository) -> None:
    """Expire untagged images only: a tagged one may be running, however old it is."""
    EcrLifecyclePolicy(
        tier,
        "images-lifecycle",
        repository=repository.name,
        policy=DataAwsEcrLifecyclePolicyDocument(
            tier,
            "images-retention",
            rule=[
                DataAwsEcrLifecyclePolicyDocumentRule(
                    priority=1,
                    description="Interrupted pushes",
                    selection=[
                        DataAwsEcrLifecyclePolicyDocumentRuleSelection(
                            tag_status="untagged",
                            count_type="sinceImagePushed",
                            count_unit="days",
                            count_number=14,
                        )
                    ],
                    action=[DataAwsEcrLifecyclePolicyDocumentRuleAction(type="expire")],
                )
            ],
        ).json,
    )
