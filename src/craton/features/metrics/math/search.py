"""The search expressions of metric math: `{Namespace,Dimension,…} words`.

Owns their form and what they match: the metrics of a namespace that have exactly these dimensions and of which every
word is found in a name or value. `key="value"` asks for the whole value, `key=value` for a part of it; words may be
joined by AND, OR and NOT and grouped. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from craton.features.metrics.math.series import MathFault
from craton.infra.series.metrics_index import Metric

_SCHEMA = re.compile(r"\s*\{([^}]*)\}\s*(.*)", re.DOTALL)
_NAME = re.compile(r'"[^"]*"|[^",]+')
_WORD = re.compile(r'\s*(?:(?P<mark>[()])|(?:(?P<key>"[^"]+"|[^\s"=()]+)\s*=\s*)?(?P<value>"[^"]*"|[^\s"=()]+))')
Test = Callable[[Metric], bool]


class Search(msgspec.Struct, frozen=True):
    """`dimensions` None: any."""

    namespace: str | None
    dimensions: frozenset[str] | None
    test: Test

    def matches(self, metric: Metric) -> bool:
        names = {name for name, _ in metric.dimensions}
        return (self.dimensions is None or names == self.dimensions) and self.test(metric)


def parse(text: str) -> Search:
    """Raises MathFault."""
    found = _SCHEMA.fullmatch(text)
    if found is None:
        raise MathFault("SEARCH needs a schema in braces: {Namespace,Dimension}")
    names = [name.strip().strip('"') for name in _NAME.findall(found[1]) if name.strip()]
    if not names:
        raise MathFault("SEARCH needs a namespace in its schema")
    reader = _Words(found[2])
    test = reader.alternatives() if found[2].strip() else (lambda _: True)
    if not reader.is_done:
        raise MathFault("SEARCH has a bracket too many")
    return Search(names[0], frozenset(names[1:]), test)


class _Words:
    def __init__(self, text: str) -> None:
        self._items: list[tuple[str | None, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _WORD.match(text, at)
            if found is None:
                raise MathFault("SEARCH has a word that cannot be read")
            at = found.end()
            self._items.append((found["key"], found["mark"] or found["value"]))
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._items)

    def _next(self) -> str:
        key, value = self._items[self._at] if not self.is_done else (None, "")
        return value if key is None else ""

    def alternatives(self) -> Test:
        tests = [self.together()]
        while self._next() == "OR":
            self._at += 1
            tests.append(self.together())
        return lambda metric: any(test(metric) for test in tests)

    def together(self) -> Test:
        tests = [self.one()]
        while not self.is_done and self._next() not in ("OR", ")"):
            self._at += self._next() == "AND"
            tests.append(self.one())
        return lambda metric: all(test(metric) for test in tests)

    def one(self) -> Test:
        if self.is_done:
            raise MathFault("SEARCH ends too early")
        key, word = self._items[self._at]
        self._at += 1
        if key is None and word == "NOT":
            inner = self.one()
            return lambda metric: not inner(metric)
        if key is None and word == "(":
            grouped = self.alternatives()
            if self._next() != ")":
                raise MathFault("SEARCH lacks a closing bracket")
            self._at += 1
            return grouped
        return _held(None if key is None else key.strip('"'), word)


def _held(key: str | None, word: str) -> Test:
    is_whole, wanted = word.startswith('"'), word.strip('"').lower()

    def test(metric: Metric) -> bool:
        values = [("MetricName", metric.name), *metric.dimensions]
        held = [value.lower() for name, value in values if key is None or name.lower() == key.lower()]
        if key is None:
            held += [name.lower() for name, _ in metric.dimensions]
        return any(wanted == value if is_whole else wanted in value for value in held)

    return test
