"""`python -m operations bootstrap`: creates the account's prerequisites for the first stack."""
