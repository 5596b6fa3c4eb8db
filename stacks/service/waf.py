"""WAF in front of the load balancer: AWS's managed rules, a limit on requests a client, and a log of every request.

PCI DSS 6.4.2: it blocks, and no rule of it is turned down to counting, but for the one on large bodies where the
settings name paths that take them; there another rule takes its place (docs/decisions/0005).
"""

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.wafv2_web_acl import (
    Wafv2WebAcl,
    Wafv2WebAclDefaultAction,
    Wafv2WebAclDefaultActionAllow,
    Wafv2WebAclRule,
    Wafv2WebAclRuleAction,
    Wafv2WebAclRuleActionBlock,
    Wafv2WebAclRuleOverrideAction,
    Wafv2WebAclRuleOverrideActionNone,
    Wafv2WebAclRuleVisibilityConfig,
    Wafv2WebAclVisibilityConfig,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl_logging_configuration import (
    Wafv2WebAclLoggingConfiguration,
    Wafv2WebAclLoggingConfigurationRedactedFields,
    Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader,
)

from stacks.names import Names
from stacks.parts.alarms import Alarm
from stacks.parts.logs import allow_log_delivery, log_group
from stacks.tier import TierStack

# A statement can hold statements, so cdktf has no classes for it and hands it on untouched, in Terraform's own names.
Statement = dict[str, object]

COMMON_RULE_GROUP = "AWSManagedRulesCommonRuleSet"
MANAGED_RULE_GROUPS = (
    ("reputation", "AWSManagedRulesAmazonIpReputationList"),
    ("known-bad-inputs", "AWSManagedRulesKnownBadInputsRuleSet"),
    ("sql-injection", "AWSManagedRulesSQLiRuleSet"),
    ("common", COMMON_RULE_GROUP),
)
"""Asked in this order; all four take 1,125 of the 1,500 units of capacity that come without a charge."""

LARGE_BODY_RULE = "SizeRestrictions_BODY"
LARGE_BODY_LABEL = "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"

REDACTED_HEADERS = ("authorization", "cookie")
"""Headers that the log shows nothing of: with them, whoever reads it could be the customer. WAF's samples of requests
would show them all the same, so there are none."""


def web_acl(tier: TierStack) -> Wafv2WebAcl:
    """The rules. The nearest to a flood comes first: what it refuses costs no further look."""
    wanted = tier.settings.service
    statements = {
        "requests-per-client": _more_than(wanted.requests_per_client),
        **{
            name: _managed(
                group, counting=LARGE_BODY_RULE if group == COMMON_RULE_GROUP and wanted.large_bodies else None
            )
            for name, group in MANAGED_RULE_GROUPS
        },
    }
    if wanted.large_bodies:
        statements["large-bodies"] = _large_body_elsewhere(wanted.large_bodies)
    return Wafv2WebAcl(
        tier,
        "firewall",
        name=tier.names.web_acl,
        description="In front of the load balancer",
        scope="REGIONAL",
        default_action=Wafv2WebAclDefaultAction(allow=Wafv2WebAclDefaultActionAllow()),
        rule=[_rule(priority, *entry) for priority, entry in enumerate(statements.items())],
        visibility_config=Wafv2WebAclVisibilityConfig(
            metric_name=tier.names.web_acl, cloudwatch_metrics_enabled=True, sampled_requests_enabled=False
        ),
    )


def dimensions(names: Names, region: str) -> dict[str, str]:
    """Of the web ACL's metrics, over all rules."""
    return {"WebACL": names.web_acl, "Region": region, "Rule": "ALL"}


def log_requests(tier: TierStack, acl: Wafv2WebAcl, key: KmsKey) -> CloudwatchLogGroup:
    """PCI DSS 10.4.2: who asked for what, and which rule said no."""
    log = log_group(tier, "firewall-log", tier.names.waf_log_group, key=key)
    Wafv2WebAclLoggingConfiguration(
        tier,
        "firewall-logging",
        resource_arn=acl.arn,
        log_destination_configs=[log.arn],
        redacted_fields=[
            Wafv2WebAclLoggingConfigurationRedactedFields(
                single_header=Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader(name=header)
            )
            for header in REDACTED_HEADERS
        ],
        depends_on=[allow_log_delivery(tier, [log])],
    )
    return log


def alarm(tier: TierStack) -> Alarm:
    """When it has much to refuse."""
    return Alarm(
        name="blocked",
        namespace="AWS/WAFV2",
        metric="BlockedRequests",
        dimensions=dimensions(tier.names, tier.settings.region),
        statistic="Sum",
        threshold=1000,
        unit="requests",
        period=300,
        periods=1,
        missing="notBreaching",
        why="somebody attacks, or a rule takes customers for attackers",
    )


def _rule(priority: int, name: str, statement: Statement) -> Wafv2WebAclRule:
    """A rule that blocks; a group's rules say so themselves."""
    is_group = "managed_rule_group_statement" in statement
    return Wafv2WebAclRule(
        name=name,
        priority=priority,
        statement=statement,
        action=None if is_group else Wafv2WebAclRuleAction(block=Wafv2WebAclRuleActionBlock()),
        override_action=Wafv2WebAclRuleOverrideAction(none=Wafv2WebAclRuleOverrideActionNone()) if is_group else None,
        visibility_config=Wafv2WebAclRuleVisibilityConfig(
            metric_name=name, cloudwatch_metrics_enabled=True, sampled_requests_enabled=False
        ),
    )


def _more_than(requests: int) -> Statement:
    return {
        "rate_based_statement": {"limit": requests, "aggregate_key_type": "IP", "evaluation_window_sec": 300},
    }


def _managed(group: str, *, counting: str | None) -> Statement:
    statement: Statement = {"vendor_name": "AWS", "name": group}
    if counting:
        statement["rule_action_override"] = {"name": counting, "action_to_use": {"count": {}}}
    return {"managed_rule_group_statement": statement}


def _large_body_elsewhere(paths: Sequence[str]) -> Statement:
    """What the common rules have labelled as a large body, on any other path."""
    label: Statement = {"label_match_statement": {"scope": "LABEL", "key": LARGE_BODY_LABEL}}
    there = [_path_starts(path) for path in paths]
    elsewhere: Statement = {
        "not_statement": {"statement": {"or_statement": {"statement": there}} if len(there) > 1 else there[0]}
    }
    return {"and_statement": {"statement": [label, elsewhere]}}


def _path_starts(path: str) -> Statement:
    return {
        "byte_match_statement": {
            "search_string": path,
            "positional_constraint": "STARTS_WITH",
            "field_to_match": {"uri_path": {}},
            # As the application will read it: /uploads/../checkout is no upload.
            "text_transformation": [{"priority": 0, "type": "URL_DECODE"}, {"priority": 1, "type": "NORMALIZE_PATH"}],
        }
    }
