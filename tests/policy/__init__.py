"""What the platform promises, asked of what is synthesized: PCI DSS controls, and checkov's rules."""
