"""`python -m operations document`: the generated parts of `docs/`, and its pictures."""
