r"""Regular expressions of filter patterns: `%^\[?5\d\d%`, a small dialect without groups.

Owns its syntax and two ways of looking: Python's own, which is fast, and an automaton whose time is a multiple of the
text's length whatever the expression is. The first can take very long where several quantifiers meet a long text, so it
is used only where that cannot be, and never again once it was slow. Source: CloudWatch Logs user guide, "Supported
regular expression syntax"; letters, digits and spaces are ASCII's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import msgspec

from craton.features.logs.patterns.text import BadPattern

_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_ATOM = re.compile(rf"({_CLASS}|\\x[0-9A-Fa-f]{{2}}|\\[dDwWsS]|\\[^A-Za-z0-9]|\.|[^\\\[\](){{}}?*+|^$])")
_QUANTIFIER = re.compile(r"\?|\*|\+|\{(\d{1,3})(?:(,)(\d{1,3})?)?\}")
_MOST_STATES = 2000
_MOST_STEPS = 100_000_000
_MOST_STEPS_WARY = 200_000
_SLOW_S = 0.005
_MOST_REMEMBERED = 20_000


class Atom(msgspec.Struct):
    """One sign or class of signs: exactly one of it, perhaps one, or any number."""

    form: str
    is_optional: bool = False
    repeats: bool = False


class Branch(msgspec.Struct):
    """What stands between two bars."""

    atoms: list[Atom]
    at_start: bool
    at_end: bool


class Expression:
    """An expression, ready to look for. Raises BadPattern."""

    def __init__(self, written: str) -> None:
        if not written:
            raise BadPattern
        self._branches = [_branch(part) for part in _split(written)]
        loose = max(sum(atom.repeats or atom.is_optional for atom in branch.atoms) for branch in self._branches)
        self._power = 1 + min(loose, 8)
        try:
            self._quick = re.compile("|".join(_python(branch) for branch in self._branches), re.ASCII | re.DOTALL)
        except re.error:
            raise BadPattern from None
        self._automaton: Automaton | None = None

    def search(self, text: str) -> bool:
        """Whether it is found anywhere in the text."""
        steps = len(text) ** self._power
        if self._power == 1 or steps <= (_MOST_STEPS if self._automaton is None else _MOST_STEPS_WARY):
            begun_at = time.perf_counter()
            found = self._quick.search(text) is not None
            if time.perf_counter() - begun_at > _SLOW_S and self._automaton is None:
                self._automaton = Automaton(self._branches)
            return found
        if self._automaton is None:
            self._automaton = Automaton(self._branches)
        return self._automaton.search(text)


class Automaton:
    """All branches at once, one sign of the text after the other. A state is a set of places, as bits of a number."""

    def __init__(self, branches: list[Branch]) -> None:
        self._tests: list[Callable[[str], object] | None] = []
        self._repeats: list[bool] = []
        self._reach: list[int] = []  # by place: the places that are reached from it without reading
        self._first = self._anywhere = self._done = self._done_at_end = 0
        for branch in branches:
            self._add(branch)
        self._steps: dict[tuple[int, str], int] = {}

    def _add(self, branch: Branch) -> None:
        start, end = len(self._tests), len(self._tests) + len(branch.atoms)
        reach = 1 << end
        reaches = [reach]
        for place in range(end - 1, start - 1, -1):
            reach = 1 << place | (reach if branch.atoms[place - start].is_optional else 0)
            reaches.append(reach)
        self._reach += reversed(reaches)
        for atom in branch.atoms:
            self._tests.append(re.compile(atom.form, re.ASCII | re.DOTALL).fullmatch)
            self._repeats.append(atom.repeats)
        self._tests.append(None)
        self._repeats.append(False)
        self._first |= self._reach[start]
        self._anywhere |= 0 if branch.at_start else self._reach[start]
        self._done |= 0 if branch.at_end else 1 << end
        self._done_at_end |= 1 << end

    def search(self, text: str) -> bool:
        state, steps = self._first, self._steps
        for sign in text:
            if state & self._done:
                return True
            known = steps.get((state, sign))
            state = self._step(state, sign) if known is None else known
        return bool(state & self._done_at_end)

    def _step(self, state: int, sign: str) -> int:
        reached, rest = self._anywhere, state
        while rest:
            place = (rest & -rest).bit_length() - 1
            rest &= rest - 1
            test = self._tests[place]
            if test is not None and test(sign):
                reached |= self._reach[place] if self._repeats[place] else self._reach[place + 1]
        if len(self._steps) >= _MOST_REMEMBERED:
            self._steps.clear()
        self._steps[state, sign] = reached
        return reached


def _split(written: str) -> list[str]:
    """The branches, at bars that are neither escaped nor in a class."""
    parts, at, start = [], 0, 0
    token = re.compile(rf"{_CLASS}|\\.|.", re.DOTALL)
    while (found := token.match(written, at)) is not None:
        at = found.end()
        if found[0] == "|":
            parts.append(written[start : at - 1])
            start = at
    return [*parts, written[start:]]


def _branch(written: str) -> Branch:
    at_start, at = written.startswith("^"), int(written.startswith("^"))
    end = len(written)
    at_end = written.endswith("$") and (len(written) - len(written[:-1].rstrip("\\"))) % 2 == 1
    end -= at_end
    atoms: list[Atom] = []
    while at < end:
        found = _ATOM.match(written, at, end)
        if found is None:
            raise BadPattern
        at = found.end()
        quantifier = _QUANTIFIER.match(written, at, end)
        at = at if quantifier is None else quantifier.end()
        atoms += _repeated(found[1], quantifier)
        if len(atoms) > _MOST_STATES:
            raise BadPattern
    return Branch(atoms, at_start, at_end)


def _repeated(form: str, quantifier: re.Match[str] | None) -> list[Atom]:
    """The atoms that stand for one atom and its quantifier."""
    star = Atom(form, is_optional=True, repeats=True)
    if quantifier is None:
        return [Atom(form)]
    sign = quantifier[0]
    if sign in "?*+":
        return {"?": [Atom(form, is_optional=True)], "*": [star], "+": [Atom(form), star]}[sign]
    least, comma, most = int(quantifier[1]), quantifier[2], quantifier[3]
    once = [Atom(form)] * least
    if most is not None:
        if int(most) < least:
            raise BadPattern
        return once + [Atom(form, is_optional=True)] * (int(most) - least)
    return [*once, star] if comma else once


def _python(branch: Branch) -> str:
    body = "".join(f"{atom.form}{'*' if atom.repeats else '?' if atom.is_optional else ''}" for atom in branch.atoms)
    return ("^" if branch.at_start else "") + body + (r"\Z" if branch.at_end else "")
