"""Policies as a decision needs them: statements compiled once, found by action and by what the resource begins with.

Owns `PolicySet`, made once per principal (or resource) and version, and its three-valued answer: the Deny that applies,
else an Allow that applies, else None. The index: per action one slice (made at the action's first use), in it a table of
whole ARNs and tables of prefixes by length; and a memo of the statements that speak of an action and a resource, so that
a decision tries their conditions and nothing else. Verdicts are never remembered, and both memos are bounded. It must
not know how the answers of several sets are weighed. Pure but for those memos.
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
# Pairs of action and resource whose statements are remembered. A principal that asks for more loses speed, not memory.
_MAX_MEMO: Final = 512
_MAX_RESOURCE: Final = 512


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
        return all(test(keys) for test in self.tests)

    def strength(self, request: Request) -> Strength:
        """How strongly it names the caller; policies without a Principal speak of whom they are attached to."""
        return Strength.EXACT if self.principals is None else self.principals.strength(request.subject)

    def __repr__(self) -> str:
        return f"Rule({self.policy!r}, {self.index}, {self.effect})"


def rules_of(policy: Policy) -> tuple[Rule, ...]:
    """Compile a policy once, for every principal that it is attached to."""
    return tuple(Rule(policy, statement) for statement in policy.statements)


class PolicySet:
    """Policies that count as one: all that is attached to a principal, or one boundary, or one resource's policy."""

    __slots__ = ("_memo", "_slices", "rules")

    def __init__(self, policies: Iterable[Policy] = (), rules: Iterable[Rule] = ()) -> None:
        """Join policies; `rules` are those of policies that were compiled before and are shared by many principals."""
        self.rules = (*(rule for policy in policies for rule in rules_of(policy)), *rules)
        self._slices: dict[str, _Index] = {}
        self._memo: dict[tuple[str, str], _Candidates] = {}

    def decide(self, request: Request) -> Rule | None:
        """The Deny that applies, else an Allow that applies, else None."""
        keys = request.keys
        found = self._memo.get((request.action, request.resource)) or self._candidates(request)
        for rule, pattern in found.every:
            if pattern is not None and not pattern.matches(request.resource, keys):
                continue
            for test in rule.tests:
                if not test(keys):
                    break
            else:
                if rule.principals is None or rule.strength(request):
                    return rule
        return None

    def decide_by_strength(self, request: Request) -> tuple[Rule | None, Strength]:
        """Likewise, and how strongly the caller is named: by the Deny, else by the Allow that names it best."""
        found = self._memo.get((request.action, request.resource)) or self._candidates(request)
        best: Rule | None = None
        strength = Strength.NOT
        for rule, pattern in found.every:
            if pattern is not None and not pattern.matches(request.resource, request.keys):
                continue
            named = rule.strength(request)
            if named > strength and rule.holds(request.keys):
                best, strength = rule, named
                if rule.effect == "Deny":
                    break
        return best, strength

    def _candidates(self, request: Request) -> _Candidates:
        """What can apply to this action on this resource, whatever the context; kept for the next time."""
        index = self._slices.get(request.action) or self._slice(request.action)
        found = _Candidates(index.about(request.resource))
        if len(self._memo) >= _MAX_MEMO:
            self._memo.clear()
        if len(request.resource) <= _MAX_RESOURCE:
            self._memo[request.action, request.resource] = found
        return found

    def _slice(self, action: str) -> _Index:
        name = action.lower()
        made = _Index(rule for rule in self.rules if rule.actions.matches(name))
        if len(self._slices) >= _MAX_SLICES:
            self._slices.clear()
        self._slices[action] = made
        return made


class _Candidates:
    """Statements that speak of one action and resource: Denies first, in each effect those without conditions first.

    A pattern beside a statement still has to be tried, because it holds a policy variable.
    """

    __slots__ = ("every",)

    def __init__(self, found: Iterable[_Candidate]) -> None:
        self.every = tuple(sorted(found, key=_order))


class _Index:
    """The rules for one action, by what their resources begin with."""

    __slots__ = ("_by_prefix", "_exact", "_others")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._exact: dict[str, list[Rule]] = {}
        self._others: list[Rule] = []
        by_length: dict[int, dict[str, list[tuple[Rule, match.Pattern]]]] = {}
        for rule in rules:
            if rule.negated:
                self._others.append(rule)
                continue
            for pattern in rule.resources:
                prefix = pattern.prefix
                if pattern.exact:
                    self._exact.setdefault(prefix, []).append(rule)
                else:
                    by_length.setdefault(len(prefix), {}).setdefault(prefix, []).append((rule, pattern))
        self._by_prefix = tuple(by_length.items())

    def about(self, resource: str) -> Iterator[_Candidate]:
        """The rules that may speak of a resource; one may come twice."""
        for rule in self._exact.get(resource, ()):
            yield rule, None
        for length, table in self._by_prefix:
            for rule, pattern in table.get(resource[:length], ()):
                if isinstance(pattern, match.SHIFTING):
                    yield rule, pattern
                elif pattern.matches(resource, {}):
                    yield rule, None
        for rule in self._others:
            if any(isinstance(pattern, match.SHIFTING) for pattern in rule.resources):
                yield rule, _Negated(rule)
            elif rule.speaks_of(resource, {}):
                yield rule, None


class _Negated:
    """A NotResource with variables, as a pattern."""

    __slots__ = ("_rule", "exact", "prefix")

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.exact = False
        self.prefix = ""

    def matches(self, text: str, keys: Keys) -> bool:
        return self._rule.speaks_of(text, keys)


_Candidate = tuple[Rule, match.Pattern | None]


def _order(candidate: _Candidate) -> tuple[bool, int]:
    rule, _ = candidate
    return rule.effect == "Allow", len(rule.tests)


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
