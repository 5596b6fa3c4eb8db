"""Changes behind Terraform's back that fail one integration test each, in one module per module of tests.

A module has MUTATIONS, with the change for each test, and RELATED, with other tests that a change must fail, and why.
"""

from collections.abc import Callable

from local_aws.server import LocalAws

Mutation = Callable[[LocalAws], object]
"""The result is ignored."""
Related = dict[str, dict[str, str]]
"""Tests that fail as well, with the reason, by the test that the mutation is for."""
