"""Seeded choices for the generator, and the wall between training and held-out text.

This file owns randomness and the split: which list entries, made-up words and number pairs training may see,
and which only an evaluation may. It must not know any task.
"""

from __future__ import annotations

import functools
import random
import re
import zlib
from collections.abc import Sequence
from typing import TypeVar

from recipes.chat.lexicon import BANKED, LEXICON, TO_BLEND
from recipes.chat.words import bank

T = TypeVar("T")

ONSETS = bank("b c d f g h j k l m n p r s t v w z br cr dr fl gr kl pl pr sh sk st th tr qu ch gl sn")
VOWELS = bank("a e i o u a e i o ai ea oo ou ia")
CODAS = bank("b d k l m n p r s t x nd rk sh st th ng lm")
OPENINGS = (
    "Please ", "Hey, ", "Hi, ", "Ok, ", "So ", "Quick question: ", "please ", "Now ", "Could you help? ", "I want to know: ",
    "Next: ", "Tell me, ", "One more: ", "Q: ", "Also, ", "Question: ", "And ", "Hello, ", "A task for you: ", "My question is: ",
)  # fmt: skip
# Other ways to begin a question or an order; the first that fits is taken.
PARAPHRASES = (
    ("What is the ", ("What's the ", "Tell me the ", "Give me the ", "Name the ", "Can you tell me the ", "I want to know the ", "State the ")),
    ("What is ", ("What's ", "Do you know what is ", "Can you tell me what is ")),
    ("Which ", ("What ", "Tell me which ", "Do you know which ")), ("How ", ("Tell me how ", "Do you know how ", "Can you say how ")),
    ("Where ", ("Tell me where ", "Do you know where ", "Can you say where ")), ("When ", ("Tell me when ", "Do you know when ")),
    ("Who ", ("Tell me who ", "Do you know who ", "Can you say who ")), ("Tell me ", ("Could you tell me ", "I want you to tell me ")),
    ("Write ", ("Please write ", "Can you write ", "Could you write ", "I want you to write ", "Write down ")),
    ("Extract ", ("Please extract ", "Get ", "Pull out ", "Take out ")), ("Say ", ("Please say ", "Could you say ", "Now say ")),
    ("Repeat", ("Please repeat", "Now repeat", "Could you repeat")), ("Give me ", ("Could you give me ", "I need ", "Show me ")),
)  # fmt: skip
ENDINGS = (
    " Please.",
    " please",
    " Thanks.",
    " Thank you!",
    " I need it now.",
    " Be quick.",
    " for me",
    " today",
    " ok?",
    " I am curious.",
)


# One choice inside a template: "[Tell|Show] me", innermost first. Brackets without a bar are plain text.
CHOICE = re.compile(r"\[([^\[\]|]*(?:\|[^\[\]|]*)+)\]")
TRIES = 500


@functools.lru_cache(maxsize=2000)
def likelihoods(templates: tuple[object, ...]) -> tuple[float, ...]:
    """How often each template is drawn: one that stands for many by its choices comes more often than a plain one."""
    return tuple(1.0 + 0.5 * (text.count("|") if isinstance(text, str) else 0) ** 0.5 for text in templates)


@functools.lru_cache(maxsize=2000)
def can_be_new(templates: tuple[object, ...]) -> bool:
    """Whether anything in these templates is kept from training."""
    long = (
        len(match[1].split("|")) >= 4 for text in templates if isinstance(text, str) for match in CHOICE.finditer(text)
    )
    return len(templates) >= 4 or any(long)


def is_held_out(position: int, size: int) -> bool:
    """Whether entry `position` of a list of `size` is kept from training: one in six, none of a list under four."""
    if size < 4:
        return False
    return position == size - 1 if size < 6 else position % 6 == 5


def word_is_held_out(word: str) -> bool:
    """Whether a made-up word is kept from training: one in eight, decided by its letters alone, in any case."""
    return zlib.crc32(word.lower().encode()) % 8 == 0


def pair_is_held_out(left: int, right: int) -> bool:
    """Whether an addition is kept from training: one ordered pair in ten."""
    return (left * 37 + right * 11) % 10 == 3


