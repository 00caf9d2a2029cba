"""What stands in a policy's string besides plain text: wildcards, policy variables, and the three literals.

Owns the cut of a string into tokens and the filling in of variables: ``${aws:username}``, ``${aws:username, 'nobody'}``
(with a default), ``${*}`` ``${?}`` ``${$}`` (the signs themselves). Variables and literals exist in policies of version
2012-10-17 only; to older ones ``${`` is plain text. What a variable brings is plain text too: a star in a user's name
is no wildcard. It must not know where in a policy the string stands. Pure.
Source: IAM user guide, "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

Value = str | tuple[str, ...]
# The condition context of a request. Names are in lower case, because AWS compares them without regard to case.
Keys = Mapping[str, Value]


class Wild(enum.Enum):
    """A wildcard: any text, or any one character."""

    ANY = "*"
    ONE = "?"


class Variable(NamedTuple):
    """A place for a request's value. `key` is in lower case; `default` stands in where the request has no such key."""

    key: str
    default: str | None


Token = str | Wild | Variable
Filled = str | Wild

_WILD: Final = {"*": Wild.ANY, "?": Wild.ONE}
_LITERALS: Final = frozenset("*?$")
# Bounds what the expression below can cost; a tag key has 128 characters at most.
_MAX_BODY: Final = 512
_BODY: Final = re.compile(r"\s*([A-Za-z0-9:/._=+@-][^{}$',]*?)\s*(?:,\s*'([^'{}]*)'\s*)?")


def tokens(text: str, *, variables: bool, wildcards: bool) -> tuple[Token, ...]:
    """Cut a policy's string; neighbouring plain pieces are joined.

    Raises ValueError for a variable that is not closed or is none.
    """
    parts: list[Token] = []
    position = 0
    while position < len(text):
        sign = text[position]
        if wildcards and sign in _WILD:
            parts.append(_WILD[sign])
        elif variables and text.startswith("${", position):
            end = text.find("}", position)
            if end < 0:
                raise ValueError("a policy variable is not closed")
            _append(parts, _variable(text[position + 2 : end]))
            position = end
        else:
            end = _next_sign(text, position)
            _append(parts, text[position:end])
            position = end - 1
        position += 1
    return tuple(parts)


def fill(parts: Iterable[Token], keys: Keys) -> tuple[Filled, ...] | None:
    """Put the request's values in; None where a variable without a default has no value, or more than one."""
    filled: list[Token] = []
    for part in parts:
        if isinstance(part, Variable):
            value = resolve(part, keys)
            if value is None:
                return None
            _append(filled, value)
        else:
            _append(filled, part)
    return tuple(part for part in filled if not isinstance(part, Variable))


def resolve(variable: Variable, keys: Keys) -> str | None:
    """The one value of a variable: a key with several values has none, as AWS forbids such keys in variables."""
    value = keys.get(variable.key)
    if isinstance(value, tuple):
        value = value[0] if len(value) == 1 else None
    return variable.default if value is None else value


def needed(parts: Iterable[Token]) -> tuple[Variable, ...]:
    """The variables that may stay without a value, so that whoever negates a comparison can refuse to guess."""
    return tuple(part for part in parts if isinstance(part, Variable) and part.default is None)


def is_fixed(parts: Iterable[Token]) -> bool:
    """Whether no request can change what the string means."""
    return not any(isinstance(part, Variable) for part in parts)


def _variable(body: str) -> Token:
    if body in _LITERALS:
        return body
    match = _BODY.fullmatch(body) if len(body) <= _MAX_BODY else None
    if match is None:
        raise ValueError("a policy variable names no key")
    return Variable(match[1].lower(), match[2])


def _next_sign(text: str, position: int) -> int:
    """Where plain text that begins at `position` ends. At least one character is taken, so that a lone $ is text."""
    ends = [at for at in (text.find(sign, position + 1) for sign in "*?$") if at > 0]
    return min(ends, default=len(text))


def _append(parts: list[Token], part: Token) -> None:
    if isinstance(part, str) and parts and isinstance(parts[-1], str):
        parts[-1] += part
    else:
        parts.append(part)
