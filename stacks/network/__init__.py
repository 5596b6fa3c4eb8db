"""VPC, subnets, and every flow that is allowed."""
