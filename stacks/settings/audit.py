"""Settings of the audit tier: which of the services that an account has once are this environment's to keep."""

from stacks.settings.section import Section


class AuditSettings(Section):
    """One of each for an account and Region. Off where another environment, or your organization, has it already."""

    guardduty: bool = True
    """Whether this environment keeps GuardDuty, which looks for attacks (PCI DSS 11.5.1)."""

    security_hub: bool = True
    """Whether it keeps Security Hub, which holds the account against PCI DSS. Its checks need AWS Config, this
    environment's or another's."""

    config: bool = True
    """Whether it keeps AWS Config, which records each change of a resource and holds it to rules (PCI DSS 11.5.2)."""

    inspector: bool = True
    """Whether it keeps Inspector, which looks for vulnerabilities in images and functions (PCI DSS 6.3.1)."""
