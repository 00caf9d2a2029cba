"""Patterns of conditions on JSON: `{ $.status >= 400 && ($.user.name = "a*" || $.user NOT EXISTS) }`.

Owns their syntax, and the reading of an event: as a whole, or, where the conditions name plain members only, just
those, which takes a third of the time. An event that is no JSON object matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Any, TypedDict

import msgspec

from craton.features.logs.patterns.text import BadPattern, Text
from craton.features.logs.patterns.values import OPERATORS, read_value, test_of
from craton.infra.series.port import Recipe

Step = str | int | None
"""A member's name, a place in a list, or None for any place."""
Path = tuple[Step, ...]
Condition = Callable[[Any], bool]
_STEP = re.compile(r"""\.?\[\s*(?:(\d+)|(\*)|'([^']*)'|"([^"]*)")\s*\]|\.([^\s.\[\](){}=!<>&|"%]+)""")
_WORDS = re.compile(r"(IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS|EXISTS)\b", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_@:/. -]+")
# Letters that JSON may write in another way than as themselves.
_AMBIGUOUS = re.compile(r"[^ !#-.0-\[\]-~]+")
_ESCAPED = b"\\u"
_ABSENT = msgspec.UNSET
_DEEPEST = 64
_ALL: Any = None
_WORD_TESTS: dict[str, Callable[[object], bool]] = {
    "IS NULL": lambda found: found is None,
    "IS TRUE": lambda found: found is True,
    "IS FALSE": lambda found: found is False,
    "EXISTS": lambda _: True,
}


class Json:
    """The sieve (`infra.series.port.Sieve`)."""

    recipe: Recipe | None = None

    def __init__(self, condition: Condition, paths: list[Path], needles: tuple[bytes, ...] | None) -> None:
        self._condition = condition
        self.paths = paths
        self._narrow = narrow(paths)
        self.needles = needles

    def matches(self, data: bytes) -> bool:
        if data[:1] != b"{" and data.lstrip()[:1] != b"{":
            return False
        try:
            return self._condition(self._read(data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def _read(self, data: bytes) -> Any:
        if self._narrow is not None:
            try:
                return self._narrow.decode(data)
            except msgspec.ValidationError:  # a member on the way is no object here
                pass
        return _WHOLE.decode(data)


_WHOLE = msgspec.json.Decoder(dict[str, Any])


def read_json(pattern: str) -> Json:
    """Raises BadPattern."""
    text = Text(pattern)
    reader = _Reader(text)
    text.expect("{")
    condition, needle = reader.either()
    text.expect("}")
    if not text.is_over:
        raise BadPattern
    return Json(condition, reader.paths, (needle.encode(), _ESCAPED) if needle else None)


def read_path(written: str) -> Path:
    """A path alone, such as `$.user.name`. Raises BadPattern."""
    text = Text(written)
    reader = _Reader(text)
    path = reader.path()
    if not text.is_over:
        raise BadPattern
    return path


def object_of(data: bytes) -> dict[str, Any] | None:
    """The object that an event is."""
    if data.lstrip()[:1] != b"{":
        return None
    try:
        return _WHOLE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def shown_path(path: Path) -> str:
    """A path as patterns have it."""
    steps = (f".{step}" if isinstance(step, str) else "[*]" if step is None else f"[{step}]" for step in path)
    return "$" + "".join(steps)


class _Reader:
    """Reads conditions. Beside each comes a text that an event needs for it, as JSON writes it; "" for none."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.paths: list[Path] = []
        self._depth = 0

    def either(self) -> tuple[Condition, str]:
        parts = [self._all()]
        while self.text.took("||"):
            parts.append(self._all())
        if len(parts) == 1:
            return parts[0]
        conditions = [condition for condition, _ in parts]
        shared = {needle for _, needle in parts}
        return lambda event: any(one(event) for one in conditions), shared.pop() if len(shared) == 1 else ""

    def _all(self) -> tuple[Condition, str]:
        parts = [self._one()]
        while self.text.took("&&"):
            parts.append(self._one())
        if len(parts) == 1:
            return parts[0]
        conditions = [condition for condition, _ in parts]
        return lambda event: all(one(event) for one in conditions), max((needle for _, needle in parts), key=len)

    def _one(self) -> tuple[Condition, str]:
        if not self.text.took("("):
            return self._compared()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadPattern
        inner = self.either()
        self.text.expect(")")
        self._depth -= 1
        return inner

    def _compared(self) -> tuple[Condition, str]:
        path = self.path()
        named = literal(next((step for step in reversed(path) if isinstance(step, str)), ""))
        word = self.text.take(_WORDS)
        if word is not None:
            said = " ".join(word[1].upper().split())
            if said == "NOT EXISTS":
                return lambda event: not any(True for _ in reached(event, path)), ""
            return met(path, _WORD_TESTS[said]), named
        sign = self.text.take(OPERATORS)
        if sign is None:
            raise BadPattern
        value = read_value(self.text)
        equal = literal(value.longest) if sign[0] == "=" else ""
        return met(path, test_of(sign[0], value)), max(equal, named, key=len)

    def path(self) -> Path:
        self.text.expect("$")
        steps: list[Step] = []
        while (found := self.text.take(_STEP)) is not None:
            place, anywhere, quoted, other, plain = found.groups()
            name = next((one for one in (quoted, other, plain) if one is not None), None)
            steps.append(int(place) if place is not None else None if anywhere else name)
        if not steps:
            raise BadPattern
        self.paths.append(tuple(steps))
        return tuple(steps)


def met(path: Path, test: Callable[[object], bool]) -> Condition:
    """Whether something is at the path for which the test holds."""
    if len(path) == 1 and isinstance(name := path[0], str):  # most conditions, and each event is asked
        return lambda event: (found := event.get(name, _ABSENT)) is not _ABSENT and test(found)
    return lambda event: any(test(found) for found in reached(event, path))


def reached(value: Any, path: Path) -> list[Any]:
    """What is at a path: one thing or nothing, or several where it leads to any place of a list."""
    values = [value]
    for step in path:
        if isinstance(step, str):
            values = [one[step] for one in values if isinstance(one, dict) and step in one]
        elif step is None:
            values = [item for one in values if isinstance(one, list) for item in one]
        else:
            values = [one[step] for one in values if isinstance(one, list) and step < len(one)]
    return values


def narrow(paths: list[Path]) -> msgspec.json.Decoder[Any] | None:
    """What reads only the members on the way to these paths; None where that is everything."""
    tree: dict[str, Any] = {}
    for path in paths:
        names = [step for step in takewhile(is_plain, path) if isinstance(step, str)]
        if not names:
            return None
        node = tree
        for name in names[:-1]:
            node = node.setdefault(name, {})
            if node is _ALL:
                break
        else:
            node[names[-1]] = _ALL
    return msgspec.json.Decoder(_members(tree))


def is_plain(step: Step) -> bool:
    """Whether a step leads to a member whose name means nothing to anybody else."""
    return isinstance(step, str) and _PLAIN_NAME.fullmatch(step) is not None


def _members(tree: Any) -> Any:
    if tree is _ALL:
        return Any
    make: Any = TypedDict  # the names are known only now
    return make("Members", {name: _members(node) for name, node in tree.items()}, total=False)


def literal(text: str) -> str:
    """The longest part of a text that JSON can write but in one way, or with an escape of its code."""
    return max(_AMBIGUOUS.split(text), key=len)
