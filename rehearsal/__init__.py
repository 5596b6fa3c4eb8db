"""Rehearsals: an environment's real stacks, deployed by the real Terraform and AWS provider to a local AWS."""
