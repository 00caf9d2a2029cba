"""Where a text may be cut: it is taken apart into units that are never cut, with how good a place each boundary is.

Owns sentences, lines, paragraphs, words and graphemes. Everything is linear in the text's length, whatever it is made
of: 50 MB without the end of a sentence are words, without blanks graphemes. Units lie side by side and are the whole
text. It must not know tokens nor strategies, except by the lengths that it is given.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from craton.features.rag.pieces import Parsed

GRAPHEME, WORD, WRAP, SENTENCE, LINE, PARAGRAPH, HEADING, HARD = range(8)
"""How good a place to cut, from worst to best. WRAP: a line's end within a sentence. LINE: the end of both. HARD: pieces
never reach over it.
"""

# The end of a sentence with what closes it and the blanks behind it, unless a small letter goes on ("e.g. this"); the
# ends of sentences of East Asia, which no blank follows; the end of a line. Possessive, and a run of marks is looked at
# once, from its beginning: no text makes this slow.
_ENDS = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s++(?![a-z])"
    r"|(?<![。！？｡])[。！？｡]++[」』”’）]*+\s*+"
    r"|\n\s*+"
)
_BLANKS = " \t\n\u3000"
_ZWJ = "\u200d"
# Nothing is searched for longer than this for the end of one grapheme: what is longer is junk.
_LONGEST_GRAPHEME = 1000


class Units(msgspec.Struct):
    """Unit `n` is text[starts[n]:starts[n + 1]]; `strengths[n]` is how good a place to cut its beginning is."""

    starts: array[int]
    strengths: bytearray

    def __len__(self) -> int:
        return len(self.strengths)


def units_of(parsed: Parsed, *, longest: int, least: int) -> Units:
    """Units of at most `longest` characters, and of `least` or more where no better boundary wants otherwise."""
    text = parsed.text
    found = Units(array("q", [0]), bytearray([HARD]))
    for at, strength in _boundaries(parsed):
        start = found.starts[-1]
        if at <= start:  # a better reason for the same place
            found.strengths[-1] = max(found.strengths[-1], strength) if at == start else found.strengths[-1]
            continue
        if strength < HARD and (
            (strength < HEADING and at - start < least) or not is_boundary(text, at) or at >= len(text)
        ):
            continue
        _long(text, found, at, longest)
        if at < len(text):
            found.starts.append(at)
            found.strengths.append(strength)
    _long(text, found, len(text), longest)
    found.starts.append(len(text))
    return found


def _boundaries(parsed: Parsed) -> Iterator[tuple[int, int]]:
    """In the text's order, with repetitions."""
    ends = ((match.end(), _strength(match)) for match in _ENDS.finditer(parsed.text))
    return heapq.merge(_marked(parsed.records, HARD), _marked(parsed.breaks, HEADING), ends)


def _strength(match: re.Match[str]) -> int:
    lines = match[0].count("\n")
    if match[0][0] != "\n":
        return (SENTENCE, LINE, PARAGRAPH)[min(lines, 2)]
    # A sentence that goes on, over the end of a page too, may begin its line with a small letter; rows of a table, items
    # of a list and whatever is said next hardly do.
    if match.string[match.end() : match.end() + 1].islower():
        return WRAP
    return SENTENCE if lines == 1 else PARAGRAPH


def _marked(places: Iterable[int], strength: int) -> Iterator[tuple[int, int]]:
    return ((place, strength) for place in places)


def _long(text: str, found: Units, end: int, longest: int) -> None:
    """Cut what is between the last start and `end` at words, until no unit is too long."""
    while end - found.starts[-1] > longest:
        start = found.starts[-1]
        at, strength = split(text, start, start + longest)
        if at >= end:
            return
        found.starts.append(at)
        found.strengths.append(strength)


def split(text: str, start: int, end: int) -> tuple[int, int]:
    """The last place to cut in the second half of text[start:end], and its strength; `end` or later if there is none."""
    half = start + (end - start) // 2
    blank = max(text.rfind(blank, half, end) for blank in _BLANKS)
    if blank >= 0 and is_boundary(text, blank + 1):
        return blank + 1, WORD
    return boundary_near(text, start, end), GRAPHEME


def boundary_near(text: str, start: int, at: int) -> int:
    """The last boundary of graphemes in text[start + 1 : at + 1], else the first one after."""
    for place in range(at, max(start, at - _LONGEST_GRAPHEME), -1):
        if is_boundary(text, place):
            return place
    for place in range(at + 1, min(len(text), at + _LONGEST_GRAPHEME)):
        if is_boundary(text, place):
            return place
    return min(len(text), at + _LONGEST_GRAPHEME)


def is_boundary(text: str, at: int) -> bool:
    """Whether one grapheme ends and another begins there. Source: UAX #29, the rules GB3 to GB13 in short."""
    if not 0 < at < len(text):
        return True
    behind, ahead = text[at - 1], text[at]
    if ahead < "\u0300":
        return not (behind == "\r" and ahead == "\n") and behind not in _PREPENDED
    if behind == _ZWJ or behind in _PREPENDED or ahead == _ZWJ or _extends(ahead):
        # A line's end takes on nothing.
        return behind in "\r\n"
    if _regional(ahead) and _regional(behind):
        first = at - 1
        while first > 0 and at - first < _LONGEST_GRAPHEME and _regional(text[first - 1]):
            first -= 1
        return (at - first) % 2 == 0
    return not (_hangul(behind) and _hangul(ahead) and _syllable(behind, ahead))


# Signs that belong to what follows (numbers' signs of Arabic, Kaithi).
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\u0d4e\U000110bd\U000110cd")
_JOINING = frozenset({"Mn", "Me", "Mc"})


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in _JOINING
        or character in "\u200c\uff9e\uff9f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or character in "\u0e33\u0eb3"
    )


def _regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _hangul(character: str) -> bool:
    return "\u1100" <= character <= "\u11ff" or "\ua960" <= character <= "\ua97c" or "\uac00" <= character <= "\ud7fb"


def _syllable(behind: str, ahead: str) -> bool:
    """Leading consonants, vowels, trailing consonants and whole syllables that are written as one."""
    if _leads(behind):
        return not _trails(ahead)
    open_syllable = _vowel(behind) or ("\uac00" <= behind <= "\ud7a3" and (ord(behind) - 0xAC00) % 28 == 0)
    if open_syllable:
        return _vowel(ahead) or _trails(ahead)
    return _trails(ahead)


def _leads(character: str) -> bool:
    return "\u1100" <= character <= "\u115f" or "\ua960" <= character <= "\ua97c"


def _vowel(character: str) -> bool:
    return "\u1160" <= character <= "\u11a7" or "\ud7b0" <= character <= "\ud7c6"


def _trails(character: str) -> bool:
    return "\u11a8" <= character <= "\u11ff" or "\ud7cb" <= character <= "\ud7fb"


def page_at(numbers: Sequence[int], starts: Sequence[int], place: int) -> int | None:
    """The number of the page that `place` is on."""
    found = bisect_right(starts, place)
    return numbers[found - 1] if found else None
