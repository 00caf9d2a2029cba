"""How a request that has no recording differs from the nearest one that has: places and sizes, never the words.

The text goes into an error, and errors travel into logs: it tells where to look and holds neither prompt nor secret.
Numbers and truth values of inference parameters are shown, since they are what one most often got wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from craton.models.providers.cassettes.request import Asked, compared, loosened

_SHOWN = 4


def nearest(asked: Asked, recorded: Sequence[Asked], match_on: tuple[str, ...]) -> tuple[int, list[str]] | None:
    """The place of the recording with the fewest differences, and these; None if there is no recording."""
    mine = _leaves_of(asked, match_on)
    best: tuple[int, list[str]] | None = None
    for place, other in enumerate(recorded):
        found = _differences(mine, _leaves_of(other, match_on))
        if best is None or len(found) < len(best[1]):
            best = place, found
    return best


def told(differences: list[str]) -> str:
    """The differences as one clause."""
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _leaves_of(asked: Asked, match_on: tuple[str, ...]) -> dict[str, Any]:
    return dict(leaf for part in loosened(compared(asked, match_on)) for leaf in _leaves("", part))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, item)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _leaves(f"{path}.{place}", item)
    elif value is not None:
        yield path, value


def _differences(mine: dict[str, Any], other: dict[str, Any]) -> list[str]:
    found = [_difference(path, mine[path], other[path]) for path in mine if path in other and mine[path] != other[path]]
    found += [f"{path} is not in the recording" for path in mine if path not in other]
    found += [f"{path} is only in the recording" for path in other if path not in mine]
    return found


def _difference(path: str, mine: Any, other: Any) -> str:
    if isinstance(mine, str) and isinstance(other, str):
        same = next(
            (at for at, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), min(len(mine), len(other))
        )
        return f"{path} differs from character {same} on ({len(mine)} characters, {len(other)} recorded)"
    if isinstance(mine, int | float | bool) and isinstance(other, int | float | bool):
        return f"{path} is {mine}, {other} recorded"
    return f"{path} differs"
