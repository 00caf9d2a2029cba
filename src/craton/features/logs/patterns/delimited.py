"""Patterns of the fields of a line: `[ip, user, ..., status = 4*, bytes > 1000]`.

Owns their syntax and how a line falls into fields: at spaces, but what stands in double quotes or square brackets is
one field. A line matches when it has as many fields as the pattern, `...` standing for any number, and every condition
holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from craton.features.logs.patterns.text import BadPattern, Text
from craton.features.logs.patterns.values import OPERATORS, Test, Value, read_value, test_of
from craton.infra.series.port import Recipe

_NAME = re.compile(r"[A-Za-z0-9_.$@-]+")
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_ELLIPSIS = "..."

Condition = Callable[[str], bool] | None


class Delimited:
    """The sieve (`infra.series.port.Sieve`). `before` and `behind` are the fields around `...`, if there is one."""

    recipe: Recipe | None = None

    def __init__(
        self, before: list[Condition], behind: list[Condition] | None, needles: tuple[bytes, ...] | None,
        names: list[str],
    ) -> None:  # fmt: skip
        self._before = before
        self._behind = behind
        self.needles = needles
        self.names = names

    def matches(self, data: bytes) -> bool:
        fields = split(data.decode("utf-8", "replace"))
        behind = self._behind or []
        least = len(self._before) + len(behind)
        if len(fields) < least or (self._behind is None and len(fields) != least):
            return False
        ends = fields[len(fields) - len(behind) :]
        return all(test is None or test(field) for test, field in zip(self._before, fields, strict=False)) and all(
            test is None or test(field) for test, field in zip(behind, ends, strict=True)
        )

    def values(self, data: bytes) -> dict[str, str]:
        """The fields of a line that matches, by the names that the pattern gives them."""
        fields = split(data.decode("utf-8", "replace"))
        behind = self._behind or []
        ends = fields[len(fields) - len(behind) :]
        return dict(zip(self.names, fields[: len(self._before)] + ends, strict=False))


def split(line: str) -> list[str]:
    """The fields of a line."""
    if '"' not in line and "[" not in line:
        return line.split()
    return [quoted or bracketed or plain for quoted, bracketed, plain in _FIELD.findall(line)]


def read_delimited(pattern: str) -> Delimited:
    """Raises BadPattern."""
    text = Text(pattern)
    text.expect("[")
    before: list[Condition] = []
    behind: list[Condition] | None = None
    needles: list[str] = []
    names: list[str] = []
    while True:
        if text.took(_ELLIPSIS):
            if behind is not None:
                raise BadPattern
            behind = []
        else:
            (before if behind is None else behind).append(_field(text, needles, names))
        if text.took("]"):
            break
        text.expect(",")
    if not text.is_over:
        raise BadPattern
    longest = max(needles, key=len, default="")
    return Delimited(before, behind, (longest.encode(),) if longest else None, names)


def _field(text: Text, needles: list[str], names: list[str]) -> Condition:
    """One field: a name, added to `names`, perhaps with conditions on it; texts that it needs go to `needles`."""
    count = len(names)
    either: list[list[Test]] = [[]]
    needed: list[list[str]] = [[]]
    while True:
        compared = _compared(text, names)
        del names[count + 1 :]
        if compared is not None:
            sign, value = compared
            either[-1].append(test_of(sign, value))
            if sign == "=" and value.longest:
                needed[-1].append(value.longest)
        if text.took("&&"):
            continue
        if not text.took("||"):
            break
        either.append([])
        needed.append([])
    if len(either) == 1:
        needles += needed[0]
        if not either[0]:
            return None
    return lambda field: any(all(test(field) for test in tests) for tests in either)


def _compared(text: Text, names: list[str]) -> tuple[str, Value] | None:
    """A condition `name = value`; None for a name alone."""
    name = text.take(_NAME)
    if name is None:
        raise BadPattern
    names.append(name[0])
    sign = text.take(OPERATORS)
    return None if sign is None else (sign[0], read_value(text))
