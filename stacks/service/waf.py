"""WAF in front of the load balancer: AWS managed rules, a rate limit per client, a log of every request.

PCI DSS 6.4.2: all rules block, with one exception: if the settings list paths for large bodies, the managed rule on
body size only counts, and a rule of ours blocks large bodies on all other paths (docs/decisions/0005).
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

# Statements are recursive, so cdktf has no classes for them and passes the dict through with Terraform's names.
Statement = dict[str, object]

COMMON_RULE_GROUP = "AWSManagedRulesCommonRuleSet"
MANAGED_RULE_GROUPS = (
    ("reputation", "AWSManagedRulesAmazonIpReputationList"),
    ("known-bad-inputs", "AWSManagedRulesKnownBadInputsRuleSet"),
    ("sql-injection", "AWSManagedRulesSQLiRuleSet"),
    ("common", COMMON_RULE_GROUP),
)
"""In evaluation order. All four use 1,125 of the 1,500 WCUs that are included in the price."""

LARGE_BODY_RULE = "SizeRestrictions_BODY"
LARGE_BODY_LABEL = "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"

REDACTED_HEADERS = ("authorization", "cookie")
"""Headers redacted in the log, because they would let a reader impersonate the customer. Sampled requests would show
them, so sampling is off."""


def web_acl(tier: TierStack) -> Wafv2WebAcl:
    """The web ACL. The rate limit comes first, so that a flood does not reach the other rules."""
    settings = tier.settings.service
    statements = {
        "requests-per-client": _rate_limit(settings.requests_per_client),
        **{
            name: _managed_group(
                group, counted_rule=LARGE_BODY_RULE if group == COMMON_RULE_GROUP and settings.large_bodies else None
            )
            for name, group in MANAGED_RULE_GROUPS
        },
    }
    if settings.large_bodies:
        statements["large-bodies"] = _large_body_on_other_paths(settings.large_bodies)
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
    """Dimensions of the web ACL's metrics, over all rules."""
    return {"WebACL": names.web_acl, "Region": region, "Rule": "ALL"}


def log_requests(tier: TierStack, acl: Wafv2WebAcl, key: KmsKey) -> CloudwatchLogGroup:
    """PCI DSS 10.4.2: log every request and the rule that blocked it."""
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
    """Alarm on many blocked requests."""
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
        treat_missing_data="notBreaching",
        reason="an attack is in progress, or a rule blocks legitimate customers",
    )


def _rule(priority: int, name: str, statement: Statement) -> Wafv2WebAclRule:
    """A rule that blocks. For a managed rule group, the group's own actions apply."""
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


def _rate_limit(requests: int) -> Statement:
    return {
        "rate_based_statement": {"limit": requests, "aggregate_key_type": "IP", "evaluation_window_sec": 300},
    }


def _managed_group(group: str, *, counted_rule: str | None) -> Statement:
    statement: Statement = {"vendor_name": "AWS", "name": group}
    if counted_rule:
        statement["rule_action_override"] = {"name": counted_rule, "action_to_use": {"count": {}}}
    return {"managed_rule_group_statement": statement}


def _large_body_on_other_paths(paths: Sequence[str]) -> Statement:
    """Matches requests that the common rules labelled as having a large body, except on these paths."""
    label: Statement = {"label_match_statement": {"scope": "LABEL", "key": LARGE_BODY_LABEL}}
    allowed = [_path_starts(path) for path in paths]
    other_path: Statement = {
        "not_statement": {"statement": {"or_statement": {"statement": allowed}} if len(allowed) > 1 else allowed[0]}
    }
    return {"and_statement": {"statement": [label, other_path]}}


def _path_starts(path: str) -> Statement:
    return {
        "byte_match_statement": {
            "search_string": path,
            "positional_constraint": "STARTS_WITH",
            "field_to_match": {"uri_path": {}},
            # Normalized as the application does: /uploads/../checkout is not an upload.
            "text_transformation": [{"priority": 0, "type": "URL_DECODE"}, {"priority": 1, "type": "NORMALIZE_PATH"}],
        }
    }
