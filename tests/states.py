"""Terraform's states, as tests put them into a bucket."""

from collections.abc import Collection, Mapping

from synthesized.platform import Body


def state(resources: Mapping[str, Body], *, tainted: Collection[str] = (), deposed: str = "") -> Body:
    """A state of resources: attributes by address, addresses that are tainted, and the key that all are deposed by."""
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
