"""Event patterns: which events a rule is about.

Owns how a pattern lies over an event: names lead down, a list is a choice, an array of the event matches where one of its
elements does. What single values are tested for is `matchers`'. Pure. Source: EventBridge user guide, "Creating Amazon
EventBridge event patterns".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from craton.features.events.matchers import BadPattern, Test, exact, matcher

__all__ = ["BadPattern", "Match", "compiled"]

Match = Callable[[Any], bool]
"""Whether an event matches, given as its envelope."""
OR: Final = "$or"
MOST_CHARS: Final = 4096
_DEPTH: Final = 64


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Match:
    """A pattern ready to match. Raises BadPattern."""
    try:
        decoded = msgspec.json.decode(pattern)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadPattern(f"The pattern is not JSON: {error}") from None
    if not isinstance(decoded, dict):
        raise BadPattern("Filter is not an object")
    return _object(decoded, 0)


def _object(pattern: dict[str, Any], depth: int) -> Match:
    if not pattern:
        raise BadPattern("Empty objects are not allowed")
    if depth > _DEPTH:
        raise BadPattern("The pattern is nested too deeply")
    tests = [_choice(value, depth) if name == OR else _member(name, value, depth) for name, value in pattern.items()]
    return lambda event: all(test(event) for test in tests)


def _choice(value: Any, depth: int) -> Match:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(one, dict) for one in value):
        raise BadPattern(f'"{OR}" must be an array of two or more objects')
    choices = [_object(one, depth + 1) for one in value]
    return lambda event: any(choice(event) for choice in choices)


def _member(name: str, value: Any, depth: int) -> Match:
    if isinstance(value, dict):
        inner = _object(value, depth + 1)
        return lambda event: any(inner(one) for one in _objects(_get(event, name)))
    if not isinstance(value, list):
        raise BadPattern(f'"{name}" must be an object or an array')
    if not value:
        raise BadPattern("Empty arrays are not allowed")
    tests, wants = [], set()
    for one in value:
        made = _leaf(one)
        if isinstance(made, bool):
            wants.add(made)
        else:
            tests.append(made)
    return lambda event: _matches(list(_leaves(_get(event, name))), tests, wants)


def _matches(leaves: list[Any], tests: list[Test], wants: set[bool]) -> bool:
    return bool(leaves) in wants or any(test(leaf) for leaf in leaves for test in tests)


def _leaf(value: Any) -> Test | bool:
    """The test for a value of a list; for `exists`, whether the member must be there."""
    if isinstance(value, list):
        raise BadPattern("Match value must be String, number, true, false, or null")
    if not isinstance(value, dict):
        return exact(value)
    if len(value) != 1:
        raise BadPattern("Only one key allowed in match expression" if value else "Empty objects are not allowed")
    word, given = next(iter(value.items()))
    if word != "exists":
        return matcher(word, given)
    if not isinstance(given, bool):
        raise BadPattern("exists match pattern must be either true or false.")
    return given


def _get(event: Any, name: str) -> Any:
    return event.get(name, ()) if isinstance(event, dict) else ()


def _objects(value: Any) -> Iterator[Any]:
    """What a nested pattern may lie over. Where there is nothing, it lies over nothing, which `exists: false` matches."""
    if isinstance(value, list) and value:
        yield from (one for one in value if isinstance(one, dict))
    else:
        yield value


def _leaves(value: Any) -> Iterator[Any]:
    """The single values of a member; of an array, its elements'. Objects have none, and are not there for `exists`."""
    if isinstance(value, list | tuple):
        for one in value:
            if not isinstance(one, dict | list):
                yield one
    elif not isinstance(value, dict):
        yield value
