"""Settings of the audit tier: which of the services that an account has once are this environment's to keep."""

from stacks.settings.section import Section


class AuditSettings(Section):
    """One of each for an account and Region. Off where another environment, or your organization, has it already."""

    guardduty: bool = True
    """Whether this environment keeps GuardDuty, of which an account has one in a Region."""

    security_hub: bool = True
    """The same of Security Hub. Its checks need AWS Config, this environment's or another's."""

    config: bool = True
    """The same of AWS Config, with its rules."""

    inspector: bool = True
    """The same of Inspector."""