class Draw:
    """Choices from one seed. `held_out=False` sees only the training side of the wall, `True` only the other side."""

    def __init__(self, seed: int | str, *, held_out: bool = False, new_phrasing: bool | None = None) -> None:
        self.random = random.Random(f"chat-{seed}")
        self.held_out = held_out
        # Templates have a wall of their own, so that new words in known phrasing can be scored apart.
        self.new_phrasing = held_out if new_phrasing is None else new_phrasing

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def any(self, items: Sequence[T]) -> T:
        """One entry, from either side of the wall: for facts that must be known, and for mere decoration."""
        return items[int(self.random.random() * len(items))]

    def of(self, items: Sequence[T]) -> T:
        """One entry from this side of the wall (from all of a list too short to be split)."""
        return self.one_of(items, held_out=self.held_out)

    def way(self, templates: Sequence[T]) -> T:
        """One template with its choices made, or anything else that is phrasing and not content.

        New phrasing is a template kept from training, or a choice kept from it inside a template that is not.
        """
        choices = tuple(templates)
        wanted = self.new_phrasing and can_be_new(choices)
        for _ in range(TRIES):
            at = self.random.choices(range(len(choices)), likelihoods(choices))[0]
            kept, picked = len(choices) >= 4 and is_held_out(at, len(choices)), choices[at]
            if kept and not self.new_phrasing:
                continue
            text, fresh = self.chosen(picked) if isinstance(picked, str) else (picked, False)
            if kept or fresh or not wanted:
                return text  # type: ignore[return-value]
        last = choices[-1]
        return self.chosen(last)[0] if isinstance(last, str) else last  # type: ignore[return-value]

    def chosen(self, text: str) -> tuple[str, bool]:
        """A template with its choices made, and whether one of them is kept from training."""
        fresh = False
        while match := CHOICE.search(text):
            options = match[1].split("|")
            allowed = [
                at
                for at in range(len(options))
                if self.new_phrasing or len(options) < 4 or not is_held_out(at, len(options))
            ]
            at = self.any(allowed)
            fresh = fresh or (len(options) >= 4 and is_held_out(at, len(options)))
            text = text[: match.start()] + options[at] + text[match.end() :]
        return text, fresh

    def term(self, kind: str) -> str:
        """A word of a kind (`lexicon.LEXICON`): in training mostly none of its bank, so that nothing is learned by heart."""
        entries, further = LEXICON[kind]
        where = 0 if self.held_out else self.number(0, 9)
        if where < 2:
            return self.of(entries)
        if where < 6:
            return self.any(further)
        word = self.nonce()
        if kind == "verb":
            return f"{word}ed" if f"{word}ed" not in BANKED else self.term(kind)
        return word.capitalize() if kind == "city" else word

    def terms(self, kind: str, count: int) -> list[str]:
        """`count` different words of a kind."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.term(kind)] = None
        return list(found)

    def one_of(self, items: Sequence[T], *, held_out: bool) -> T:
        size = len(items)
        while True:
            at = int(self.random.random() * size)
            if size < 4 or is_held_out(at, size) == held_out:
                return items[at]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different entries from this side of the wall, fewer where there are not so many."""
        size = len(items)
        mine = [item for at, item in enumerate(items) if size < 4 or is_held_out(at, size) == self.held_out]
        return self.random.sample(mine, min(count, len(mine)))

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def pair(self, low: int, high: int) -> tuple[int, int]:
        """Two numbers of an addition from this side of the wall."""
        while True:
            left, right = self.number(low, high), self.number(low, high)
            if pair_is_held_out(left, right) == self.held_out:
                return left, right

    def nonce(self, syllables: int = 0) -> str:
        """A made-up word in lower case, of one to three syllables or of two halves, from this side of the wall.

        Halves of English words are for training alone: a word never met has the pieces of words that were, in another row.
        """
        while True:
            if not self.held_out and not syllables and self.chance(0.45):
                word = self.blend()
            elif self.chance(0.12):
                word = "".join(self.any("abcdefghijklmnopqrstuvwxyz") for _ in range(self.number(3, 8)))
            else:
                count = syllables or self.any((1, 2, 2, 2, 3))
                word = "".join(self.any(ONSETS) + self.any(VOWELS) for _ in range(count))
                word += self.any(CODAS) if self.chance(0.6) else ""
            if word_is_held_out(word) == self.held_out and (self.held_out or word not in BANKED):
                return word

    def blend(self) -> str:
        """The front of one English word and the back of another."""
        while True:
            front, back = self.any(TO_BLEND), self.any(TO_BLEND)
            word = front[: self.number(1, len(front) - 1)] + back[self.number(1, len(back) - 1) :]
            if 3 <= len(word) <= 11:
                return word

    def phrase(self, templates: Sequence[str], **slots: object) -> str:
        """A template filled in, typed the way people type: now and then lower case, no stop, a please before it."""
        text = self.way(templates)
        for opening, others in PARAPHRASES if self.chance(0.25) else ():
            if text.startswith(opening):
                text = self.any(others) + text[len(opening) :]
                break
        if self.chance(0.14):
            text = text[:1].lower() + text[1:] if self.chance(0.5) else text.lower()
        if self.chance(0.12):
            text = text.rstrip("?.!")
        elif self.chance(0.03):
            text += text[-1] if text[-1:] in "?!." else "!"
        if self.chance(0.05) and not text.endswith("}"):
            text += self.any(ENDINGS)
        if self.chance(0.1):
            text = self.any(OPENINGS) + text[:1].lower() + text[1:]
        return text.format(**slots)
