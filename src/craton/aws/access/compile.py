"""Policies as a decision needs them: statements compiled once, found by action and by what the resource begins with.

Owns `PolicySet`, made once per principal (or resource) and version, and its three-valued answer: the Deny that applies,
else an Allow that applies, else None. The index: per action one slice (made at the action's first use, bounded), in it
a table of whole ARNs and tables of prefixes by length, so a decision looks at the few statements that can apply, not at
all. It must not know how the answers of several sets are weighed. Pure but for that memo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from craton.aws.access import match
from craton.aws.access.conditions import operators
from craton.aws.access.policy import Effect, Kind, Policy, Statement
from craton.aws.access.principals import Principals, Strength
from craton.aws.access.request import Request
from craton.aws.access.variables import Keys

Test = Callable[[Keys], bool]
# There are about 450 actions in all; a caller of the simulator may invent names.
_MAX_SLICES: Final = 1024


class Rule:
    """One compiled statement. `policy` and `index` say where it stands; `written` is what was compiled."""

    __slots__ = (
        "actions",
        "effect",
        "index",
        "kind",
        "negated",
        "policy",
        "principals",
        "resources",
        "tests",
        "written",
    )

    def __init__(self, policy: Policy, written: Statement) -> None:
        self.policy = policy.name
        self.kind: Kind = policy.kind
        self.index = written.index
        self.effect: Effect = written.effect
        self.written = written
        self.actions = match.Actions(written.actions or written.not_actions, negated=bool(written.not_actions))
        named = written.principals or written.not_principals
        self.principals = Principals(named, negated=bool(written.not_principals)) if named else None
        # A trust policy names no resource: it speaks of the role that it hangs on.
        names = written.resources or written.not_resources or ("*",)
        self.negated = bool(written.not_resources)
        self.resources = tuple(match.resource(name, variables=policy.variables) for name in names)
        self.tests = tuple(_tests(policy, written))

    def speaks_of(self, resource: str, keys: Keys) -> bool:
        """Whether the statement's Resource or NotResource takes the resource in."""
        return any(pattern.matches(resource, keys) for pattern in self.resources) is not self.negated

    def holds(self, keys: Keys) -> bool:
        """Whether every condition is met."""
        for test in self.tests:  # noqa: SIM110 - all() with a generator costs twice as much, on the hot path
            if not test(keys):
                return False
        return True

    def strength(self, request: Request) -> Strength:
        """How strongly it names the caller; policies without a Principal speak of whom they are attached to."""
        return Strength.EXACT if self.principals is None else self.principals.strength(request.subject)

    def __repr__(self) -> str:
        return f"Rule({self.policy!r}, {self.index}, {self.effect})"


class PolicySet:
    """Policies that count as one: all that is attached to a principal, or one boundary, or one resource's policy."""

    __slots__ = ("_slices", "rules")

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.rules = tuple(Rule(policy, statement) for policy in policies for statement in policy.statements)
        self._slices: dict[str, tuple[_Index, _Index]] = {}

    def decide(self, request: Request) -> Rule | None:
        """The Deny that applies, else an Allow that applies, else None."""
        deny, allow = self._slices.get(request.action) or self._slice(request.action)
        return deny.first(request) or allow.first(request)

    def decide_by_strength(self, request: Request) -> tuple[Rule | None, Strength]:
        """Likewise, and how strongly the caller is named: by the Deny, else by the Allow that names it best."""
        deny, allow = self._slices.get(request.action) or self._slice(request.action)
        denied = deny.first(request)
        if denied is not None:
            return denied, denied.strength(request)
        best: Rule | None = None
        strength = Strength.NOT
        for rule in allow.every(request):
            if (named := rule.strength(request)) > strength:
                best, strength = rule, named
        return best, strength

    def _slice(self, action: str) -> tuple[_Index, _Index]:
        name = action.lower()
        rules = [rule for rule in self.rules if rule.actions.matches(name)]
        made = _Index(r for r in rules if r.effect == "Deny"), _Index(r for r in rules if r.effect == "Allow")
        if len(self._slices) >= _MAX_SLICES:
            self._slices.clear()
        self._slices[action] = made
        return made


class _Index:
    """The rules of one effect for one action, by resource."""

    __slots__ = ("_by_prefix", "_exact")

    def __init__(self, rules: Iterable[Rule]) -> None:
        exact: dict[str, list[Rule]] = {}
        by_length: dict[int, dict[str, list[tuple[Rule, match.Pattern | None]]]] = {}
        for rule in rules:
            if rule.negated:
                by_length.setdefault(0, {}).setdefault("", []).append((rule, None))
                continue
            for pattern in rule.resources:
                if pattern.exact:
                    exact.setdefault(pattern.prefix, []).append(rule)
                else:
                    prefix = pattern.prefix
                    by_length.setdefault(len(prefix), {}).setdefault(prefix, []).append((rule, pattern))
        self._exact = exact
        self._by_prefix = tuple(by_length.items())

    def first(self, request: Request) -> Rule | None:
        """A rule that applies, whichever comes first."""
        resource, keys = request.resource, request.keys
        if self._exact:
            for rule in self._exact.get(resource, ()):
                if rule.holds(keys) and (rule.principals is None or rule.strength(request)):
                    return rule
        for length, table in self._by_prefix:
            for rule, pattern in table.get(resource[:length], ()):
                if _fits(rule, pattern, resource, keys) and (rule.principals is None or rule.strength(request)):
                    return rule
        return None

    def every(self, request: Request) -> Iterator[Rule]:
        """All rules that apply; one may come twice."""
        resource, keys = request.resource, request.keys
        for rule in self._exact.get(resource, ()):
            if rule.holds(keys) and rule.strength(request):
                yield rule
        for length, table in self._by_prefix:
            for rule, pattern in table.get(resource[:length], ()):
                if _fits(rule, pattern, resource, keys) and rule.strength(request):
                    yield rule


def _fits(rule: Rule, pattern: match.Pattern | None, resource: str, keys: Keys) -> bool:
    """Whether a statement's resource and conditions are met; it has no one pattern where it says NotResource."""
    fits = rule.speaks_of(resource, keys) if pattern is None else pattern.matches(resource, keys)
    return fits and rule.holds(keys)


def _tests(policy: Policy, written: Statement) -> Iterator[Test]:
    """The statement's conditions, and for an Allow that negates a variable, that the variable has a value."""
    for condition in written.conditions:
        yield operators.build(*condition, variables=policy.variables)
    if written.effect != "Allow" or not policy.variables:
        return
    # "Everything but ${x}" must not become "everything" because a request has no x.
    negated = list(written.not_resources)
    negated += [value for one in written.conditions if operators.negated(one.operator) for value in one.values]
    for value in negated:
        if "${" in value:
            yield _resolving(value)


def _resolving(value: str) -> Test:
    return lambda keys: not match.unresolved(value, keys)
