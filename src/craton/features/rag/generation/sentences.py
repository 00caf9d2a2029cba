"""Where a sentence ends in a text that is still being written.

Owns the rule: a full stop and its like with white space behind them and no small letter after that, a line's end, and the
stops of scripts without white space. Abbreviations, initials and the numbers of a list end nothing. It must not know why
anybody asks.
"""

from __future__ import annotations

import re

_END = re.compile(
    r"(?P<stop>[.!?…]+)[\"'”’»)\]*_]*(?=\s+(?P<next>\S))|[。！？]+[”’」』）]*(?=[^\s。！？”’」』）])|(?=\n)"
)
_LAST_WORD = re.compile(r"[^\W\d_]+(?:\.[^\W\d_]+)*\Z")
_SHORT = """
approx art bzw ca cf ch chap corp dept dr ed eds eg e.g eq est etc fig figs ff gmbh hr ie i.e inc jr ltd max min mr mrs ms
no nos nr pp prof resp sec sr st str tel u.a usw vgl vol vs z.b d.h
"""
_ABBREVIATIONS = frozenset(_SHORT.split())


def end_of_first(text: str) -> int | None:
    """The position behind the first sentence of a text that begins with one; None if it may still go on."""
    for found in _END.finditer(text):
        end = found.end()
        if not any(letter.isalnum() for letter in text[:end]):
            continue
        stop = found.group("stop")
        if stop is None or not (found.group("next").islower() or (stop == found.group() and _goes_on(text, end, stop))):
            return end
    return None


def _goes_on(text: str, end: int, stop: str) -> bool:
    """Whether the stop before a position belongs to what it follows: an abbreviation, an initial, a list's number."""
    if stop != ".":
        return False
    before = text[: end - 1]
    if before.strip(" \t*_#>-(").isdigit():
        return True
    word = _LAST_WORD.search(before[-24:])
    if word is None:
        return False
    name = word.group()
    return (len(name) == 1 and name.isupper()) or name.lower() in _ABBREVIATIONS
