"""Tables about the synthesized platform: zones, roles and keys."""

from operations.document import markdown
from synthesized.platform import Platform
from synthesized.policy_statements import Statement, as_list, service_principals
from synthesized.roles import read_statements, roles_of
from synthesized.zones import zone_loss_by_tier


def zones_table(platform: Platform) -> str:
    """Whether each tier survives the loss of each zone: one row per tier."""
    rows = (
        (tier, *(verdict.reason if verdict.survives else f"**lost**: {verdict.reason}" for verdict in by_zone.values()))
        for tier, by_zone in zone_loss_by_tier(platform).items()
    )
    return markdown.table(("tier", *(f"without {zone}" for zone in platform.zones)), rows)


def roles_table(platform: Platform) -> str:
    """The roles that AWS services assume, with their purpose and permissions."""
    rows: list[tuple[str, ...]] = []
    for role in roles_of(platform):
        services = [f"`{service}`" for each in role.trust for service in service_principals(each)]
        if not services:  # the deployers' roles: docs/access.md
            continue
        permissions = [
            *(_format_statement(platform, statement) for statement in role.statements),
            *(f"AWS's managed policy `{arn}`" for arn in role.aws_managed),
        ]
        purpose = role.resource.body.get("description", "")
        rows.append((role.resource.label, ", ".join(services), purpose, "; ".join(permissions)))
    return markdown.table(("role", "assumed by", "purpose", "permissions"), rows)


def keys_table(platform: Platform) -> str:
    """The KMS keys: the AWS services and the roles that may use each."""
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
    return markdown.table(("key", "AWS services, by the key's policy", "roles, by their policies"), rows)


def _format_statement(platform: Platform, statement: Statement, *, resources: bool = True) -> str:
    """A policy statement in Markdown."""
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
