"""An environment's real stacks, deployed by the real Terraform and AWS provider onto a local AWS."""
