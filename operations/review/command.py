"""`python -m operations review PLAN.json ...`: reports the risks of Terraform plans."""

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
        typer.Argument(metavar="PLAN.json", help="Output of `terraform show -json PLANFILE`; one or more files."),
    ],
    *,
    fail_on: Annotated[
        Level | None,
        typer.Option("--fail-on", metavar="LEVEL", help="Exit with 3 if a finding has this level or worse."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report the risks of Terraform plans as a Markdown comment for a pull request, worst first.

    Levels, worst first: data-loss, downtime, exposure, rotation, capacity, other. Reads only the plans: no AWS, no
    state, no credentials. Supports all providers; the rules are tables in operations/review/rules.py. Sensitive values
    are never shown, and values without a matching rule are not shown either.

    When: in a pull request that changes the stacks.

    Example: `terraform show -json network.plan > network.json`

    Example: `python -m operations review network.json service.json --fail-on downtime`

    Exit codes: 0 reviewed; 3 with --fail-on, a finding has this level or worse, or a plan is incomplete or not
    fully understood; 1 refused or
    failed; 2 usage.
    """
    with one_line_errors():
        try:
            reviews = [review_plan(reviewed) for reviewed in read_plans(plans)]
            output = json.dumps(as_document(reviews), indent=2) if as_json else comment(reviews)
        except RecursionError as error:
            raise RefusedError("nested too deeply for a plan") from error
    typer.echo(output, nl=as_json)
    if fail_on and is_reached(reviews, fail_on):
        raise typer.Exit(LEVEL_REACHED)


def is_reached(reviews: list[StackReview], level: Level) -> bool:
    """Whether a finding has this level or worse. True for a plan that may hide one."""
    worst = worst_of(reviews)
    return any(review.is_partial for review in reviews) or (worst is not None and worst.rank <= level.rank)


def as_document(reviews: list[StackReview]) -> dict[str, Any]:
    """The complete reviews for `--json`."""
    worst = worst_of(reviews)
    return {
        "verdict": worst and worst.value,
        "summary": verdict(reviews),
        "plans_complete": not any(review.is_partial for review in reviews),
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
        "unread": list(review.unread),
        "notes": list(review.notes),
        "without_order": list(review.without_order),
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
