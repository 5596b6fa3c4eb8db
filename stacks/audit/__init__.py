"""Audit tier: CloudTrail, AWS Config, GuardDuty, Security Hub, Inspector."""
