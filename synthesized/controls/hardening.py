"""PCI DSS 2 and 6: secure configuration, patches, and protection of the web application."""

from collections.abc import Iterable

from synthesized.controls.control import (
    IS_ABSENT,
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    Value,
    containing,
    none_of,
    one_of,
)
from synthesized.controls.document import Document, values

RULE_GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
)
# Years before deprecation: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
SUPPORTED_RUNTIMES = ("python3.13", "python3.14")


def _load_balancers_without_waf(document: Document) -> Iterable[str]:
    protected = {
        association["resource_arn"] for association in document.of_type("aws_wafv2_web_acl_association").values()
    }
    for address, balancer in document.of_type("aws_lb").items():
        if not balancer.get("internal") and f"${{{address}.arn}}" not in protected:
            yield f"{address}: has no aws_wafv2_web_acl_association"


def _missing_rules(document: Document) -> Iterable[str]:
    for address, acl in document.of_type("aws_wafv2_web_acl").items():
        statements = [rule["statement"] for rule in acl["rule"]]
        groups = {name for each in statements for name in values(each, "managed_rule_group_statement.name")}
        for group in sorted(set(RULE_GROUPS) - groups):
            yield f"{address}: rule: lacks {group}"
        if not any("rate_based_statement" in statement for statement in statements):
            yield f"{address}: rule: none is rate-based"


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
                yield f"{address}: backend {path}: belongs to another environment"
        for allowed in values(stack, "provider.allowed_account_ids"):
            accounts |= set(allowed or ["any"])
    if len(accounts) != 1 or "any" in accounts:
        yield f"stacks: provider allowed_account_ids: {sorted(accounts)}"


