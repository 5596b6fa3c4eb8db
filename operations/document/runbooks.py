"""What comes to people of the platform, as it was synthesized: alarms, events, messages; and the runbooks' facts of it.

Each ends with the address of its runbook: a page a tier, a heading each. RDS alone words its messages itself.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from operations.document import markdown
from synthesized.platform import Body, Platform, PlatformError

LINK = re.compile(r"(?P<says>.+) Runbook: \S+/(?P<page>[\w-]+)\.md#(?P<heading>[\w-]+)", re.DOTALL)
ALARM_DESCRIPTION = re.compile(r"(?P<rings>.+? for \d+ (?:min|h)): (?P<because>.+)\.")
MISSING_DATA = {"breaching": "it rings", "notBreaching": "it does not ring", "missing": "it stays as it is"}
DATABASE_EVENTS = ("observability", "database-events")
"""Page and heading of what RDS tells."""

Runbook = tuple[str, str]
"""Page and heading."""


@dataclass(frozen=True)
class Trigger:
    """Something that comes to people of an environment."""

    runbook: Runbook
    kind: str
    name: str
    message: str
    """When it comes, or its own words."""
    facts: Mapping[str, str]
    """What else is known of it, by what it is about."""

    @property
    def rows(self) -> dict[str, str]:
        """All of it, by what it is about."""
        return {self.kind: self.name, "says" if self.kind != "alarm" else "rings at": self.message, **self.facts}


def triggers(platform: Platform) -> Iterator[Trigger]:
    """All that comes to people of an environment.

    Raises:
        PlatformError: something links no runbook, or does not say when it rings.
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
                        runbook, says = _split_runbook(platform, message)
                        yield Trigger(runbook, "state machine", f"`{name}`", _format_code(says), {})
            case "aws_db_event_subscription":
                name = markdown.generalize(platform, body["name"])
                yield Trigger(DATABASE_EVENTS, "subscription", f"`{name}`", _format_subscription(body), {})
            case _:
                pass


def facts(platforms: Sequence[Platform]) -> dict[Runbook, str]:
    """What the code knows of each heading, in Markdown."""
    names = [platform.environment for platform in platforms]
    return {runbook: _table(told, names) for runbook, told in _by_runbook(platforms).items()}


def overview(platforms: Sequence[Platform]) -> str:
    """All that comes to people, in Markdown: a row a heading."""
    rows: list[tuple[str, ...]] = []
    for (page, heading), told in _by_runbook(platforms).items():
        first = next(iter(told.values()))[0]
        rows.append((f"[{heading}]({page}.md#{heading})", page, first.kind, first.message))
    return markdown.table(("runbook", "tier", "what", "when, or in which words"), rows)


def _by_runbook(platforms: Sequence[Platform]) -> dict[Runbook, dict[str, list[Trigger]]]:
    """What comes under each heading, by environment."""
    found: dict[Runbook, dict[str, list[Trigger]]] = {}
    for platform in platforms:
        for told in triggers(platform):
            found.setdefault(told.runbook, {}).setdefault(platform.environment, []).append(told)
    order = list(platforms[0].stacks)
    return dict(sorted(found.items(), key=lambda entry: order.index(entry[0][0])))


def _table(by_environment: Mapping[str, Sequence[Trigger]], environments: Sequence[str]) -> str:
    """Where environments differ, each says its own."""
    head, *rows = (
        (
            about,
            _merge_environments({name: [each.rows[about] for each in told] for name, told in by_environment.items()}),
        )
        for about in next(iter(by_environment.values()))[0].rows
    )
    if missing := [name for name in environments if name not in by_environment]:
        rows.append(("not in", ", ".join(missing)))
    return markdown.table(head, rows)


def _merge_environments(by_environment: Mapping[str, Sequence[str]]) -> str:
    texts = {name: "; ".join(dict.fromkeys(told)) for name, told in by_environment.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "<br>".join(f"{name}: {text}" for name, text in texts.items())


def _alarm(platform: Platform, body: Body) -> Trigger:
    runbook, says = _split_runbook(platform, body["alarm_description"])
    name = markdown.generalize(platform, body["alarm_name"])
    if rule := body.get("alarm_rule"):
        return Trigger(runbook, "alarm", f"`{name}`", says, {"looks at": f"{rule.count('ALARM(')} alarms"})
    said = ALARM_DESCRIPTION.fullmatch(says)
    if not said:
        raise PlatformError(f"{name}: {says}: says not when it rings and why")
    measured = {
        "looks at": _format_measurement(platform, body),
        "without data": MISSING_DATA[body["treat_missing_data"]],
    }
    return Trigger(runbook, "alarm", f"`{name}`", said["rings"], {"because": _plain(said["because"]), **measured})


def _event(platform: Platform, rule: Body, transformer: Body) -> Trigger:
    runbook, says = _split_runbook(platform, json.loads(transformer["input_template"]))
    pattern = json.loads(rule["event_pattern"])
    kinds = ", ".join(pattern["detail-type"])
    asked = {key: value for key, value in pattern.items() if key in {"resources", "detail"}}
    where = f", where `{markdown.generalize(platform, json.dumps(asked))}`" if asked else ""
    name = markdown.generalize(platform, rule["name"])
    return Trigger(
        runbook, "event", f"`{name}`", _format_code(says), {"of": f"`{pattern['source'][0]}`: {kinds}{where}"}
    )


def _split_runbook(platform: Platform, text: str) -> tuple[Runbook, str]:
    """The runbook that a text ends with, and what it says before."""
    link = LINK.fullmatch(text)
    if not link:
        raise PlatformError(f"{text}: ends with no runbook")
    own = f"{platform.environment}: "
    says = link["says"]
    says = f"<environment>: {says.removeprefix(own)}" if says.startswith(own) else says
    return (link["page"], link["heading"]), markdown.generalize(platform, says)


def _format_measurement(platform: Platform, body: Body) -> str:
    """What is looked at, as CloudWatch computes it."""
    queries = {query["id"]: query for query in body.get("metric_query", [])}
    parts = [f"`{id}`, the {_format_metric(query['metric'])}" for id, query in queries.items() if "metric" in query]
    expressions = [f"`{query['expression']}`" for query in queries.values() if "expression" in query]
    whole = f"{expressions[0]}{' of ' if parts else ''}{' and '.join(parts)}" if expressions else _format_metric(body)
    period = body.get("period") or next(_periods(queries.values()))
    lasting = f"{body['evaluation_periods']} times {period} seconds"
    told = markdown.generalize(platform, f"{whole}, {lasting}")
    return told + "".join(
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
    """In words of its own; the letter of a zone is one for all."""
    return re.sub(r"<region>[a-f]\b", "each zone", text).replace("<", r"\<")


def _format_code(sentence: str) -> str:
    """In code, since it has `<names>` of what is filled in."""
    return f"`{sentence}`"
