"""From the text of a filter pattern to a sieve of events.

Owns which of the three forms a pattern has, told by its first sign. Pure. It must not know how events are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from craton.features.logs.patterns.delimited import Delimited, read_delimited
from craton.features.logs.patterns.json_fields import Json, read_json
from craton.features.logs.patterns.terms import Terms, read_terms
from craton.infra.series.port import Recipe, Sieve

_READERS: Mapping[str, Callable[[str], Terms | Json | Delimited]] = {"{": read_json, "[": read_delimited}


def sieve_of(pattern: str) -> Sieve | None:
    """What lets through the events that match; None for a pattern that all events match. Raises BadPattern."""
    stripped = pattern.strip()
    if not stripped:
        return None
    read = _READERS.get(stripped[0], read_terms)
    sieve = read(stripped)
    sieve.recipe = Recipe(f"{__name__}:{sieve_of.__name__}", pattern)
    return sieve
