"""The rule of a composite alarm: states of other alarms, put together.

Owns its grammar: `ALARM(name)`, `OK(name)`, `INSUFFICIENT_DATA(name)`, `TRUE`, `FALSE`, `NOT`, `AND`, `OR`, parentheses, and
`AT_LEAST(count, STATE, (name, …))`, names bare, in quotes or as ARNs. Pure: states are given.
Source: API reference, PutCompositeAlarm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from craton.features.metrics.alarms.alarm import STATES

MOST_ELEMENTS: Final = 500
MOST_ALARMS: Final = 100
DEEPEST: Final = 100
_TOKEN = re.compile(r"""\s*(?:(?P<mark>[(),])|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s(),"']+))""")
_PLAIN = frozenset({"TRUE", "FALSE"})


class RuleFault(Exception):
    """A rule that is none; the text says why."""


class Is(msgspec.Struct, frozen=True):
    """An alarm (name or ARN) is in a state."""

    alarm: str
    state: str


class Count(msgspec.Struct, frozen=True):
    """At least `least` of the alarms are in the state, or in per cent of all; `is_not` turns the state around."""

    least: int
    percent: bool
    state: str
    is_not: bool
    alarms: tuple[str, ...]


class Join(msgspec.Struct, frozen=True):
    """`word`: AND, OR; NOT has one part."""

    word: str
    parts: tuple[Node, ...]


Node = bool | Is | Count | Join


class _Token(msgspec.Struct, frozen=True):
    text: str
    quoted: bool = False


def parse(text: str) -> Node:
    """Raises RuleFault."""
    tokens = _tokens(text)
    if len(tokens) > MOST_ELEMENTS * 4:
        raise RuleFault(f"it has more than {MOST_ELEMENTS} elements")
    reader = _Reader(tokens)
    node = reader.either(0)
    if reader.at < len(tokens):
        raise RuleFault(f"'{tokens[reader.at].text}' is not expected there")
    if len(set(alarms_in(node))) > MOST_ALARMS:
        raise RuleFault(f"it speaks of more than {MOST_ALARMS} alarms")
    return node


def alarms_in(node: Node) -> Iterator[str]:
    """The alarms that a rule speaks of, by name or ARN."""
    if isinstance(node, Is):
        yield node.alarm
    elif isinstance(node, Count):
        yield from node.alarms
    elif isinstance(node, Join):
        for part in node.parts:
            yield from alarms_in(part)


def holds(node: Node, state_of: Callable[[str], str]) -> bool:
    """Whether the rule is met."""
    if isinstance(node, bool):
        return node
    if isinstance(node, Is):
        return state_of(node.alarm) == node.state
    if isinstance(node, Count):
        met = sum((state_of(one) == node.state) != node.is_not for one in node.alarms)
        return met * 100 >= node.least * len(node.alarms) if node.percent else met >= node.least
    if node.word == "NOT":
        return not holds(node.parts[0], state_of)
    return (any if node.word == "OR" else all)(holds(part, state_of) for part in node.parts)


def _tokens(text: str) -> list[_Token]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise RuleFault(f"it cannot be read from position {at} on")
        kind = match.lastgroup or ""
        found.append(_Token(match[kind], quoted=kind in ("double", "single")))
        at = match.end()
    return found


class _Reader:
    """Reads tokens from the left: OR binds less than AND, AND less than NOT."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self.at = 0

    def either(self, depth: int) -> Node:
        return self._joined("OR", lambda: self._joined("AND", lambda: self._not(depth)))

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Join(word, tuple(parts))

    def _not(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise RuleFault("it is nested too deeply")
        if self._take("NOT"):
            return Join("NOT", (self._not(depth + 1),))
        if self._take("("):
            node = self.either(depth + 1)
            self._expect(")")
            return node
        token = self._next()
        word = token.text.upper()
        if token.quoted:
            raise RuleFault(f"'{token.text}' is not expected there")
        if word in _PLAIN:
            if self._take("("):
                self._expect(")")
            return word == "TRUE"
        if word == "AT_LEAST":
            return self._count()
        if word not in STATES:
            raise RuleFault(f"'{token.text}' is no state and no operator")
        self._expect("(")
        alarm = self._name()
        self._expect(")")
        return Is(alarm, word)

    def _count(self) -> Node:
        self._expect("(")
        amount = self._next().text
        number = amount.removesuffix("%")
        if not number.isdigit() or not int(number):
            raise RuleFault(f"'{amount}' is no count")
        self._expect(",")
        is_not = self._take("NOT")
        state = self._next().text.upper()
        if state not in STATES:
            raise RuleFault(f"'{state}' is no state")
        self._expect(",")
        self._expect("(")
        names = [self._name()]
        while self._take(","):
            names.append(self._name())
        self._expect(")")
        self._expect(")")
        return Count(int(number), amount.endswith("%"), state, is_not, tuple(names))

    def _name(self) -> str:
        token = self._next()
        if not token.text or (not token.quoted and token.text in "(),"):
            raise RuleFault("the name of an alarm is missing")
        return token.text

    def _next(self) -> _Token:
        if self.at >= len(self._tokens):
            raise RuleFault("it ends too early")
        self.at += 1
        return self._tokens[self.at - 1]

    def _take(self, text: str) -> bool:
        if self.at >= len(self._tokens):
            return False
        token = self._tokens[self.at]
        if token.quoted or token.text.upper() != text:
            return False
        self.at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise RuleFault(f"'{text}' is missing")
