"""Why: the sentence that AWS says to a refused caller, and the account of every statement for whoever may see it.

Owns words. The denial names who, what, on which resource, and the kind of policy, never a statement or a condition: a
caller learns no more than AWS tells. `explain` tells all, for `craton explain` and the simulator; `draft` writes the
least policy for calls that were made. Pure. Source: IAM user guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from craton.aws.access.compile import Rule
from craton.aws.access.conditions import operators
from craton.aws.access.evaluate import Decision, Policies, evaluate
from craton.aws.access.policy import Effect, Kind
from craton.aws.access.request import Request
from craton.aws.wire.faults import AuthFault, access_denied

Outcome = Literal["applies", "other action", "other resource", "other principal", "condition not met"]

_NAMES: Final[dict[Kind, str]] = {
    "identity": "identity-based policy",
    "resource": "resource-based policy",
    "trust": "resource-based policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "boundary": "permissions boundary",
    "session": "session policy",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one statement. `detail` names the first condition that was not met, by operator and key."""

    kind: Kind
    policy: str
    statement: int
    sid: str
    effect: Effect
    outcome: Outcome
    detail: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with everything that led to it. `deciding` is None where no statement decided."""

    allowed: bool
    reason: str
    kind: Kind | None
    message: str
    deciding: Finding | None
    findings: tuple[Finding, ...]


def denial(request: Request, decision: Decision) -> str:
    """AWS's sentence for a refusal."""
    who = request.subject.arn or request.subject.kind
    name = _NAMES[decision.kind or "identity"]
    if decision.reason == "explicit deny":
        article = "an" if name[0] in "aeiou" else "a"
        where = decision.rule.policy if decision.rule is not None else ""
        tail = f"with an explicit deny in {article} {name}" + (f": {where}" if where.startswith("arn:") else "")
    else:
        tail = f"because no {name} allows the {request.action} action"
    return f"User: {who} is not authorized to perform: {request.action} on resource: {request.resource} {tail}"


def fault(request: Request, decision: Decision) -> AuthFault:
    """The AccessDeniedException of a refusal."""
    return access_denied(denial(request, decision))


def explain(request: Request, policies: Policies) -> Explanation:
    """Decide, and say of every statement why it applied or not."""
    decision = evaluate(request, policies)
    return Explanation(
        allowed=decision.allowed,
        reason=decision.reason,
        kind=decision.kind,
        message="" if decision.allowed else denial(request, decision),
        deciding=None if decision.rule is None else finding(decision.rule, request),
        findings=tuple(finding(rule, request) for one in policies.sets() for rule in one.rules),
    )


def finding(rule: Rule, request: Request) -> Finding:
    """What became of a statement: the first thing that kept it from applying, in the order of its elements."""
    outcome, detail = _outcome(rule, request)
    return Finding(
        kind=rule.kind,
        policy=rule.policy,
        statement=rule.index,
        sid=rule.written.sid,
        effect=rule.effect,
        outcome=outcome,
        detail=detail,
    )


def draft(calls: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The least policy that allows these (action, resource) pairs and nothing else; the order of calls is no matter.

    Actions that were called on the same resources share a statement.
    """
    resources: dict[str, set[str]] = {}
    for action, resource in calls:
        resources.setdefault(action, set()).add(resource)
    actions: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(resources):
        actions.setdefault(tuple(sorted(resources[action])), []).append(action)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": names, "Resource": [_literal(one) for one in on]}
            for on, names in actions.items()
        ],
    }


def _literal(resource: str) -> str:
    """A resource as a pattern that means it alone; `*` itself is what calls without a resource are made on."""
    if resource == "*":
        return resource
    return "".join(f"${{{sign}}}" if sign in "*?$" else sign for sign in resource)


def _outcome(rule: Rule, request: Request) -> tuple[Outcome, str]:
    if not rule.actions.matches(request.action.lower()):
        return "other action", ""
    if not rule.strength(request):
        return "other principal", ""
    if not rule.speaks_of(request.resource, request.keys):
        return "other resource", ""
    # The conditions come first among the tests, one for one; behind them stand those for unresolved variables.
    for at, test in enumerate(rule.tests):
        if not test(request.keys):
            written = rule.written.conditions
            return "condition not met", _shown(rule, at) if at < len(written) else "a policy variable has no value"
    return "applies", ""


def _shown(rule: Rule, at: int) -> str:
    condition = rule.written.conditions[at]
    sign = "negated " if operators.negated(condition.operator) else ""
    return f"{sign}{condition.operator} {condition.key}"
