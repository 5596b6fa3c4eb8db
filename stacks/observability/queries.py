"""Saved CloudWatch Logs Insights queries to start an investigation with."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_query_definition import CloudwatchQueryDefinition

from stacks.names import Names
from stacks.tier import TierStack


@dataclass(frozen=True)
class Query:
    """A saved query and its log group."""

    name: str
    log_group: str
    steps: Sequence[str]
    """Commands in Logs Insights' query language, which are joined by `|`."""


def queries(names: Names) -> list[Query]:
    """All saved queries."""
    return [
        Query(
            "application-errors",
            names.application_log_group,
            (
                'filter level in ["ERROR", "CRITICAL"]',
                "stats count(*) as errors, latest(@timestamp) as last by level, message",
                "sort errors desc",
                "limit 50",
            ),
        ),
        Query(
            "slow-statements",
            names.database_log_group("postgresql"),
            (
                "parse @message /]:LOG: +duration: (?<milliseconds>[0-9.]+) ms/",
                "filter ispresent(milliseconds)",
                "sort milliseconds desc",
                "display @timestamp, milliseconds, @message",
                "limit 50",
            ),
        ),
        Query(
            "failed-logins",
            names.database_log_group("postgresql"),
            (
                "filter @message like /]:FATAL: +((password|PAM) authentication failed|no pg_hba.conf entry)/",
                "display @timestamp, @message",
                "sort @timestamp desc",
                "limit 50",
            ),
        ),
        Query(
            "slow-cache-commands",
            names.cache_log_group("slow-log"),
            ("display @timestamp, @message", "sort @timestamp desc", "limit 50"),
        ),
        Query(
            "blocked-requests",
            names.waf_log_group,
            (
                'filter action = "BLOCK"',
                "stats count(*) as requests by terminatingRuleId, httpRequest.clientIp, httpRequest.uri",
                "sort requests desc",
                "limit 50",
            ),
        ),
        Query(
            "rejected-connections",
            names.flow_log_group,
            (
                'filter action = "REJECT"',
                "stats count(*) as tries by srcAddr, dstAddr, dstPort",
                "sort tries desc",
                "limit 50",
            ),
        ),
    ]


def save_queries(tier: TierStack) -> None:
    """Save the queries in a folder of the environment; the console shows slashes in names as folders."""
    for query in queries(tier.names):
        CloudwatchQueryDefinition(
            tier,
            f"query-{query.name}",
            name=f"{tier.names.metric_namespace}/{query.name}",
            log_group_names=[query.log_group],
            query_string="\n| ".join(query.steps),
        )
