"""What would be decided: the evaluator asked without a request, for IAM's simulator.

Owns the form of a simulated decision: which statements made it and where they stand in their documents, and which
condition keys nobody gave. It must not know IAM's requests or where policies are kept. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from craton.aws.access.compile import PolicySet, Rule, rules_of
from craton.aws.access.evaluate import Decision, Policies, evaluate
from craton.aws.access.explain import finding
from craton.aws.access.keys import Watched, account_of
from craton.aws.access.policy import Kind, parse
from craton.aws.access.request import Request, Subject
from craton.aws.access.variables import Keys

Verdict = Literal["allowed", "explicitDeny", "implicitDeny"]
_VERDICTS: Final[Mapping[str, Verdict]] = {
    "allowed": "allowed",
    "explicit deny": "explicitDeny",
    "implicit deny": "implicitDeny",
}
_DECODER: Final = json.JSONDecoder()
Place = tuple[int, int]
"""Line and column, from 1."""


class Written(msgspec.Struct, frozen=True):
    """A policy of a simulation. `id` names it in results, `source` is IAM's word for what it hangs on."""

    id: str
    source: str
    document: str


class Matched(msgspec.Struct, frozen=True):
    """A statement that made a decision."""

    policy: Written
    start: Place
    end: Place


class Simulated(msgspec.Struct, frozen=True):
    """A decision on one action and resource. `limits` says of each kind of limit that there is whether it allows."""

    action: str
    resource: str
    verdict: Verdict
    matched: tuple[Matched, ...]
    missing: tuple[str, ...]
    limits: dict[Kind, bool]


class Simulation:
    """Policies that stand together, and whoever stands under them.

    Args:
        service_control: the levels of an organisation, whose statements no result names.
        resource: the resource's own policy.
    """

    def __init__(
        self,
        subject: Subject,
        identity: Iterable[Written],
        *,
        boundary: Iterable[Written] = (),
        service_control: tuple[PolicySet, ...] = (),
        resource: Written | None = None,
    ) -> None:
        """Raises MalformedPolicyDocument."""
        self._subject = subject
        self._texts: dict[str, Written] = {}
        self._sets: dict[Kind, tuple[PolicySet, ...]] = {
            "identity": (self._set("identity", identity),),
            "boundary": tuple(self._set("boundary", one) for one in ([*boundary],) if one),
            "scp": service_control,
            "resource": (self._set("resource", [resource]),) if resource is not None else (),
        }
        self._policies = Policies(
            identity=self._sets["identity"][0],
            boundary=next(iter(self._sets["boundary"]), None),
            service_control=self._sets["scp"],
            resource=next(iter(self._sets["resource"]), None),
        )

    def ask(self, action: str, resource: str, keys: Keys, owner: str | None = None) -> Simulated:
        """The decision on one action and resource. `owner`: the account of the resource, where its ARN has none."""
        watched = Watched(keys)
        account = account_of(resource) or owner
        request = Request(
            subject=self._subject, action=action, resource=resource, keys=watched, resource_account=account
        )
        decision = evaluate(request, self._policies)
        made = tuple(self._matched(rule) for rule in self._makers(request, decision))
        missing = tuple(sorted(self._spelt(key) for key, value in watched.asked.items() if value is None))
        limits: dict[Kind, bool] = {
            kind: all((rule := one.decide(request)) is not None and rule.effect == "Allow" for one in self._sets[kind])
            for kind in ("boundary", "scp")
            if self._sets[kind]
        }
        return Simulated(action, resource, _VERDICTS[decision.reason], made, missing, limits)

    def _set(self, kind: Kind, written: Iterable[Written]) -> PolicySet:
        rules: list[Rule] = []
        for one in written:
            self._texts[one.id] = one
            rules += rules_of(parse(one.document, kind, one.id))
        return PolicySet(rules=rules)

    def _makers(self, request: Request, decision: Decision) -> Iterator[Rule]:
        """All statements that say what was decided; for want of an Allow there is none."""
        effect = {"allowed": "Allow", "explicit deny": "Deny"}.get(decision.reason)
        kinds: tuple[Kind, ...] = (
            ("identity", "resource") if effect == "Allow" else ("boundary", "identity", "resource")
        )
        for rule in (rule for kind in kinds for one in self._sets[kind] for rule in one.rules):
            if rule.effect == effect and finding(rule, request).outcome == "applies":
                yield rule

    def _matched(self, rule: Rule) -> Matched:
        written = self._texts[rule.policy]
        start, end = spans(written.document)[rule.index]
        return Matched(written, place(written.document, start), place(written.document, end))

    def _spelt(self, key: str) -> str:
        """A key as a policy writes it."""
        rules = (rule for sets in self._sets.values() for one in sets for rule in one.rules)
        names = (condition.key for rule in rules for condition in rule.written.conditions)
        return next((name for name in names if name.lower() == key), key)


def spans(document: str) -> list[tuple[int, int]]:
    """Where each statement of a document that was read begins and ends, by its index."""
    at = _skip(document, document.index("{") + 1)
    while True:
        name, at = _DECODER.raw_decode(document, at)
        at = _skip(document, _skip(document, at) + 1)
        if name == "Statement":
            break
        _, at = _DECODER.raw_decode(document, at)
        at = _skip(document, _skip(document, at) + 1)
    if document[at] != "[":
        return [(at, _DECODER.raw_decode(document, at)[1])]
    found: list[tuple[int, int]] = []
    while document[at] != "]":
        at = _skip(document, at + 1)
        _, end = _DECODER.raw_decode(document, at)
        found.append((at, end))
        at = _skip(document, end)
    return found


def place(document: str, at: int) -> Place:
    """The line and column of a position."""
    return document.count("\n", 0, at) + 1, at - document.rfind("\n", 0, at)


def _skip(document: str, at: int) -> int:
    while document[at] in " \t\r\n":
        at += 1
    return at
