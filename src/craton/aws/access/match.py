"""Whether a text fits a pattern: plain globs, ARNs, and a statement's actions.

Owns the comparison alone. A glob is cut at its stars into pieces of fixed length that are found from left to right, so
the worst pattern costs its length times the text's; no regular expression with a star is ever built, because whoever
may write a policy could hang the server with one. It must not know statements, requests or effects. Pure.
Sources: IAM user guide, "IAM JSON policy elements: Resource" (incomplete ARNs are filled up with stars; a star at the
end of a field reaches beyond its colon, elsewhere it does not) and "ARN condition operators" (field by field).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from craton.aws.access.variables import Filled, Keys, Token, Variable, Wild, fill, is_fixed, needed, resolve, tokens

ARN_FIELDS: Final = 6
_Piece = str | re.Pattern[str]


class Pattern(Protocol):
    """A text to compare with. `prefix` is what every match begins with, `exact` whether there is nothing else to it."""

    prefix: str
    exact: bool

    def matches(self, text: str, keys: Keys) -> bool:
        """Whether the text fits; `keys` gives the values of policy variables."""
        ...


class Glob:
    """A pattern without variables, wildcards matching across anything."""

    __slots__ = ("_head", "_least", "_middles", "_tail", "_tail_size", "exact", "prefix")

    def __init__(self, parts: Sequence[Filled]) -> None:
        groups = _cut(parts)
        pieces = [_piece(group) for group in groups]
        self.exact = len(pieces) == 1 and isinstance(pieces[0], str)
        self.prefix = parts[0] if parts and isinstance(parts[0], str) else ""
        self._least = _size(parts)
        self._head = pieces[0]
        self._middles = tuple(piece for piece in pieces[1:-1] if piece != "")
        self._tail = pieces[-1] if len(pieces) > 1 else None
        self._tail_size = _size(groups[-1])

    def matches(self, text: str, keys: Keys = {}) -> bool:  # noqa: B006 - never written to
        """Whether the whole text fits."""
        if self.exact:
            return text == self.prefix
        # Hence head and tail cannot overlap below.
        if len(text) < self._least:
            return False
        at = _at(self._head, text, 0)
        if self._tail is None or at < 0:
            return at == len(text)
        end = len(text) - self._tail_size
        if _at(self._tail, text, end) != len(text):
            return False
        for piece in self._middles:
            at = _find(piece, text, at, end)
            if at < 0:
                return False
        return True


class Fields:
    """An ARN's pattern that is compared field by field, wildcards staying within their field."""

    __slots__ = ("_globs", "exact", "prefix")

    def __init__(self, fields: Sequence[Sequence[Filled]]) -> None:
        self._globs = tuple(Glob(field) for field in fields)
        self.exact = False
        self.prefix = ""
        for glob in self._globs:
            self.prefix += glob.prefix
            if not glob.exact:
                break
            self.prefix += ":"
        else:
            self.exact = True
            self.prefix = self.prefix[:-1]

    def matches(self, text: str, keys: Keys = {}) -> bool:  # noqa: B006 - never written to
        """Whether the text is an ARN whose every field fits."""
        fields = text.split(":", ARN_FIELDS - 1)
        return len(fields) == ARN_FIELDS and all(map(Glob.matches, self._globs, fields))


class Shifting:
    """A pattern with policy variables: filled in for each request. A variable without a value matches nothing."""

    __slots__ = ("_head", "_rest", "exact", "prefix")

    def __init__(self, parts: tuple[Token, ...]) -> None:
        wild = next((at for at, part in enumerate(parts) if isinstance(part, Wild)), len(parts))
        self._head, self._rest = parts[:wild], parts[wild:]
        self.exact = False
        self.prefix = parts[0] if isinstance(parts[0], str) else ""

    def matches(self, text: str, keys: Keys) -> bool:
        """Whether the text fits with this request's values. What stands before the first wildcard is tried first."""
        filled = fill(self._head, keys)
        if filled is None:
            return False
        head = "".join(part for part in filled if isinstance(part, str))
        if not text.startswith(head):
            return False
        if self._rest == (Wild.ANY,):
            return True
        rest = fill(self._rest, keys)
        return rest is not None and Glob(rest).matches(text[len(head) :])


def glob(text: str, *, variables: bool = False) -> Pattern:
    """The pattern of a string with wildcards. Raises ValueError for a broken variable."""
    parts = tokens(text, variables=variables, wildcards=True)
    return Glob(_fixed(parts)) if is_fixed(parts) else Shifting(parts)


def arn(text: str, *, variables: bool = False) -> Pattern:
    """The pattern of an ARN condition: each of the six fields by itself. Raises ValueError for a broken variable."""
    parts = tokens(text, variables=variables, wildcards=True)
    return Fields(_fields(_fixed(parts))) if is_fixed(parts) else _ShiftingArn(parts, _split(parts))


