"""Findings of a plan: its changes, evaluated with the rules."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from operations.review import rules
from operations.review.differences import (
    UNKNOWN,
    Difference,
    Side,
    as_policy,
    changed_arguments,
    differences,
    format_value,
    ignores_order,
    sides,
)
from operations.review.openings import INTERNET_RANGES, new_openings, removed_denials
from operations.review.pending_policies import pending_policy
from operations.review.plan import ActionInvocation, NamedPlan, Plan, ResourceChange
from operations.review.policy_changes import grants, newly_allowed, public_statements, unlimited_statements
from operations.review.rules import ActionRule, Level, ReviewRule

ADDED, CHANGED, REPLACED, DESTROYED, INVOKE = "create", "update", "replace", "delete", "invoke"
NO_OPS = {"no-op", "read"}
# Outbound arguments and types, in which a range of the internet grants no access.
OUTBOUND = re.compile(r"(.*/)?(egress|destination|route)[^/]*(/.*)?")


@dataclass(frozen=True)
class Finding:
    """A change that a rule reports."""

    level: Level
    stack: str
    address: str
    action: str
    argument: str
    """Path of the argument, or empty for the resource itself."""
    sentence: str
    details: tuple[str, ...]
    """Old and new value, or the reason. Never sensitive."""


@dataclass(frozen=True)
class OtherChange:
    """A change that no rule reports."""

    stack: str
    address: str
    action: str
    arguments: tuple[str, ...]
    """Names of changed arguments, without values."""


@dataclass(frozen=True)
class StackReview:
    """Review of one plan."""

    stack: str
    counts: Counter[str]
    """Number of changes by action, including imports and moves."""
    findings: tuple[Finding, ...]
    other_changes: tuple[OtherChange, ...]
    outputs: tuple[tuple[str, str], ...]
    """Names and actions of changed outputs."""
    drift: tuple[OtherChange, ...]
    """Changes made outside Terraform."""
    deferred: tuple[str, ...]
    failed_checks: tuple[str, ...]
    unread: tuple[str, ...]
    """Parts of the plan that are not understood and may stand for changes."""
    notes: tuple[str, ...]
    """Other parts that are not understood."""
    without_order: tuple[str, ...]
    """Types with lists of which the order was ignored, because their schema is not known."""
    errored: bool
    complete: bool

    @property
    def is_partial(self) -> bool:
        """Whether the plan may contain changes that the review does not."""
        return self.errored or bool(self.unread)

    @property
    def is_without_changes(self) -> bool:
        """Whether the plan certainly changes nothing."""
        return (
            self.level is None
            and self.complete
            and not (self.is_partial or self.notes or self.deferred or self.failed_checks)
        )

    @property
    def level(self) -> Level | None:
        """The worst level, or None if nothing changes."""
        if self.findings:
            return self.findings[0].level
        return Level.OTHER if self.other_changes or self.outputs else None


def review(reviewed: NamedPlan) -> StackReview:
    """Review a plan."""
    plan = reviewed.plan
    changes = [change for change in chain(plan.changes, plan.deferred) if _is_reported(change)]
    deleted = {change.address for change in plan.resource_drift if change.action == "delete"}
    found = [_invocation_finding(reviewed.stack, invocation) for invocation in plan.invocations]
    others: list[OtherChange] = []
    for change in changes:
        of_change = list(_findings(reviewed, change, was_deleted=change.address in deleted))
        found += of_change
        if not of_change:
            others.append(_other_change(reviewed.stack, change))
    return StackReview(
        stack=reviewed.stack,
        counts=_counts(changes) + Counter({INVOKE: len(plan.invocations)}),
        findings=tuple(
            sorted(found, key=lambda each: (each.level.rank, _action_rank(each), each.address, each.argument))
        ),
        other_changes=tuple(others),
        outputs=tuple(
            (name, change.actions[0]) for name, change in plan.output_changes.items() if change.actions not in NO_CHANGE
        ),
        drift=tuple(filter(None, (_drift(reviewed.stack, change) for change in plan.resource_drift))),
        deferred=tuple(f"{entry.resource_change.title}: {entry.reason}" for entry in plan.deferred_changes),
        failed_checks=tuple(plan.failed_checks),
        unread=reviewed.unread,
        notes=reviewed.notes,
        without_order=tuple(sorted({change.type for change in changes if ignores_order(change)})),
        errored=plan.errored,
        complete=plan.complete,
    )


def _invocation_finding(stack: str, invocation: ActionInvocation) -> Finding:
    level, sentence = next(
        (level, what) for types, level, what in rules.INVOCATIONS if _matches(types, invocation.type)
    )
    return Finding(level, stack, invocation.address, INVOKE, "", sentence, (invocation.reason,))


NO_CHANGE = {("no-op",), ("read",), ()}


def _is_reported(change: ResourceChange) -> bool:
    moved_or_imported = change.previous_address is not None or change.change.importing is not None
    return change.action not in NO_OPS or moved_or_imported


def _counts(changes: Iterable[ResourceChange]) -> Counter[str]:
    counts = Counter[str]()
    for change in changes:
        counts[change.action.partition(",")[0]] += change.action not in NO_OPS
        counts["import"] += change.change.importing is not None
        counts["move"] += change.previous_address is not None
    return +counts


def _other_change(stack: str, change: ResourceChange) -> OtherChange:
    named = changed_arguments(change) if change.action == CHANGED else []
    action = change.action
    if change.previous_address is not None:
        action = f"move from {change.previous_address}" if action == "no-op" else f"{action}, moved"
    if change.change.importing is not None:
        action = "import" if action == "no-op" else f"{action}, imported"
    return OtherChange(stack, change.title, action, tuple(named))


def _drift(stack: str, change: ResourceChange) -> OtherChange | None:
    """A change made outside Terraform. None if an unset value merely became empty."""
    others = _other_change(stack, change)
    return others if others.arguments or change.action != CHANGED else None


def _action_rank(finding: Finding) -> int:
    """Order within a level: deleted, replaced, changed, forgotten, created."""
    order = (DESTROYED, REPLACED, CHANGED, "forget", ADDED)
    action = finding.action.partition(",")[0]
    return order.index(action) if action in order else 0


def _findings(reviewed: NamedPlan, change: ResourceChange, *, was_deleted: bool) -> Iterator[Finding]:
    if change.action in NO_OPS:
        return
    is_first = reviewed.plan.is_first
    stack_and_address = f"{reviewed.stack} {change.address}"
    of_action = list(_action_findings(change, stack_and_address, was_deleted=was_deleted, is_first=is_first))
    reported = {level for level, *_ in of_action}
    for level, argument, sentence, details in chain(
        of_action,
        _argument_findings(change, reviewed.plan, stack_and_address)
        if change.action not in {DESTROYED, "forget"}
        else (),
        _policies_findings(change, reviewed.plan) if change.action not in {DESTROYED, "forget"} else (),
        _network_findings(change, is_first=is_first) if change.action not in {DESTROYED, "forget"} else (),
    ):
        # A finding about the resource replaces those of the same level about its arguments, except for the worst.
        if not argument or level not in reported or any(sentence == what for *_, what in rules.EVERYONE):
            yield Finding(level, reviewed.stack, change.title, change.action, argument, sentence, details)


_RuleMatch = tuple[Level, str, str, tuple[str, ...]]


def _action_findings(
    change: ResourceChange, stack_and_address: str, *, was_deleted: bool, is_first: bool
) -> Iterator[_RuleMatch]:
    deletion = _action_rule(change, stack_and_address, DESTROYED) if was_deleted and change.action == ADDED else None
    if deletion and deletion.level is Level.DATA_LOSS:
        yield deletion.level, "", rules.DELETED_OUTSIDE, ()
        return
    action = change.action
    # With skip_destroy, the resource is only removed from the state.
    if action != ADDED and sides(change.change)[0].at("skip_destroy").value is True:
        action = "forget" if action == DESTROYED else CHANGED
    rule = _action_rule(change, stack_and_address, action)
    if rule and rule.level is not Level.OTHER and not (is_first and rule.level is Level.EXPOSURE):
        yield rule.level, "", rule.sentence, tuple(_action_reasons(change))


def _action_rule(change: ResourceChange, stack_and_address: str, action: str) -> ActionRule | None:
    return next(
        (
            rule
            for rule in rules.ACTION_RULES
            if _matches(rule.types, change.type)
            and _matches(rule.actions, action)
            and _matches(rule.stack_and_address, stack_and_address)
        ),
        None,
    )


def _action_reasons(change: ResourceChange) -> Iterator[str]:
    paths = [".".join(map(str, path)) for path in change.change.replace_paths or ()]
    if paths:
        yield f"because of {', '.join(sorted(paths))}"
    if change.action_reason:
        yield rules.REASONS.get(change.action_reason, change.action_reason)


def _argument_findings(change: ResourceChange, plan: Plan, stack_and_address: str) -> Iterator[_RuleMatch]:
    is_new_part = change.action == ADDED and _is_part_of_existing(change, plan)
    of_type = _rules_for_type(change.type)
    if (
        change.action == CHANGED
        and change.type == "aws_lambda_function"
        and _matches(rules.ROTATING, stack_and_address)
    ):
        yield Level.ROTATION, "", rules.ROTATION_CHANGED, (", ".join(changed_arguments(change)),)
    reported: list[_RuleMatch] = []
    for difference in differences(change):
        path = difference.path
        found = _argument_finding(change, difference, of_type, is_new_part=is_new_part)
        if found is None and (sentence := _opens_to_everyone(change, difference)):
            found = (Level.EXPOSURE, path, sentence, _values(difference))
        if found and not any(_includes(other, found) for other in reported):
            reported.append(found)
            yield found


def _includes(finding: _RuleMatch, other: _RuleMatch) -> bool:
    """Whether a finding about a list includes another about an element, or the same about what is in it."""
    (level, path, sentence, _), (other_level, other_path, other_sentence, _) = finding, other
    is_element = other_path.rpartition("/")[0] == path and level is other_level
    return is_element or (other_path.startswith(f"{path}/") and other_sentence == sentence)


def _is_part_of_existing(change: ResourceChange, plan: Plan) -> bool:
    """Whether a new resource configures one that exists, and not one that the plan creates too."""
    after = sides(change.change)[1]
    names = (after.at(key).value for key in after.keys if _matches(rules.PARENTS, key))
    return any(isinstance(name, str) and name and name not in plan.new_names for name in names)


def _argument_finding(
    change: ResourceChange, difference: Difference, of_type: tuple[ReviewRule, ...], *, is_new_part: bool
) -> _RuleMatch | None:
    for rule in of_type:
        if not _matches(rule.path, difference.path) or not _applies(rule, change, difference, is_new_part=is_new_part):
            continue
        before, after = difference.before, difference.after
        if difference.is_sensitive:
            return rule.level, difference.path, rules.HIDDEN, ()
        if after.is_unknown:
            # A replacement has many unknown values and is reported as such.
            if change.action != CHANGED or before.value is None:
                return None
            return rule.level, difference.path, rules.KNOWN_LATER, _values(difference)
        if rule.is_worse(before.value, after.value):
            return rule.level, difference.path, rule.sentence, _values(difference)
    return None


def _applies(rule: ReviewRule, change: ResourceChange, difference: Difference, *, is_new_part: bool) -> bool:
    if change.action == ADDED and not rule.applies_to_new and not (rule.applies_to_new_part and is_new_part):
        return False
    if rule.applies_to_new_part and _is_inactive(sides(change.change)[1], difference.path):
        return False
    if rule.where is None:
        return True
    name, wanted = rule.where
    return _matches(wanted, str(sides(change.change)[1].at(name).value))


def _values(difference: Difference) -> tuple[str, ...]:
    """Old and new value; of lists, only the removed and added elements."""
    before, after = difference.before, difference.after
    text = f"{before.text} -> {after.text}"
    if isinstance(before.value, list) and isinstance(after.value, list) and not difference.is_sensitive:
        without = [entry for entry in before.value if entry not in after.value]
        with_ = [entry for entry in after.value if entry not in before.value]
        text = f"{Side(without).text} -> {Side(with_, after.unknown).text}"
    return (text,)


def _opens_to_everyone(change: ResourceChange, difference: Difference) -> str:
    """What a new value opens, or empty."""
    value, path = difference.after.value, difference.path
    if not isinstance(value, str) or difference.is_sensitive:
        return ""
    if value in INTERNET_RANGES:
        is_outbound = OUTBOUND.fullmatch(path) or OUTBOUND.fullmatch(change.type)
        is_reported = any(new_openings(change.type, Side(), sides(change.change)[1]))
        sentence = "" if is_outbound or is_reported else rules.INTERNET_ADDED
    else:
        found = (what for name, wanted, what in rules.EVERYONE if _matches(wanted, value) and _matches(name, path))
        sentence = next(found, "")
    return "" if sentence and _is_inactive(sides(change.change)[1], path) else sentence


def _is_inactive(side: Side, path: str) -> bool:
    """Whether an argument is in a rule that denies, is outbound, or is disabled."""
    for key in path.split("/"):
        for name, inactive in rules.INACTIVE:
            values = (side.at(each).value for each in side.keys if _matches(name, each))
            if any(_matches(inactive, format_value(value).lower()) for value in values):
                return True
        side = side.at(key.replace("~1", "/"))
    return False


def _policies_findings(change: ResourceChange, plan: Plan) -> Iterator[_RuleMatch]:
    before, after = sides(change.change)
    for key in dict.fromkeys([*before.keys, *after.keys]):
        was, is_ = before.at(key), after.at(key)
        documents = as_policy(was.value), as_policy(is_.value)
        if was.value == is_.value and not is_.is_unknown:
            continue
        if was.is_sensitive or is_.is_sensitive:
            if documents != (None, None):
                yield Level.EXPOSURE, key, rules.GRANTS_SENSITIVE, ()
        elif is_.unknown is True:
            yield from _pending_policy_findings(change, plan, key, documents[0])
        elif documents != (None, None):
            yield from _policy_findings(key, *documents, is_new=change.action == ADDED, is_first=plan.is_first)


def _pending_policy_findings(change: ResourceChange, plan: Plan, key: str, before: Any) -> Iterator[_RuleMatch]:
    pending = pending_policy(plan, change.address, key, before)
    if pending is None:
        is_policy = before is not None or (key in POLICY_ARGUMENTS and change.type not in NO_GRANTS)
        if is_policy and not plan.is_first:
            yield Level.EXPOSURE, key, rules.GRANTS_UNKNOWN, ()
        return
    found = list(_policy_findings(key, before, pending.document, is_new=change.action == ADDED, is_first=plan.is_first))
    yield from found
    if pending.assumed and not found and not plan.is_first:
        yield Level.OTHER, key, rules.GRANTS_ASSUMED, ()


POLICY_ARGUMENTS = {"policy", "assume_role_policy", "access_policies", "access_policy", "policy_document"}
NO_GRANTS = {"aws_ecr_lifecycle_policy", "aws_dlm_lifecycle_policy", "aws_appautoscaling_policy"}


def _policy_findings(key: str, before: object, after: object, *, is_new: bool, is_first: bool) -> Iterator[_RuleMatch]:
    added = {"Statement": newly_allowed(before, after)}
    for sentence, lines in (
        (rules.GRANTS_TO_ALL, public_statements(added)),
        (rules.GRANTS_EVERYTHING, unlimited_statements(added)),
        (rules.GRANTS_NEW if is_new else rules.GRANTS, [] if is_first else grants(before, after)),
    ):
        if lines:
            yield Level.EXPOSURE, key, sentence, tuple(lines)
            return


def _network_findings(change: ResourceChange, *, is_first: bool) -> Iterator[_RuleMatch]:
    before, after = sides(change.change)
    openings = new_openings(change.type, before, after)
    if change.action.startswith(REPLACED):
        # An unknown peer is itself being replaced.
        openings = [opening for opening in openings if opening.peer != UNKNOWN]
    if internet := [opening.text for opening in openings if opening.is_internet]:
        yield Level.EXPOSURE, "", rules.OPENS_TO_INTERNET, tuple(internet)
    if others := [opening.text for opening in openings if not opening.is_internet and not is_first]:
        yield Level.EXPOSURE, "", rules.OPENS, tuple(others)
    if denials := removed_denials(change.type, before, after):
        yield Level.EXPOSURE, "", rules.DENIES_LESS, tuple(denials)


@cache
def _rules_for_type(type_: str) -> tuple[ReviewRule, ...]:
    return tuple(rule for rule in rules.RULES if _matches(rule.types, type_))


def _matches(pattern: str, text: str) -> bool:
    return bool(_compiled(pattern).fullmatch(text))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern. Python's own cache is smaller than the number of rules."""
    return re.compile(pattern, re.DOTALL)
