"""Alarms, events and messages that notify the on-call engineer, and the tables about them in `docs/runbooks/`.

Each message ends with the URL of its runbook: one page per tier, one heading per trigger. Only RDS writes its own.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from operations.document import markdown
from synthesized.platform import Body, Platform, PlatformError

LINK = re.compile(r"(?P<message>.+) Runbook: \S+/(?P<page>[\w-]+)\.md#(?P<heading>[\w-]+)", re.DOTALL)
ALARM_DESCRIPTION = re.compile(r"(?P<condition>.+? for (?:\d+ of )?\d+ (?:min|h)): (?P<reason>.+)\.")
MISSING_DATA = {
    "breaching": "in alarm",
    "notBreaching": "not in alarm",
    "missing": "insufficient data, which is notified if it follows data",
}
DATABASE_EVENTS = ("observability", "database-events")
"""Page and heading of RDS event subscriptions."""

Runbook = tuple[str, str]
"""Page and heading."""


@dataclass(frozen=True)
class Trigger:
    """An alarm, event rule, state machine or event subscription that sends a notification."""

    runbook: Runbook
    kind: str
    name: str
    message: str
    """The condition of an alarm, the text of anything else."""
    facts: Mapping[str, str]
    """Further rows of its table, by heading."""

    @property
    def rows(self) -> dict[str, str]:
        """Rows of its table, by heading."""
        heading = "condition" if self.kind == "alarm" else "message"
        return {self.kind: self.name, heading: self.message, **self.facts}


def triggers(platform: Platform) -> Iterator[Trigger]:
    """All triggers of an environment.

    Raises:
        PlatformError: a trigger has no link to a runbook, or an alarm's description has no condition and reason.
    """
    for resource in platform.resources:
        body = resource.body
        match resource.type:
            case "aws_cloudwatch_metric_alarm" | "aws_cloudwatch_composite_alarm":
                yield _alarm(platform, body)
            case "aws_cloudwatch_event_target" if "input_transformer" in body:
                yield _event(platform, platform.resolve(body["rule"]).body, body["input_transformer"])
            case "aws_sfn_state_machine":
                name = markdown.generalize(platform, body["name"])
                for state in json.loads(body["definition"])["States"].values():
                    if message := state.get("Arguments", {}).get("Message"):
                        runbook, text = _split_runbook(platform, message)
                        yield Trigger(runbook, "state machine", f"`{name}`", _format_code(text), {})
            case "aws_db_event_subscription":
                name = markdown.generalize(platform, body["name"])
                yield Trigger(DATABASE_EVENTS, "subscription", f"`{name}`", _format_subscription(body), {})
            case _:
                pass


def facts(platforms: Sequence[Platform]) -> dict[Runbook, str]:
    """A Markdown table for each runbook."""
    names = [platform.environment for platform in platforms]
    return {runbook: _table(by_environment, names) for runbook, by_environment in _by_runbook(platforms).items()}


def overview(platforms: Sequence[Platform]) -> str:
    """A Markdown table of all runbooks."""
    rows: list[tuple[str, ...]] = []
    for (page, heading), by_environment in _by_runbook(platforms).items():
        first = next(iter(by_environment.values()))[0]
        rows.append((f"[{heading}]({page}.md#{heading})", page, first.kind, first.message))
    return markdown.table(("runbook", "tier", "kind", "condition or message"), rows)


def _by_runbook(platforms: Sequence[Platform]) -> dict[Runbook, dict[str, list[Trigger]]]:
    """Triggers of each runbook, by environment."""
    found: dict[Runbook, dict[str, list[Trigger]]] = {}
    for platform in platforms:
        for trigger in triggers(platform):
            found.setdefault(trigger.runbook, {}).setdefault(platform.environment, []).append(trigger)
    order = list(platforms[0].stacks)
    return dict(sorted(found.items(), key=lambda entry: order.index(entry[0][0])))


def _table(by_environment: Mapping[str, Sequence[Trigger]], environments: Sequence[str]) -> str:
    """A Markdown table of one runbook. Values that differ between environments are listed by environment."""
    head, *rows = (
        (
            heading,
            _merge_environments(
                {name: [each.rows[heading] for each in found] for name, found in by_environment.items()}
            ),
        )
        for heading in next(iter(by_environment.values()))[0].rows
    )
    if missing := [name for name in environments if name not in by_environment]:
        rows.append(("not in", ", ".join(missing)))
    return markdown.table(head, rows)


def _merge_environments(by_environment: Mapping[str, Sequence[str]]) -> str:
    texts = {name: "; ".join(dict.fromkeys(values)) for name, values in by_environment.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "<br>".join(f"{name}: {text}" for name, text in texts.items())


def _alarm(platform: Platform, body: Body) -> Trigger:
    runbook, description = _split_runbook(platform, body["alarm_description"])
    name = markdown.generalize(platform, body["alarm_name"])
    if rule := body.get("alarm_rule"):
        return Trigger(runbook, "alarm", f"`{name}`", description, {"combines": f"{rule.count('ALARM(')} alarms"})
    match = ALARM_DESCRIPTION.fullmatch(description)
    if not match:
        raise PlatformError(f"{name}: {description}: the description lacks a condition and a reason")
    facts = {
        "reason": _plain(match["reason"]),
        "metric": _format_measurement(platform, body),
        "missing data": MISSING_DATA[body["treat_missing_data"]],
    }
    return Trigger(runbook, "alarm", f"`{name}`", match["condition"], facts)


def _event(platform: Platform, rule: Body, transformer: Body) -> Trigger:
    # EventBridge quotes a text for a placeholder outside of strings.
    template = json.loads(re.sub(r'": (<[\w-]+>)', r'": "\1"', transformer["input_template"]))
    sentence, *beside = template.values() if isinstance(template, dict) else [template]
    runbook, message = _split_runbook(platform, sentence)
    pattern = json.loads(rule["event_pattern"])
    kinds = ", ".join(pattern["detail-type"])
    filters = {key: value for key, value in pattern.items() if key in {"resources", "detail"}}
    where = f", where `{markdown.generalize(platform, json.dumps(filters))}`" if filters else ""
    name = markdown.generalize(platform, rule["name"])
    facts = {
        **({"beside the message": ", ".join(f"`{value}`" for value in beside)} if beside else {}),
        "source": f"`{pattern['source'][0]}`: {kinds}{where}",
    }
    return Trigger(runbook, "event", f"`{name}`", _format_code(message), facts)


def _split_runbook(platform: Platform, text: str) -> tuple[Runbook, str]:
    """A text's runbook and the text without the link."""
    link = LINK.fullmatch(text)
    if not link:
        raise PlatformError(f"{text}: has no link to a runbook")
    prefix = f"{platform.environment}: "
    message = link["message"]
    message = f"<environment>: {message.removeprefix(prefix)}" if message.startswith(prefix) else message
    return (link["page"], link["heading"]), markdown.generalize(platform, message)


