"""Which target of a route is asked next.

Two are drawn at random by weight and the one with less to do for its weight is taken: the power of two choices keeps
targets evenly busy without anybody counting all of them, and an idle server follows the weights exactly. Fallbacks
come in the order in which they stand. It decides; who asks is `balance`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from craton.features.inference.targets.state import Standing

if TYPE_CHECKING:
    from craton.features.inference.routing.routes import Target

# The classes of targets, the best first. What rests is in none of them: it asked to be left alone.
_PROBE, _ORDINARY, _FULL, _FALLBACK, _OPEN, _OPEN_FALLBACK = range(6)


def choose(left: Sequence[Target], now: float, *, last_resort: bool = True) -> Target | None:
    """The best of the targets that are left; None if none may be asked.

    Args:
        left: those that this request has not asked yet in this turn.
        now: seconds of the monotonic clock.
        last_resort: also take one whose breaker is open, when there is no other.
    """
    best, found = _OPEN_FALLBACK + 1, []
    for target in left:
        kind = _kind(target, now)
        if kind is None or (kind >= _OPEN and not last_resort):
            continue
        if kind < best:
            best, found = kind, [target]
        elif kind == best:
            found.append(target)
    if not found:
        return None
    if best in (_PROBE, _FALLBACK, _OPEN_FALLBACK) or len(found) == 1:
        return found[0]
    return _less_busy(found)


def _kind(target: Target, now: float) -> int | None:
    state = target.state
    standing = Standing.READY if state.calm else state.standing(now)
    if standing is Standing.RESTING:
        return None
    if standing is Standing.OPEN:
        return _OPEN_FALLBACK if target.fallback else _OPEN
    if target.fallback:
        return _FALLBACK
    if standing is Standing.DUE:
        return _PROBE
    return _FULL if state.gate is not None and state.gate.full else _ORDINARY


def _less_busy(found: list[Target]) -> Target:
    # Exponential keys with rate = weight sort into a weighted random order without replacement.
    found.sort(key=lambda target: random.expovariate(target.weight))
    first, second = found[:2]
    return second if _load(second) < _load(first) else first


def _load(target: Target) -> float:
    gate = target.state.gate
    waiting = gate.waiting if gate is not None else 0
    return (target.state.outstanding + waiting) / target.weight
