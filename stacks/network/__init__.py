"""Network tier: VPC, subnets, allowed flows."""
