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
RINGS = re.compile(r"(?P<rings>.+? for \d+ (?:min|h)): (?P<because>.+)\.")
WITHOUT_DATA = {"breaching": "it rings", "notBreaching": "it does not ring", "missing": "it stays as it is"}
OF_DATABASES = ("observability", "database-events")
"""Page and heading of what RDS tells."""

Runbook = tuple[str, str]
"""Page and heading."""


@dataclass(frozen=True)
class Told:
    """Something that comes to people of an environment."""

    runbook: Runbook
    kind: str
    name: str
    says: str
    """When it comes, or its own words."""
    facts: Mapping[str, str]
    """What else is known of it, by what it is about."""

    @property
    def rows(self) -> dict[str, str]:
        """All of it, by what it is about."""
        return {self.kind: self.name, "says" if self.kind != "alarm" else "rings at": self.says, **self.facts}


def told_by(platform: Platform) -> Iterator[Told]:
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
                yield _event(platform, platform.followed(body["rule"]).body, body["input_transformer"])
            case "aws_sfn_state_machine":
                name = markdown.general(platform, body["name"])
                for state in json.loads(body["definition"])["States"].values():
                    if message := state.get("Arguments", {}).get("Message"):
                        runbook, says = _linked(platform, message)
                        yield Told(runbook, "state machine", f"`{name}`", _quoted(says), {})
            case "aws_db_event_subscription":
                name = markdown.general(platform, body["name"])
                yield Told(OF_DATABASES, "subscription", f"`{name}`", _events_of(body), {})
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
        rows.append((f"[{heading}]({page}.md#{heading})", page, first.kind, first.says))
    return markdown.table(("runbook", "tier", "what", "when, or in which words"), rows)


def _by_runbook(platforms: Sequence[Platform]) -> dict[Runbook, dict[str, list[Told]]]:
    """What comes under each heading, by environment."""
    found: dict[Runbook, dict[str, list[Told]]] = {}
    for platform in platforms:
        for told in told_by(platform):
            found.setdefault(told.runbook, {}).setdefault(platform.environment, []).append(told)
    order = list(platforms[0].stacks)
    return dict(sorted(found.items(), key=lambda entry: order.index(entry[0][0])))


def _table(by_environment: Mapping[str, Sequence[Told]], environments: Sequence[str]) -> str:
    """Where environments differ, each says its own."""
    head, *rows = (
        (
            about,
            _joined({name: [each.rows[about] for each in told] for name, told in by_environment.items()}),
        )
        for about in next(iter(by_environment.values()))[0].rows
    )
    if missing := [name for name in environments if name not in by_environment]:
        rows.append(("not in", ", ".join(missing)))
    return markdown.table(head, rows)


def _joined(by_environment: Mapping[str, Sequence[str]]) -> str:
    texts = {name: "; ".join(dict.fromkeys(told)) for name, told in by_environment.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "<br>".join(f"{name}: {text}" for name, text in texts.items())


def _alarm(platform: Platform, body: Body) -> Told:
    runbook, says = _linked(platform, body["alarm_description"])
    name = markdown.general(platform, body["alarm_name"])
    if rule := body.get("alarm_rule"):
        return Told(runbook, "alarm", f"`{name}`", says, {"looks at": f"{rule.count('ALARM(')} alarms"})
    said = RINGS.fullmatch(says)
    if not said:
        raise PlatformError(f"{name}: {says}: says not when it rings and why")
    measured = {"looks at": _measured(platform, body), "without data": WITHOUT_DATA[body["treat_missing_data"]]}
    return Told(runbook, "alarm", f"`{name}`", said["rings"], {"because": _plain(said["because"]), **measured})


def _event(platform: Platform, rule: Body, transformer: Body) -> Told:
    runbook, says = _linked(platform, json.loads(transformer["input_template"]))
    pattern = json.loads(rule["event_pattern"])
    kinds = ", ".join(pattern["detail-type"])
    asked = {key: value for key, value in pattern.items() if key in {"resources", "detail"}}
    where = f", where `{markdown.general(platform, json.dumps(asked))}`" if asked else ""
    name = markdown.general(platform, rule["name"])
    return Told(runbook, "event", f"`{name}`", _quoted(says), {"of": f"`{pattern['source'][0]}`: {kinds}{where}"})


def _linked(platform: Platform, text: str) -> tuple[Runbook, str]:
    """The runbook that a text ends with, and what it says before."""
    link = LINK.fullmatch(text)
    if not link:
        raise PlatformError(f"{text}: ends with no runbook")
    own = f"{platform.environment}: "
    says = link["says"]
    says = f"<environment>: {says.removeprefix(own)}" if says.startswith(own) else says
    return (link["page"], link["heading"]), markdown.general(platform, says)


def _measured(platform: Platform, body: Body) -> str:
    """What is looked at, as CloudWatch computes it."""
    queries = {query["id"]: query for query in body.get("metric_query", [])}
    parts = [f"`{id}`, the {_metric(query['metric'])}" for id, query in queries.items() if "metric" in query]
    expressions = [f"`{query['expression']}`" for query in queries.values() if "expression" in query]
    whole = f"{expressions[0]}{' of ' if parts else ''}{' and '.join(parts)}" if expressions else _metric(body)
    period = body.get("period") or next(_periods(queries.values()))
    lasting = f"{body['evaluation_periods']} times {period} seconds"
    told = markdown.general(platform, f"{whole}, {lasting}")
    return told + "".join(
        f"; counted by `{filter_['pattern']}` in `{markdown.general(platform, filter_['log_group_name'])}`"
        for filter_ in (resource.body for resource in platform.of_type("aws_cloudwatch_log_metric_filter"))
        if (filter_["metric_transformation"]["namespace"], filter_["metric_transformation"]["name"])
        == (body.get("namespace"), body.get("metric_name"))
    )


def _periods(queries: Iterable[Body]) -> Iterator[int]:
    for query in queries:
        yield from (each["period"] for each in (query, query.get("metric", {})) if "period" in each)


def _metric(metric: Body) -> str:
    statistic = metric.get("stat") or metric.get("statistic") or metric["extended_statistic"]
    by = ", ".join(metric.get("dimensions") or {})
    return f"{statistic} of `{metric['metric_name']}` in `{metric['namespace']}`{f' by {by}' if by else ''}"


def _events_of(subscription: Body) -> str:
    return f"{subscription['source_type']}: {', '.join(subscription['event_categories'])}"


def _plain(text: str) -> str:
    """In words of its own; the letter of a zone is one for all."""
    return re.sub(r"<region>[a-f]\b", "each zone", text).replace("<", r"\<")


def _quoted(sentence: str) -> str:
    """In code, since it has `<names>` of what is filled in."""
    return f"`{sentence}`"
