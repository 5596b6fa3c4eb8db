"""`python -m operations preflight`: checks that an account meets the requirements of a deployment."""
