"""The functions of queries: what they are called, how many arguments they take, what they make of them.

Owns the table. A function that is given nothing, or what it cannot use, makes nothing (None); it never raises. Times are
counted in UTC. Source: CloudWatch Logs user guide, "Boolean, comparison, numeric, datetime, and other functions".
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Any

import msgspec

from craton.features.logs.insights.record import read_json
from craton.features.logs.insights.values import Moment, compared, number, plain

MOST_TEXT = 1 << 20
ANY = 64


class Function(msgspec.Struct, frozen=True):
    """`least` to `most` arguments."""

    least: int
    most: int
    work: Callable[..., Any]


def _numeric(work: Callable[[Any], Any]) -> Function:
    def applied(value: Any) -> Any:
        found = number(value)
        try:
            return None if found is None else work(found)
        except (ValueError, OverflowError):
            return None

    return Function(1, 1, applied)


def _textual(work: Callable[[str], Any]) -> Function:
    return Function(1, 1, lambda value: None if value is None else work(plain(value)))


def _trimmed(strip: Callable[[str, str | None], str]) -> Function:
    return Function(
        1, 2, lambda value, signs=None: None if value is None else strip(plain(value), signs and plain(signs))
    )


def _extreme(wanted: int) -> Function:
    def applied(*values: Any) -> Any:
        best = None
        for value in values:
            if best is None or compared(value, best) == wanted:
                best = value if value is not None else best
        return best

    return Function(1, ANY, applied)


def _substr(value: Any, start: Any, length: Any = None) -> str | None:
    begin, size = number(start), number(length)
    if value is None or begin is None or (length is not None and size is None):
        return None
    at = max(0, int(begin))
    return plain(value)[at:] if size is None else plain(value)[at : at + max(0, int(size))]


def _replace(value: Any, old: Any, new: Any) -> str | None:
    if value is None or old is None or new is None:
        return None
    found, out, place = plain(value), plain(old), plain(new)
    if not out or len(found) + found.count(out) * len(place) > MOST_TEXT:
        return found
    return found.replace(out, place)


def _concat(*values: Any) -> str:
    return "".join(plain(value) for value in values)[:MOST_TEXT]


def _contains(value: Any, part: Any) -> bool | None:
    return None if value is None or part is None else plain(part) in plain(value)


def rounded_down(value: Any, period_ms: Any) -> Any:
    """The beginning of the period in which a moment lies."""
    at, step = number(value), number(period_ms)
    return None if at is None or not step or step < 1 else Moment(int(at) // int(step) * int(step))


def _rounded_up(value: Any, period_ms: Any) -> Any:
    at, step = number(value), number(period_ms)
    return None if at is None or not step or step < 1 else Moment(-(-int(at) // int(step)) * int(step))


def _moment(value: Any) -> Any:
    found = number(value)
    return None if found is None else Moment(int(found))


def _parsed(value: Any) -> Any:
    return value if isinstance(value, (dict, list)) else None if value is None else read_json(plain(value).encode())


def _network(value: Any, network: Any, version: int) -> bool:
    try:
        address = ipaddress.ip_address(plain(value))
        return address.version == version and address in ipaddress.ip_network(plain(network), strict=False)
    except ValueError:
        return False


def _address(value: Any, *versions: int) -> bool:
    try:
        return ipaddress.ip_address(plain(value)).version in versions
    except ValueError:
        return False


FUNCTIONS: dict[str, Function] = {
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "floor": _numeric(math.floor),
    "log": _numeric(math.log),
    "sqrt": _numeric(math.sqrt),
    "greatest": _extreme(1),
    "least": _extreme(-1),
    "strlen": _textual(len),
    "toupper": _textual(str.upper),
    "tolower": _textual(str.lower),
    "trim": _trimmed(str.strip),
    "ltrim": _trimmed(str.lstrip),
    "rtrim": _trimmed(str.rstrip),
    "substr": Function(2, 3, _substr),
    "replace": Function(3, 3, _replace),
    "concat": Function(1, ANY, _concat),
    "strcontains": Function(2, 2, _contains),
    "isempty": Function(1, 1, lambda value: value is None or plain(value) == ""),
    "isblank": Function(1, 1, lambda value: value is None or not plain(value).strip()),
    "ispresent": Function(1, 1, lambda value: value is not None),
    "coalesce": Function(1, ANY, lambda *values: next((value for value in values if value is not None), None)),
    "datefloor": Function(2, 2, rounded_down),
    "dateceil": Function(2, 2, _rounded_up),
    "frommillis": Function(1, 1, _moment),
    "tomillis": Function(1, 1, lambda value: None if (found := number(value)) is None else int(found)),
    "now": Function(0, 0, lambda: int(time.time())),
    "jsonparse": Function(1, 1, _parsed),
    "jsonstringify": _textual(str),
    "isvalidip": Function(1, 1, lambda value: _address(value, 4, 6)),
    "isvalidipv4": Function(1, 1, lambda value: _address(value, 4)),
    "isvalidipv6": Function(1, 1, lambda value: _address(value, 6)),
    "isipinsubnet": Function(2, 2, lambda value, net: _network(value, net, 4) or _network(value, net, 6)),
    "isipv4insubnet": Function(2, 2, lambda value, net: _network(value, net, 4)),
    "isipv6insubnet": Function(2, 2, lambda value, net: _network(value, net, 6)),
}
