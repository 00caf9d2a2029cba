"""Whether a passage bears a sentence out, as far as words and figures can show it.

The method, which the documentation states: what a sentence says is its content words (stop words left out, endings cut
off) and its facts, the words with a digit in them. A passage supports the sentence only if all of its facts stand in the
passage, and by the share of its words and facts that stand close together there, within a window of `WINDOW` words: at
least `MARKED` of them where the model itself named the passage, at least `FOUND` where it did not. So a wrong number or a
passage about something else is never cited; a sentence that only turns the passage's meaning around is not noticed.

Owns the method. It must not know prompts, marks, or what becomes of a verdict.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

import msgspec

WINDOW: Final = 80
MARKED: Final = 0.5
FOUND: Final = 0.75

_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+"  # scripts without blanks between words
    r"|\d+(?:[.,]\d+)*(?:[^\W_]*)|[^\W_]+(?:['’-][^\W_]+)*"
)
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_LISTED = re.compile(r"^[\s*_#>-]*\(?\d{1,3}[.)]\s+")
_THOUSANDS = re.compile(r"(?<=\d)[,.](?=\d{3}(?:\D|$))")
_WORDS_OF_NUMBERS = """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty
"""
_NUMBERS = {name: str(number) for number, name in enumerate(_WORDS_OF_NUMBERS.split(), 2)}
_SAY_NOTHING = """
a about after all also an and any are as at be been being but by can could did do does each for from had has have he her
his how i if in into is it its may more most must no nor not of on one only or our out over per shall she should so some
such than that the their them then there these they this those to too under until up us was we were what when where which
while who whom whose why will with within would yes you your
der die das den dem des ein eine einer einem einen und oder ist sind war waren mit von zu im am auf für nicht
le la les un une des du de et ou est sont était dans sur pour pas que qui ne
el los las una y o es son en por para con se al lo
"""
_STOP = frozenset(_SAY_NOTHING.split())
_STEM = 6


class Claim(msgspec.Struct, frozen=True):
    """What a text says. Facts are among the words."""

    words: frozenset[str]
    facts: frozenset[str]


class Ground:
    """A passage, read once and asked for each sentence."""

    def __init__(self, text: str) -> None:
        self._places: dict[str, list[int]] = {}
        for place, word in enumerate(words_of(text)):
            if word:
                self._places.setdefault(word, []).append(place)

    def share(self, claim: Claim) -> float:
        """The share of a claim that the passage bears out, from 0 to 1; 0 if it lacks a fact."""
        if not claim.words or not all(fact in self._places for fact in claim.facts):
            return 0.0
        there = sorted((place, word) for word in claim.words for place in self._places.get(word, ()))
        near: deque[tuple[int, str]] = deque()
        counts: Counter[str] = Counter()
        most = 0
        for place, word in there:
            near.append((place, word))
            counts[word] += 1
            while near[0][0] <= place - WINDOW:
                gone = near.popleft()[1]
                counts[gone] -= 1
                if not counts[gone]:
                    del counts[gone]
            most = max(most, len(counts))
        return most / len(claim.words)


class Judge:
    """Says which of the passages a sentence rests on. `question`: what was asked, whose own words prove little."""

    def __init__(self, passages: Sequence[str], question: str = "") -> None:
        self._grounds = [Ground(text) for text in passages]
        self._asked = claim_of(question).words

    def sources(self, sentence: str, named: Sequence[int]) -> tuple[int, ...]:
        """The places (from 0) of the passages to be cited: those named that bear it out, else the best that does."""
        claim = claim_of(sentence)
        kept = [place for place in dict.fromkeys(named) if self._bears(place, claim)]
        if kept:
            return tuple(kept)
        if len(claim.words) < 2 and not claim.words - self._asked:
            return ()
        shares = [ground.share(claim) for ground in self._grounds]
        best = max(shares, default=0.0)
        return (shares.index(best),) if best >= FOUND else ()

    def _bears(self, place: int, claim: Claim) -> bool:
        return 0 <= place < len(self._grounds) and self._grounds[place].share(claim) >= MARKED


def claim_of(sentence: str) -> Claim:
    words = frozenset(word for word in words_of(_LISTED.sub("", sentence)) if word)
    return Claim(words, frozenset(word for word in words if any(letter.isdigit() for letter in word)))


def words_of(text: str) -> list[str]:
    """The words in the form in which they are compared, each in its place; "" for one that says nothing by itself."""
    found: list[str] = []
    for word in _WORD.findall(text):
        if _WIDE.match(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(_compared(word))
    return found


def _compared(word: str) -> str:
    if word[0].isdigit():
        return _number(word)
    small = word.replace("’", "'").casefold().removesuffix("'s")
    if small in _NUMBERS:
        return _NUMBERS[small]
    if small in _STOP or (len(small) < 3 and not (len(word) == 2 and word.isupper())):
        return ""
    if any(letter.isdigit() for letter in small):
        return small
    return small[:_STEM] if len(small) > _STEM else small.removesuffix("s")


def _number(word: str) -> str:
    """A number however it is written: 1,000 and 1000, 2,5 and 2.50."""
    plain = _THOUSANDS.sub("", word.casefold()).replace(",", ".")
    if plain.count(".") == 1 and plain.replace(".", "").isdigit():
        plain = plain.rstrip("0").rstrip(".")
    return plain
