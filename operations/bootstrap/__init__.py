"""`python -m operations bootstrap`: what must exist before the first stack."""
