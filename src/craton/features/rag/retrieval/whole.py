"""A document's text put together again from the chunks that an index holds of it.

Owns how overlapping chunks are joined: by their offsets, so that each character of the document stands there once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from craton.infra.vectors.port import Found

_GAP = "\n"
"""For what was left out between two chunks: white space, in all strategies."""


def whole_text(chunks: Iterable[Found]) -> str:
    """The text of a document, given all of its chunks in their order."""
    parts: list[str] = []
    reached = 0
    for one in chunks:
        if parts and one.start > reached:
            parts.append(_GAP)
        new = one.text if one.start >= reached else one.text[reached - one.start :]
        if one.end > reached:
            parts.append(new)
            reached = one.end
    return "".join(parts)