def resource(text: str, *, variables: bool = False) -> Pattern:
    """The pattern of a Resource element. Raises ValueError for a broken variable."""
    parts = tokens(text, variables=variables, wildcards=True)
    if parts == (Wild.ANY,):
        return Glob((Wild.ANY,))
    fields = _split(parts)
    if _bounded(fields[: ARN_FIELDS - 1]):
        fields = _complete(fields)
        return Fields([_fixed(field) for field in fields]) if is_fixed(parts) else _ShiftingArn(parts, fields)
    # A last star takes in whatever is missing.
    whole = parts if parts[-1:] == (Wild.ANY,) else _joined(_complete(fields))
    return Glob(_fixed(whole)) if is_fixed(whole) else Shifting(whole)


def unresolved(text: str, keys: Keys) -> bool:
    """Whether a string of version 2012-10-17 holds a variable that this request gives no value for."""
    return any(resolve(variable, keys) is None for variable in needed(tokens(text, variables=True, wildcards=True)))


class _ShiftingArn:
    """`Shifting` for ARNs compared by field: cut before the values come in, so that a colon in one moves nothing."""

    __slots__ = ("_fields", "exact", "prefix")

    def __init__(self, parts: tuple[Token, ...], fields: Sequence[tuple[Token, ...]]) -> None:
        self._fields = tuple(fields)
        self.exact = False
        self.prefix = parts[0] if isinstance(parts[0], str) else ""

    def matches(self, text: str, keys: Keys) -> bool:
        filled = [fill(field, keys) for field in self._fields]
        whole = [field for field in filled if field is not None]
        return len(whole) == len(filled) and Fields(whole).matches(text, keys)


# The patterns that need a request's values.
SHIFTING: Final = (Shifting, _ShiftingArn)


class Actions:
    """The names of a statement's Action or NotAction; compared without regard to case."""

    __slots__ = ("_globs", "_names", "negated")

    def __init__(self, names: Iterable[str], *, negated: bool = False) -> None:
        patterns = [glob(name.lower()) for name in names]
        self._names = frozenset(pattern.prefix for pattern in patterns if pattern.exact)
        self._globs = tuple(pattern for pattern in patterns if not pattern.exact)
        self.negated = negated

    def matches(self, action: str) -> bool:
        """Whether an action, in lower case, is one that the statement speaks of."""
        named = action in self._names or any(pattern.matches(action, {}) for pattern in self._globs)
        return named is not self.negated


def _fixed(parts: Iterable[Token]) -> tuple[Filled, ...]:
    return tuple(part for part in parts if not isinstance(part, Variable))


def _fields(parts: Sequence[Filled]) -> list[tuple[Filled, ...]]:
    return [_fixed(field) for field in _split(parts)]


def _split(parts: Sequence[Token]) -> list[tuple[Token, ...]]:
    """Cut at the first five colons of the plain text."""
    fields: list[list[Token]] = [[]]
    for part in parts:
        if not isinstance(part, str):
            fields[-1].append(part)
            continue
        first, *others = part.split(":", ARN_FIELDS - len(fields))
        if first:
            fields[-1].append(first)
        fields.extend([other] if other else [] for other in others)
    return [tuple(field) for field in fields]


def _complete(fields: list[tuple[Token, ...]]) -> list[tuple[Token, ...]]:
    return fields + [(Wild.ANY,)] * (ARN_FIELDS - len(fields))


def _bounded(fields: Iterable[tuple[Token, ...]]) -> bool:
    """Whether a wildcard stands where it may not reach beyond its field: a ``?``, or a star that is not the last."""
    return any(part is Wild.ONE or (part is Wild.ANY and at < len(f) - 1) for f in fields for at, part in enumerate(f))


def _joined(fields: Sequence[tuple[Token, ...]]) -> tuple[Token, ...]:
    parts: list[Token] = []
    for at, field in enumerate(fields):
        for part in (*((":",) if at else ()), *field):
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            else:
                parts.append(part)
    return tuple(parts)


def _cut(parts: Sequence[Filled]) -> list[list[Filled]]:
    """What stands between the stars, each of a fixed length."""
    groups: list[list[Filled]] = [[]]
    for part in parts:
        if part is Wild.ANY:
            groups.append([])
        else:
            groups[-1].append(part)
    return groups


def _size(parts: Iterable[Filled]) -> int:
    """How many characters the parts take, stars taking none."""
    return sum(len(part) if isinstance(part, str) else part is Wild.ONE for part in parts)


def _piece(group: Sequence[Filled]) -> _Piece:
    """Plain text, or, where there are question marks, an expression of fixed length."""
    texts = [part for part in group if isinstance(part, str)]
    if len(texts) == len(group):
        return "".join(texts)
    return re.compile("".join(re.escape(part) if isinstance(part, str) else "." for part in group), re.DOTALL)


def _at(piece: _Piece, text: str, position: int) -> int:
    """Where the piece ends that begins at `position`; -1 where it does not stand there."""
    if isinstance(piece, str):
        return position + len(piece) if text.startswith(piece, position) else -1
    match = piece.match(text, position)
    return -1 if match is None else match.end()


def _find(piece: _Piece, text: str, start: int, end: int) -> int:
    """Where the first such piece between `start` and `end` ends; -1 where there is none."""
    if isinstance(piece, str):
        found = text.find(piece, start, end)
        return -1 if found < 0 else found + len(piece)
    match = piece.search(text, start, end)
    return -1 if match is None else match.end()
