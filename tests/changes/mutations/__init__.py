"""Mutations: changes behind Terraform's back, each of which fails one integration test. One module per test module.

A module has MUTATIONS, by test, and RELATED: other tests that a mutation must fail, and why.
"""

from collections.abc import Callable

from local_aws.server import LocalAws

Mutation = Callable[[LocalAws], object]
"""The result is ignored."""
Related = dict[str, dict[str, str]]
"""For each mutation, by the name of its test: other tests that fail, with the reason."""
