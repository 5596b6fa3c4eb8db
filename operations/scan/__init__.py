"""`python -m operations scan`: checkov over a whole environment."""
