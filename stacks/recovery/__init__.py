"""Recovery tier: AWS Backup vaults, plan, copies, restore tests."""
