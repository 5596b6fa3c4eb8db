"""Joins the plans of all tiers, for checkov's rules about relations between tiers."""

import json
import re
from collections.abc import Mapping
from typing import Any

from synthesized.platform import REFERENCE, Body, Platform

INTERPOLATION = re.compile(r"\$\{([^}]*)\}")


def joined_plan(platform: Platform, plans: Mapping[str, Body]) -> Body:
    """Join the plans of an environment's tiers, in the format of `terraform show -json`.

    Values come from the plans; references, which relate resources, from the joined document.
    """
    return {
        "format_version": "1.2",
        "terraform_version": next(iter(plans.values())).get("terraform_version", ""),
        "planned_values": {
            "root_module": {
                "resources": [
                    {
                        **resource,
                        "name": f"{tier}_{resource['name']}",
                        "address": f"{resource['type']}.{tier}_{resource['name']}",
                    }
                    for tier, plan in plans.items()
                    for resource in plan.get("planned_values", {}).get("root_module", {}).get("resources", ())
                ]
            }
        },
        "resource_changes": [],
        "configuration": {
            "root_module": {
                "resources": [
                    {
                        "address": resource.address,
                        "mode": "managed",
                        "type": resource.type,
                        "name": resource.address.rpartition(".")[2],
                        "provider_config_key": "aws",
                        "expressions": {
                            name: _expression(value)
                            for name, value in resource.body.items()
                            if name not in {"depends_on", "lifecycle", "provider"}
                        },
                    }
                    for resource in platform.resources
                ]
            }
        },
    }


def _expression(value: Any) -> Any:
    """An argument as in a plan's configuration: its references, or its constant value."""
    if isinstance(value, dict):
        return {name: _expression(entry) for name, entry in value.items()}
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return [_expression(entry) for entry in value]
    references = [
        reference
        for expression in INTERPOLATION.findall(json.dumps(value))
        for match in REFERENCE.finditer(expression)
        # With and without the attribute, as in Terraform's format.
        for reference in (match[0] + re.split(r"[^\w.]", expression[match.end() :])[0], match[0])
    ]
    return {"references": references} if references else {"constant_value": value}
