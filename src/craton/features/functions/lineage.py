"""How often a function was invoked along one chain of causes: what stops a function and a bucket that feed each other.

Owns the member of the X-Ray trace header in which the chain is carried, and the count from which a loop is ended, as AWS
does. Pure. Source: AWS Lambda developer guide, "Use Lambda recursive loop detection".
"""

from __future__ import annotations

import secrets
import zlib
from typing import Final

MOST: Final = 16
TRACE: Final = "X-Amzn-Trace-Id"
_MEMBER: Final = "Lineage"
_KEPT: Final = 4
_LONGEST: Final = 1024


def counted(trace: str | None, function: str, now_s: float) -> tuple[str, int]:
    """The trace header that an invocation of a function gets, and its number in the chain that `trace` tells of.

    The function's ARN is told by its hash alone: the header travels far.
    """
    members = _members(trace or "")
    mark = f"{zlib.crc32(function.encode()):08x}"
    hops: dict[str, int] = {}
    for hop in members.get(_MEMBER, "").split("|"):
        name, _, count = hop.partition(":")
        if name and count.isdigit() and len(count) <= 4:
            hops[name] = int(count)
    number = hops.pop(mark, 0) + 1
    chain = {mark: number, **dict(list(hops.items())[: _KEPT - 1])}
    members[_MEMBER] = "|".join(f"{name}:{count}" for name, count in chain.items())
    members.setdefault("Root", f"1-{int(now_s):08x}-{secrets.token_hex(12)}")
    return ";".join(f"{name}={value}" for name, value in members.items()), number


def is_loop(number: int, recursion: str) -> bool:
    """Whether an invocation with this number is the one too many; a function may be allowed to recurse."""
    return recursion == "Terminate" and number > MOST


def _members(trace: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in trace[:_LONGEST].split(";"):
        name, sign, value = part.strip().partition("=")
        if sign and name:
            found[name] = value
    return found
