"""What was found, as a model reads it: numbered passages between fences that no passage can open or close.

Owns the fences, and what is changed in a passage for the model's eyes alone; what is cited and returned is the passage as
it is stored. It must not know templates, nor where passages are from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

_RESULT, _TURNS = "search_result", "conversation"
# A tag that looks like one of ours, in whatever spelling a model might still take for it.
_TAG = re.compile(rf"<(?=\s*/?\s*(?:{_RESULT}|{_TURNS}))", re.IGNORECASE)
_MARK = re.compile(r"\[(?=\[[\d\s,]*\]\])")
_MOST_TURN: Final = 2000
"""Characters of one turn of the conversation that are shown."""


class Passage(msgspec.Struct, frozen=True):
    """A result as an answer may rest on it. `reference` is the API's RetrievedReference; `text` is what is checked."""

    text: str
    reference: dict[str, Any]


class Turn(msgspec.Struct, frozen=True):
    """A question and its answer."""

    question: str
    answer: str


def fenced(passages: Sequence[Passage]) -> str:
    """The passages with their numbers, from 1."""
    parts = [f'<{_RESULT} id="{number}">\n{tame(one.text)}\n</{_RESULT}>' for number, one in enumerate(passages, 1)]
    return "\n".join([f"<{_RESULT}s>", *parts, f"</{_RESULT}s>"])


def plain(passages: Sequence[Passage]) -> str:
    """The passages' texts alone, for models to which fences mean nothing."""
    return "\n".join(tame(one.text) for one in passages)


def told(turns: Iterable[Turn]) -> str:
    """What was said before, oldest first."""
    lines = [
        f"{who}: {tame(text[:_MOST_TURN])}"
        for turn in turns
        for who, text in (("User", turn.question), ("Assistant", turn.answer))
    ]
    return "\n".join([f"<{_TURNS}>", *(lines or ["(nothing yet)"]), f"</{_TURNS}>"])


def tame(text: str) -> str:
    """A text that neither ends its fence nor holds what would pass for a mark of a source."""
    return _MARK.sub("[ ", _TAG.sub("‹", text))
