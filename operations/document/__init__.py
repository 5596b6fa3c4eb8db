"""`python -m operations document`: generates parts of `docs/` and its pictures."""