CONTROLS = (
    Control(
        name="no-default-accounts",
        requirements=("2.2.2",),
        summary="The database's master user has no well-known name. The cache's default user has no permissions.",
        checks=[
            Every("aws_rds_cluster", {"master_username": none_of("postgres", "admin", "root", "master", "rdsadmin")}),
            Every(
                "aws_elasticache_user",
                {
                    "access_string": Value(
                        "off, with no commands", lambda text: text.startswith("off ") and "+" not in text
                    )
                },
                where={"user_name": "default"},
            ),
        ],
        mutations=[
            Replacement("aws_rds_cluster", "master_username", "postgres"),
            Replacement("aws_elasticache_user.cache_default", "access_string", "on ~* +@all"),
            Removal("aws_elasticache_user.cache_default", "the default user has its initial configuration"),
        ],
    ),
    Control(
        name="container-hardening",
        requirements=("2.2.4", "2.2.6"),
        summary="The container runs as an unprivileged user, without capabilities, on a read-only root file system.",
        checks=[
            Every(
                "aws_ecs_task_definition",
                {
                    "container_definitions.readonlyRootFilesystem": True,
                    "container_definitions.user": Value(
                        "a numeric ID other than root's",
                        lambda user: bool(user) and user[0].isdigit() and user[0] != "0",
                    ),
                    "container_definitions.privileged": False,
                    "container_definitions.linuxParameters.capabilities.drop": ["ALL"],
                    "container_definitions.linuxParameters.capabilities.add": IS_ABSENT,
                    "container_definitions.linuxParameters.initProcessEnabled": True,
                },
            )
        ],
        mutations=[
            Replacement("aws_ecs_task_definition", f"container_definitions.{path}", value)
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
        summary="ECS Exec is disabled: no shell can be opened in a task.",
        checks=[Every("aws_ecs_service", {"enable_execute_command": False})],
        mutations=[Replacement("aws_ecs_service", "enable_execute_command", True)],
    ),
    Control(
        name="header-smuggling",
        requirements=("6.2.4",),
        summary="The load balancer drops headers that a task could interpret differently than WAF.",
        checks=[
            Every(
                "aws_lb",
                {"drop_invalid_header_fields": True, "desync_mitigation_mode": one_of("defensive", "strictest")},
            )
        ],
        mutations=[
            Replacement("aws_lb", "drop_invalid_header_fields", False),
            Replacement("aws_lb", "desync_mitigation_mode", "monitor"),
        ],
    ),
    Control(
        name="image-scanning",
        requirements=("6.3.1", "11.3.1"),
        summary="Images are scanned on push, immutable, and deployed by digest.",
        checks=[
            Every(
                "aws_ecr_repository",
                {"image_scanning_configuration.scan_on_push": True, "image_tag_mutability": "IMMUTABLE"},
            ),
            Every("aws_ecs_task_definition", {"container_definitions.image": containing("@sha256:")}),
        ],
        mutations=[
            Replacement("aws_ecr_repository", "image_scanning_configuration.scan_on_push", False),
            Replacement("aws_ecr_repository", "image_tag_mutability", "MUTABLE"),
            Replacement("aws_ecs_task_definition", "container_definitions.image", "example/shop:latest"),
        ],
    ),
    Control(
        name="patches",
        requirements=("6.3.3",),
        summary="Aurora and ElastiCache install patches in the maintenance window. Tasks run on the latest Fargate "
        "platform version.",
        checks=[
            Every("aws_ecs_service", {"platform_version": one_of("LATEST", None)}),
            Every("aws_rds_cluster_instance", {"auto_minor_version_upgrade": True}),
            Every("aws_elasticache_replication_group", {"auto_minor_version_upgrade": "true"}),
        ],
        mutations=[
            Replacement("aws_ecs_service", "platform_version", "1.3.0"),
            Replacement("aws_rds_cluster_instance", "auto_minor_version_upgrade", False),
            Replacement("aws_elasticache_replication_group", "auto_minor_version_upgrade", "false"),
        ],
    ),
    Control(
        name="supported-runtime",
        requirements=("6.3.3", "12.3.4"),
        summary="The rotation function uses a supported Lambda runtime.",
        checks=[Every("aws_lambda_function", {"runtime": one_of(*SUPPORTED_RUNTIMES)})],
        mutations=[Replacement("aws_lambda_function", "runtime", "python3.8")],
    ),
    Control(
        name="waf",
        requirements=("6.4.1", "6.4.2"),
        summary="AWS WAF protects every public load balancer, and all its rules block instead of counting.",
        checks=[
            Relation("every public load balancer has a web ACL", _load_balancers_without_waf),
            Relation(f"every web ACL has a rate-based rule, and {', '.join(RULE_GROUPS)}", _missing_rules),
            Relation("no rule or rule group is overridden to count", _counting_rules),
            Every("aws_lb", {"enable_waf_fail_open": False}),
        ],
        mutations=[
            Removal("aws_wafv2_web_acl_association", "the web ACL protects no load balancer"),
            Replacement(
                "aws_wafv2_web_acl",
                "rule[name=sql-injection].statement.managed_rule_group_statement.name",
                "AWSManagedRulesLinuxRuleSet",
            ),
            Replacement("aws_wafv2_web_acl", "rule[name=common].override_action", {"count": {}}),
            Replacement(
                "aws_wafv2_web_acl",
                "rule[name=common].statement.managed_rule_group_statement.rule_action_override",
                [{"name": "CrossSiteScripting_BODY", "action_to_use": {"count": {}}}],
            ),
            Replacement("aws_wafv2_web_acl", "rule[name=requests-per-client].action", {"count": {}}),
            Replacement("aws_wafv2_web_acl", "rule[name=requests-per-client].statement", {"geo_match_statement": {}}),
            Replacement("aws_lb", "enable_waf_fail_open", True),
        ],
    ),
    Control(
        name="environment-separation",
        requirements=("6.5.3", "6.5.5"),
        summary="Each environment has its own state, state key and account, and no data of another environment.",
        checks=[
            Relation(
                "states are in the environment's bucket, encrypted with its key; providers allow one account",
                _shared_states,
            ),
            Every("aws_rds_cluster", {"snapshot_identifier": IS_ABSENT, "restore_to_point_in_time": IS_ABSENT}),
        ],
        mutations=[
            Replacement("stack.network", "backend.bucket", "acme-staging-state"),
            Replacement("stack.network", "backend.kms_key_id", None),
            Replacement("stack.network", "provider.allowed_account_ids", None),
            Replacement("stack.network", "provider.allowed_account_ids", ["444455556666"]),
            Replacement("stack.network", "provider.default_tags.tags.Environment", "staging"),
            Replacement("aws_rds_cluster", "snapshot_identifier", "acme-prod-database-final"),
            Replacement(
                "aws_rds_cluster", "restore_to_point_in_time", {"source_cluster_identifier": "acme-prod-database"}
            ),
        ],
    ),
)
