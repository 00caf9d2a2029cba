"""The tests that a leaf of an event pattern may hold: one function for each word of the pattern language.

Owns what each word takes and when it matches one value of an event. It must not know where in the event the value stands.
Source: EventBridge user guide, "Comparison operators for use in event patterns".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final

from craton.aws.wildcards import fits

Test = Callable[[Any], bool]
_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
_MOST: Final = 5_000_000_000


class BadPattern(Exception):
    """The pattern does not follow the language; the message says where."""


def exact(wanted: Any) -> Test:
    """A value itself. A number is equal however it is written, and true is no number."""
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and value == wanted
    if is_number(wanted):
        return lambda value: is_number(value) and value == wanted
    raise BadPattern("Match value must be String, number, true, false, or null")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def matcher(word: str, value: Any) -> Test:
    """The test that a word of the language stands for. Raises BadPattern."""
    made = _WORDS.get(word)
    if made is None:
        raise BadPattern(f"Unrecognized match type {word}")
    return made(value)


def prefix(value: Any) -> Test:
    return _affix(value, "prefix", str.startswith)


def suffix(value: Any) -> Test:
    return _affix(value, "suffix", str.endswith)


def _affix(value: Any, word: str, at: Callable[[str, str], bool]) -> Test:
    if isinstance(value, dict):
        if set(value) != {"equals-ignore-case"}:
            raise BadPattern(f"{word} match pattern must be a string")
        folded = text(value["equals-ignore-case"], word).casefold()
        return lambda found: isinstance(found, str) and at(found.casefold(), folded)
    wanted = text(value, word)
    return lambda found: isinstance(found, str) and at(found, wanted)


def ignoring_case(value: Any) -> Test:
    wanted = text(value, "equals-ignore-case").casefold()
    return lambda found: isinstance(found, str) and found.casefold() == wanted


def wildcard(value: Any) -> Test:
    """`*` stands for any text; a backslash before `*` or a backslash takes it as it is."""
    parts = _parts(text(value, "wildcard"))
    if len(parts) == 1:
        return lambda found: isinstance(found, str) and found == parts[0]
    return lambda found: isinstance(found, str) and fits(parts, found)


def _parts(pattern: str) -> list[str]:
    parts: list[str] = []
    part, position = "", 0
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\":
            position += 1
            if pattern[position : position + 1] not in ("*", "\\"):
                raise BadPattern(f"Invalid escape character at pos {position - 1}")
            part += pattern[position]
        elif sign == "*":
            if position and pattern[position - 1 : position] == "*" and not part and parts:
                raise BadPattern(f"Consecutive wildcard characters at pos {position - 1}")
            parts.append(part)
            part = ""
        else:
            part += sign
        position += 1
    return [*parts, part]


def numeric(value: Any) -> Test:
    """`["=", 5]`, or one or two bounds: `[">", 0, "<=", 5]`."""
    if not isinstance(value, list) or len(value) not in (2, 4):
        raise BadPattern("Invalid numeric match: an operator and a number are needed, or two of each")
    pairs = [(value[at], value[at + 1]) for at in range(0, len(value), 2)]
    for sign, bound in pairs:
        if not isinstance(sign, str) or sign not in _ORDERS:
            raise BadPattern(f"Unrecognized numeric range operator: {sign}")
        if not is_number(bound) or abs(bound) > _MOST:
            raise BadPattern("Value of numeric match must be a number from -5e9 to 5e9")
    if len(pairs) == 2 and not (
        pairs[0][0] in (">", ">=") and pairs[1][0] in ("<", "<=") and pairs[0][1] < pairs[1][1]
    ):
        raise BadPattern("Bottom must be less than top")
    tests = [(_ORDERS[sign], bound) for sign, bound in pairs]
    return lambda found: is_number(found) and all(test(found, bound) for test, bound in tests)


def cidr(value: Any) -> Test:
    """An address in a network, IPv4 or IPv6."""
    try:
        network = ipaddress.ip_network(text(value, "cidr"), strict=False)
    except ValueError:
        raise BadPattern(f"Malformed CIDR: {value}") from None

    def test(found: Any) -> bool:
        try:
            return isinstance(found, str) and ipaddress.ip_address(found) in network
        except ValueError:
            return False

    return test


def anything_but(value: Any) -> Test:
    """What is none of the values, or what a word does not match."""
    if isinstance(value, dict):
        word = next(iter(value), "")
        if len(value) != 1 or word not in _DENIABLE:
            raise BadPattern(f"Unsupported anything-but pattern: {word}")
        given = value[word] if isinstance(value[word], list) else [value[word]]
        tests = [matcher(word, one) for one in given]
        found_needed = True
    else:
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) or is_number(one) for one in given):
            raise BadPattern("Value of anything-but must be an array or single string/number value.")
        tests = [exact(one) for one in given]
        found_needed = False
    if not tests:
        raise BadPattern("Empty arrays are not allowed")
    # A word denies texts alone: what is no text is not matched either way.
    return lambda found: (isinstance(found, str) or not found_needed) and not any(test(found) for test in tests)


def text(value: Any, word: str) -> str:
    if not isinstance(value, str):
        raise BadPattern(f"{word} match pattern must be a string")
    return value


_DENIABLE: Final = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})
_WORDS: Final[dict[str, Callable[[Any], Test]]] = {
    "prefix": prefix,
    "suffix": suffix,
    "equals-ignore-case": ignoring_case,
    "wildcard": wildcard,
    "numeric": numeric,
    "cidr": cidr,
    "anything-but": anything_but,
}