def _format_measurement(platform: Platform, body: Body) -> str:
    """An alarm's metric or expression, its period, and the metric filter behind it."""
    queries = {query["id"]: query for query in body.get("metric_query", [])}
    parts = [f"`{id}`, the {_format_metric(query['metric'])}" for id, query in queries.items() if "metric" in query]
    expressions = [f"`{query['expression']}`" for query in queries.values() if "expression" in query]
    measured = (
        f"{expressions[0]}{' of ' if parts else ''}{' and '.join(parts)}" if expressions else _format_metric(body)
    )
    period = body.get("period") or next(_periods(queries.values()))
    breaching = f"{body['datapoints_to_alarm']} of " if "datapoints_to_alarm" in body else ""
    duration = f"{breaching}{body['evaluation_periods']} times {period} seconds"
    return markdown.generalize(platform, f"{measured}, {duration}") + "".join(
        f"; counted by `{filter_['pattern']}` in `{markdown.generalize(platform, filter_['log_group_name'])}`"
        for filter_ in (resource.body for resource in platform.of_type("aws_cloudwatch_log_metric_filter"))
        if (filter_["metric_transformation"]["namespace"], filter_["metric_transformation"]["name"])
        == (body.get("namespace"), body.get("metric_name"))
    )


def _periods(queries: Iterable[Body]) -> Iterator[int]:
    for query in queries:
        yield from (each["period"] for each in (query, query.get("metric", {})) if "period" in each)


def _format_metric(metric: Body) -> str:
    statistic = metric.get("stat") or metric.get("statistic") or metric["extended_statistic"]
    by = ", ".join(metric.get("dimensions") or {})
    return f"{statistic} of `{metric['metric_name']}` in `{metric['namespace']}`{f' by {by}' if by else ''}"


def _format_subscription(subscription: Body) -> str:
    return f"{subscription['source_type']}: {', '.join(subscription['event_categories'])}"


def _plain(text: str) -> str:
    """A text in which every zone reads `each zone`, safe for Markdown."""
    return re.sub(r"<region>[a-f]\b", "each zone", text).replace("<", r"\<")


def _format_code(text: str) -> str:
    """As code, since it contains `<placeholders>`."""
    return f"`{text}`"
