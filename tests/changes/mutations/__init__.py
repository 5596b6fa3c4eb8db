"""What somebody does behind Terraform's back, so that one integration test fails: a module for each of theirs.

A module has MUTATIONS, the change by the test that it fails, and RELATED where other tests must fail with it, and why.
"""

from collections.abc import Callable

from local_aws.server import LocalAws

Mutation = Callable[[LocalAws], object]
"""What it returns is of no interest."""
Related = dict[str, dict[str, str]]
"""By the test that a mutation is for: tests that fail with it, each with the reason."""
