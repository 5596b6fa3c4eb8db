"""Threat and vulnerability detection: GuardDuty, Security Hub, Inspector, and events for their findings.

Each service exists once per account and Region, and may be managed elsewhere. People are notified of findings in any
case, because these reach the account's event bus.
"""

from collections.abc import Sequence

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.guardduty_detector import GuarddutyDetector
from cdktf_cdktf_provider_aws.guardduty_detector_feature import GuarddutyDetectorFeature
from cdktf_cdktf_provider_aws.inspector2_enabler import Inspector2Enabler, Inspector2EnablerTimeouts
from cdktf_cdktf_provider_aws.securityhub_account import SecurityhubAccount
from cdktf_cdktf_provider_aws.securityhub_standards_subscription import (
    SecurityhubStandardsSubscription,
    SecurityhubStandardsSubscriptionTimeouts,
)

from stacks.parts.events import Event
from stacks.tier import TierStack

# By default, a new detector enables every feature except runtime monitoring.
# https://docs.aws.amazon.com/guardduty/latest/APIReference/API_CreateDetector.html
FEATURES = {
    "S3_DATA_EVENTS": True,
    "RDS_LOGIN_EVENTS": True,
    "LAMBDA_NETWORK_LOGS": True,
    # The platform has no EKS clusters and no EC2 instances.
    "EKS_AUDIT_LOGS": False,
    "EBS_MALWARE_PROTECTION": False,
    # It creates an unmanaged endpoint and security group, and needs access to a repository of AWS.
    "RUNTIME_MONITORING": False,
}

TIMEOUT = "30m"
"""The provider itself waits 3 minutes for a standard, and 5 for Inspector. What takes longer is tainted, and the next
apply turns it off and on again: https://github.com/hashicorp/terraform-provider-aws/issues/42688"""

STANDARDS = {
    "pci-dss": "pci-dss/v/4.0.1",
    "foundational": "aws-foundational-security-best-practices/v/1.0.0",
}

# Regions in which Inspector scans the code of Lambda functions.
# https://docs.aws.amazon.com/config/latest/developerguide/inspector-lambda-code-scan-enabled.html
CODE_SCAN_REGIONS = frozenset(
    {
        *("ap-northeast-1", "ap-southeast-1", "ap-southeast-2"),
        *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2"),
        *("us-east-1", "us-east-2", "us-west-2"),
    }
)

FINDING_EVENTS = (
    Event(
        name="threat-found",
        source="aws.guardduty",
        detail_types=["GuardDuty Finding"],
        # Medium and above. Low means that an attempt did not succeed.
        # https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html
        detail={"severity": [{"numeric": [">=", 4]}]},
        message="GuardDuty found a threat.",
        input_paths={"title": "$.detail.title", "type": "$.detail.type", "severity": "$.detail.severity"},
    ),
    Event(
        name="vulnerability-found",
        source="aws.inspector2",
        detail_types=["Inspector2 Finding"],
        detail={"severity": ["CRITICAL"], "status": ["ACTIVE"]},
        message="Inspector found a critical vulnerability.",
        input_paths={"title": "$.detail.title", "where": "$.resources[0]"},
    ),
)
"""PCI DSS 6.3.1, 11.5.1, 12.10.5."""


def enable_guardduty(tier: TierStack) -> None:
    """PCI DSS 11.5.1: GuardDuty, with the features that apply to this platform."""
    detector = GuarddutyDetector(tier, "detector", enable=True, finding_publishing_frequency="FIFTEEN_MINUTES")
    for feature, is_on in FEATURES.items():
        GuarddutyDetectorFeature(
            tier,
            f"detector-{feature.lower().replace('_', '-')}",
            detector_id=detector.id,
            name=feature,
            status="ENABLED" if is_on else "DISABLED",
            # GuardDuty returns the settings of runtime monitoring's agents even while it is off, and every plan would
            # replace the feature: https://github.com/hashicorp/terraform-provider-aws/issues/36695
            lifecycle=None if is_on else TerraformResourceLifecycle(ignore_changes=["additional_configuration"]),
        )
    tier.publish("detector_id", detector, "id", "GuardDuty's detector")


def enable_security_hub(tier: TierStack, *, depends_on: Sequence[ITerraformDependable]) -> None:
    """Security Hub with its standards.

    Args:
        depends_on: AWS Config, which the checks need.
    """
    hub = SecurityhubAccount(
        tier,
        "hub",
        enable_default_standards=False,
        # One finding per control, even if several standards include it.
        control_finding_generator="SECURITY_CONTROL",
        auto_enable_controls=True,
        depends_on=depends_on,
    )
    for name, standard in STANDARDS.items():
        SecurityhubStandardsSubscription(
            tier,
            f"standard-{name}",
            standards_arn=f"arn:aws:securityhub:{tier.settings.region}::standards/{standard}",
            timeouts=SecurityhubStandardsSubscriptionTimeouts(create=TIMEOUT, delete=TIMEOUT),
            depends_on=[hub],
        )


def enable_inspector(tier: TierStack) -> None:
    """PCI DSS 6.3.1, 11.3.1: Inspector for images and functions, and for functions' code where supported."""
    code = ["LAMBDA_CODE"] if tier.settings.region in CODE_SCAN_REGIONS else []
    Inspector2Enabler(
        tier,
        "inspector",
        account_ids=[tier.settings.account],
        resource_types=["ECR", "LAMBDA", *code],
        timeouts=Inspector2EnablerTimeouts(create=TIMEOUT, update=TIMEOUT, delete=TIMEOUT),
    )
