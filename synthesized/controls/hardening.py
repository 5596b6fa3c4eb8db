"""PCI DSS 2 and 6: nothing runs that need not, nothing old, nothing that was not looked at."""

from collections.abc import Iterable

from synthesized.controls.control import (
    IS_ABSENT,
    Change,
    Control,
    Every,
    Relation,
    Removal,
    Value,
    containing,
    none_of,
    one_of,
)
from synthesized.controls.reading import Document, values

RULE_GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
)
# With years to go: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
SUPPORTED_RUNTIMES = ("python3.13", "python3.14")


def _unguarded_entrances(document: Document) -> Iterable[str]:
    guarded = {
        association["resource_arn"] for association in document.of_type("aws_wafv2_web_acl_association").values()
    }
    for address, balancer in document.of_type("aws_lb").items():
        if not balancer.get("internal") and f"${{{address}.arn}}" not in guarded:
            yield f"{address}: has no aws_wafv2_web_acl_association"


def _missing_rules(document: Document) -> Iterable[str]:
    for address, acl in document.of_type("aws_wafv2_web_acl").items():
        statements = [rule["statement"] for rule in acl["rule"]]
        groups = {name for each in statements for name in values(each, "managed_rule_group_statement.name")}
        for group in sorted(set(RULE_GROUPS) - groups):
            yield f"{address}: rule: lacks {group}"
        if not any("rate_based_statement" in statement for statement in statements):
            yield f"{address}: rule: limits no client"


def _counting_rules(document: Document) -> Iterable[str]:
    for address, acl in document.of_type("aws_wafv2_web_acl").items():
        for rule in acl["rule"]:
            overrides = values(rule, "statement.managed_rule_group_statement.rule_action_override")
            if "count" in {**rule.get("action", {}), **rule.get("override_action", {})} or overrides != [None]:
                yield f"{address}: rule {rule['name']}: only counts"


def _shared_states(document: Document) -> Iterable[str]:
    accounts = set[str]()
    for address, stack in document.of_type("stack").items():
        (environment, *more) = set(values(stack, "provider.default_tags.tags.Environment"))
        for path in ("bucket", "kms_key_id"):
            if more or f"-{environment}-" not in str(stack["backend"].get(path)):
                yield f"{address}: backend {path}: is not its environment's own"
        for allowed in values(stack, "provider.allowed_account_ids"):
            accounts |= set(allowed or ["any"])
    if len(accounts) != 1 or "any" in accounts:
        yield f"stacks: provider allowed_account_ids: {sorted(accounts)}"


