"""`python -m operations scan`: checkov for an environment."""
