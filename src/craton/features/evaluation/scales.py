"""Scales of ratings: the names and values that a judge may choose from, and what a rating counts between 0 and 1.

Owns that arithmetic. It must not know metrics, nor how a judge is asked. Pure.
"""

from __future__ import annotations

Rating = float | str
Scale = tuple[tuple[str, Rating], ...]
"""Definition and value, in the order in which they were given. All values of a scale are numbers, or all are words."""


def chosen(scale: Scale, said: object) -> Rating | None:
    """The value of the scale that a judge named; None where it is none of them.

    Words are compared without regard to case; a number may come as a string, as models like to write it.
    """
    for _, value in scale:
        if isinstance(value, str):
            if isinstance(said, str) and said.strip().lower() == value.strip().lower():
                return value
        elif number(said) == value:
            return value
    return None


def number(said: object) -> float | None:
    """A number, or a string that is one."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        return float(said)
    except ValueError:
        return None


def result(scale: Scale, rating: Rating) -> Rating:
    """A number from 0 (the scale's lowest value) to 1 (its highest); words stay words."""
    if isinstance(rating, str):
        return rating
    values = [value for _, value in scale if not isinstance(value, str)]
    low, high = min(values), max(values)
    return (rating - low) / (high - low) if high > low else rating
