"""Patterns whose asterisks stand for any text, once they are read: the parts between the asterisks, in their order.

Each language that has such patterns (events, logs) reads them with escapes of its own. Policies are `access.match`'s, whose
patterns also know single signs and variables.
"""

from __future__ import annotations

from collections.abc import Sequence


def fits(parts: Sequence[str], text: str) -> bool:
    """Whether the text is the parts (two or more) with anything between them; each is looked for but once, so no pattern is slow."""
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
