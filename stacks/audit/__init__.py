"""What is recorded and detected in the account."""
