"""`python -m operations review PLAN.json ...`: what plans put at stake, for whoever reviews a pull request."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.errors import RefusedError, one_line_errors
from operations.review.comment import comment, sorted_findings, verdict, worst_of
from operations.review.findings import Finding, OtherChange, StackReview
from operations.review.findings import review as review_plan
from operations.review.plan import read_plans
from operations.review.rules import Level

LEVEL_REACHED = 3


def review(
    plans: Annotated[
        list[Path],
        typer.Argument(metavar="PLAN.json", help="What `terraform show -json PLANFILE` wrote; several at once."),
    ],
    *,
    fail_on: Annotated[
        Level | None,
        typer.Option(
            "--fail-on", metavar="LEVEL", help="End with 3 where something of this level, or worse, is found."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON, for machines.")] = False,
) -> None:
    """Say what plans put at stake, as a Markdown comment for a pull request; the worst stands first.

    Levels, the worst first: data-loss, downtime, exposure, rotation, capacity, other. It reads plans alone: no AWS, no
    state, no credentials. It works for any provider; what each change means is a table, in operations/review/rules.py.
    No sensitive value is shown, and of what no rule speaks of, no value at all.

    Example: `terraform show -json network.plan > network.json`

    Example: `python -m operations review network.json service.json --fail-on downtime`

    Exit codes: 0 reviewed; 3 reviewed, and with --fail-on: its level was reached, or a plan is not whole; 1 refused or
    failed; 2 usage.
    """
    with one_line_errors():
        try:
            reviews = [review_plan(reviewed) for reviewed in read_plans(plans)]
            told = json.dumps(as_document(reviews), indent=2) if as_json else comment(reviews)
        except RecursionError as error:
            raise RefusedError("nested deeper than any plan") from error
    typer.echo(told, nl=as_json)
    if fail_on and is_reached(reviews, fail_on):
        raise typer.Exit(LEVEL_REACHED)


def is_reached(reviews: list[StackReview], level: Level) -> bool:
    """Whether something is as bad as a level; of a plan that is not whole, nobody can say that it is not."""
    worst = worst_of(reviews)
    return any(review.errored for review in reviews) or (worst is not None and worst.rank <= level.rank)


def as_document(reviews: list[StackReview]) -> dict[str, Any]:
    """All that was found, for machines; nothing is left out."""
    worst = worst_of(reviews)
    return {
        "verdict": worst and worst.value,
        "summary": verdict(reviews),
        "whole": not any(review.errored for review in reviews),
        "stacks": [_stack(review) for review in reviews],
        "findings": [_finding(finding) for finding in sorted_findings(reviews)],
    }


def _stack(review: StackReview) -> dict[str, Any]:
    return {
        "stack": review.stack,
        "level": review.level and review.level.value,
        "counts": dict(review.counts),
        "errored": review.errored,
        "complete": review.complete,
        "other": list(map(_rest, review.other_changes)),
        "outputs": dict(review.outputs),
        "drift": list(map(_rest, review.drift)),
        "deferred": list(review.deferred),
        "failed_checks": list(review.failed_checks),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "level": finding.level.value,
        "stack": finding.stack,
        "address": finding.address,
        "action": finding.action,
        "argument": finding.argument,
        "what": finding.sentence,
        "details": list(finding.details),
    }


def _rest(rest: OtherChange) -> dict[str, Any]:
    return {"address": rest.address, "action": rest.action, "arguments": list(rest.arguments)}
