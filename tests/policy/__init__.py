"""Checks of the synthesized stacks: PCI DSS controls, IAM policies, availability, reachability, and checkov."""
