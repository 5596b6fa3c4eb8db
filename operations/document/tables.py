"""Tables of pages that follow from the synthesized platform: zones, roles and keys."""

from operations.document import markdown
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list, service_principals
from synthesized.roles import read_statements, roles_of
from synthesized.zones import zone_loss_by_tier


def zones_table(platform: Platform) -> str:
    """Whether each tier stands without each zone: a row a tier."""
    rows = (
        (tier, *(verdict.reason if verdict.survives else f"**lost**: {verdict.reason}" for verdict in by_zone.values()))
        for tier, by_zone in zone_loss_by_tier(platform).items()
    )
    return markdown.table(("tier", *(f"without {zone}" for zone in platform.zones)), rows)


def roles_table(platform: Platform) -> str:
    """The roles of AWS services: who assumes each, what for, and what it may do."""
    rows: list[tuple[str, ...]] = []
    for role in roles_of(platform):
        services = [f"`{service}`" for each in role.trust for service in service_principals(each)]
        if not services:  # whoever deploys: docs/access.md
            continue
        may = [
            *(_format_statement(platform, statement) for statement in role.statements),
            *(f"what AWS's `{arn}` says" for arn in role.aws_managed),
        ]
        why = role.resource.body.get("description", "")
        rows.append((role.resource.label, ", ".join(services), why, "; ".join(may)))
    return markdown.table(("role", "taken on by", "why", "may"), rows)


def keys_table(platform: Platform) -> str:
    """The KMS keys: which AWS services use each on their own account, and which roles may."""
    rows: list[tuple[str, ...]] = []
    every = roles_of(platform)
    for key in platform.of_type("aws_kms_key"):
        services = {
            f"`{markdown.generalize(platform, service)}`"
            for statement in read_statements(platform, key.body["policy"])
            if statement["Effect"] == "Allow"
            for service in service_principals(statement)
        }
        roles = {
            f"{role.resource.label}: {_format_statement(platform, statement, resources=False)}"
            for role in every
            for statement in role.statements
            if statement["Effect"] == "Allow" and f"${{{key.address}.arn}}" in as_list(statement.get("Resource"))
        }
        rows.append((key.label, ", ".join(sorted(services)) or "none", "; ".join(sorted(roles)) or "none"))
    return markdown.table(("key", "AWS services, by the key's policy", "roles, by their own"), rows)


def _format_statement(platform: Platform, statement: Statement, *, resources: bool = True) -> str:
    """A statement in words."""
    text = ", ".join(f"`{action}`" for action in as_list(statement.get("Action")))
    if resources:
        on = (f"`{markdown.generalize(platform, resource)}`" for resource in as_list(statement.get("Resource")))
        text += f" on {', '.join(on)}"
    conditions = [
        f"`{variable}` is `{markdown.generalize(platform, '`, `'.join(as_list(values)))}`"
        for test in statement.get("Condition", {}).values()
        for variable, values in test.items()
    ]
    never = "" if statement["Effect"] == "Allow" else "never "
    return f"{never}{text}{' where ' if conditions else ''}{' and '.join(conditions)}"
