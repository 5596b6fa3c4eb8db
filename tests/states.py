"""Terraform state files for tests."""

from collections.abc import Collection, Mapping

from synthesized.platform import Body


def state(resources: Mapping[str, Body], *, tainted: Collection[str] = (), deposed: str = "") -> Body:
    """A state file.

    Args:
        resources: attributes by address.
        tainted: addresses of tainted resources.
        deposed: deposed key of all resources, if they are deposed.
    """
    data = {"mode": "data", "type": "aws_region", "name": "here", "instances": [{"attributes": {"id": "x"}}]}
    return {"version": 4, "resources": [*(_resource(*it, tainted, deposed) for it in resources.items()), data]}


def _resource(address: str, attributes: Body, tainted: Collection[str], deposed: str) -> Body:
    type_, _, name = address.partition(".")
    instance: Body = {"attributes": attributes}
    if address in tainted:
        instance["status"] = "tainted"
    if deposed:
        instance["deposed"] = deposed
    return {"mode": "managed", "type": type_, "name": name, "instances": [instance]}
