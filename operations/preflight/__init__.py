"""What is looked at before a deployment: whether the account has what the stacks will ask of it."""
