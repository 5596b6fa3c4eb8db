"""Settings of the audit tier: which account-wide services this environment manages."""

from stacks.settings.section import Section


class AuditSettings(Section):
    """Services that exist once per account and Region. Turn off what is already managed elsewhere."""

    guardduty: bool = True
    """Whether this environment manages GuardDuty, which detects threats (PCI DSS 11.5.1)."""

    security_hub: bool = True
    """Whether it manages Security Hub, which checks the account against PCI DSS. The checks need AWS Config, managed
    here or elsewhere."""

    config: bool = True
    """Whether it manages AWS Config, which records every change of a resource and evaluates rules (PCI DSS 11.5.2)."""

    inspector: bool = True
    """Whether it manages Inspector, which scans images and functions for vulnerabilities (PCI DSS 6.3.1)."""