CONTROLS = (
    Control(
        name="no-vendor-accounts",
        requirements=("2.2.2",),
        does="The database's master has no name that is tried first; the cache's default user may do nothing.",
        checks=[
            Every("aws_rds_cluster", {"master_username": none_of("postgres", "admin", "root", "master", "rdsadmin")}),
            Every(
                "aws_elasticache_user",
                {
                    "access_string": Value(
                        "off, without commands", lambda text: text.startswith("off ") and "+" not in text
                    )
                },
                where={"user_name": "default"},
            ),
        ],
        mutations=[
            Change("aws_rds_cluster", "master_username", "postgres"),
            Change("aws_elasticache_user.cache_default", "access_string", "on ~* +@all"),
            Removal("aws_elasticache_user.cache_default", "the default user is left as it comes"),
        ],
    ),
    Control(
        name="bare-container",
        requirements=("2.2.4", "2.2.6"),
        does="The container runs as nobody special, without a capability, on a root that it cannot write.",
        checks=[
            Every(
                "aws_ecs_task_definition",
                {
                    "container_definitions.readonlyRootFilesystem": True,
                    "container_definitions.user": Value(
                        "a number, not root's", lambda user: bool(user) and user[0].isdigit() and user[0] != "0"
                    ),
                    "container_definitions.privileged": False,
                    "container_definitions.linuxParameters.capabilities.drop": ["ALL"],
                    "container_definitions.linuxParameters.capabilities.add": IS_ABSENT,
                    "container_definitions.linuxParameters.initProcessEnabled": True,
                },
            )
        ],
        mutations=[
            Change("aws_ecs_task_definition", f"container_definitions.{path}", value)
            for path, value in (
                ("readonlyRootFilesystem", False),
                ("user", "0"),
                ("user", None),
                ("privileged", True),
                ("linuxParameters.capabilities.drop", ["NET_RAW"]),
                ("linuxParameters.capabilities.add", ["SYS_PTRACE"]),
                ("linuxParameters.initProcessEnabled", False),
            )
        ],
    ),
    Control(
        name="no-shell",
        requirements=("2.2.7", "8.4.2"),
        does="Nobody opens a shell in a task.",
        checks=[Every("aws_ecs_service", {"enable_execute_command": False})],
        mutations=[Change("aws_ecs_service", "enable_execute_command", True)],
    ),
    Control(
        name="header-smuggling",
        requirements=("6.2.4",),
        does="The load balancer passes on no header that a task could read otherwise than the firewall did.",
        checks=[
            Every(
                "aws_lb",
                {"drop_invalid_header_fields": True, "desync_mitigation_mode": one_of("defensive", "strictest")},
            )
        ],
        mutations=[
            Change("aws_lb", "drop_invalid_header_fields", False),
            Change("aws_lb", "desync_mitigation_mode", "monitor"),
        ],
    ),
    Control(
        name="images-looked-through",
        requirements=("6.3.1", "11.3.1"),
        does="Images are scanned when they are pushed, cannot change afterwards, and run by their digest.",
        checks=[
            Every(
                "aws_ecr_repository",
                {"image_scanning_configuration.scan_on_push": True, "image_tag_mutability": "IMMUTABLE"},
            ),
            Every("aws_ecs_task_definition", {"container_definitions.image": containing("@sha256:")}),
        ],
        mutations=[
            Change("aws_ecr_repository", "image_scanning_configuration.scan_on_push", False),
            Change("aws_ecr_repository", "image_tag_mutability", "MUTABLE"),
            Change("aws_ecs_task_definition", "container_definitions.image", "example/shop:latest"),
        ],
    ),
    Control(
        name="patches",
        requirements=("6.3.3",),
        does="Fargate's platform, Aurora and the cache take their maker's patches in the maintenance window.",
        checks=[
            Every("aws_ecs_service", {"platform_version": one_of("LATEST", None)}),
            Every("aws_rds_cluster_instance", {"auto_minor_version_upgrade": True}),
            Every("aws_elasticache_replication_group", {"auto_minor_version_upgrade": "true"}),
        ],
        mutations=[
            Change("aws_ecs_service", "platform_version", "1.3.0"),
            Change("aws_rds_cluster_instance", "auto_minor_version_upgrade", False),
            Change("aws_elasticache_replication_group", "auto_minor_version_upgrade", "false"),
        ],
    ),
    Control(
        name="supported-runtime",
        requirements=("6.3.3", "12.3.4"),
        does="The rotation's function runs on a runtime that AWS goes on supporting.",
        checks=[Every("aws_lambda_function", {"runtime": one_of(*SUPPORTED_RUNTIMES)})],
        mutations=[Change("aws_lambda_function", "runtime", "python3.8")],
    ),
    Control(
        name="firewall",
        requirements=("6.4.1", "6.4.2"),
        does="A web application firewall blocks in front of every public load balancer; no rule only counts.",
        checks=[
            Relation("every public load balancer has a web ACL", _unguarded_entrances),
            Relation(f"it has a limit for each client, and {', '.join(RULE_GROUPS)}", _missing_rules),
            Relation("no rule, and no rule of a group, is turned down to counting", _counting_rules),
            Every("aws_lb", {"enable_waf_fail_open": False}),
        ],
        mutations=[
            Removal("aws_wafv2_web_acl_association", "the web ACL stands in front of nothing"),
            Change(
                "aws_wafv2_web_acl",
                "rule[name=sql-injection].statement.managed_rule_group_statement.name",
                "AWSManagedRulesLinuxRuleSet",
            ),
            Change("aws_wafv2_web_acl", "rule[name=common].override_action", {"count": {}}),
            Change(
                "aws_wafv2_web_acl",
                "rule[name=common].statement.managed_rule_group_statement.rule_action_override",
                [{"name": "CrossSiteScripting_BODY", "action_to_use": {"count": {}}}],
            ),
            Change("aws_wafv2_web_acl", "rule[name=requests-per-client].action", {"count": {}}),
            Change("aws_wafv2_web_acl", "rule[name=requests-per-client].statement", {"geo_match_statement": {}}),
            Change("aws_lb", "enable_waf_fail_open", True),
        ],
    ),
    Control(
        name="environments-apart",
        requirements=("6.5.3", "6.5.5"),
        does="Each environment has a state, a key of it and a provider of its own account, and no other's data.",
        checks=[
            Relation(
                "states lie in their environment's bucket, under its key; providers know one account", _shared_states
            ),
            Every("aws_rds_cluster", {"snapshot_identifier": IS_ABSENT, "restore_to_point_in_time": IS_ABSENT}),
        ],
        mutations=[
            Change("stack.network", "backend.bucket", "globecart-staging-state"),
            Change("stack.network", "backend.kms_key_id", None),
            Change("stack.network", "provider.allowed_account_ids", None),
            Change("stack.network", "provider.allowed_account_ids", ["444455556666"]),
            Change("stack.network", "provider.default_tags.tags.Environment", "staging"),
            Change("aws_rds_cluster", "snapshot_identifier", "globecart-prod-database-final"),
            Change(
                "aws_rds_cluster", "restore_to_point_in_time", {"source_cluster_identifier": "globecart-prod-database"}
            ),
        ],
    ),
)
