"""Prompts: scenes in plain words, and the words that the model knows.

Owns the ways of saying a scene (some are only for held-out prompts), the word list and a prompt's token ids. Knows no
network.
"""

from __future__ import annotations

import random
import re

from recipes.image.scenes import COLORS, PAIRS, PLACES, SHAPES, Scene, Thing

LENGTH = 40  # tokens; a prompt takes 24 of them at most, the rest is filled up
BEGIN, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"
_WORD = re.compile(r"[a-z]+")

_SHAPE_WORDS = {
    "circle": ("circle", "circle", "disc", "disk", "ball", "dot"),
    "square": ("square", "square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "ring": ("ring", "ring", "hoop", "donut"),
}
_COLOR_WORDS = {"gray": ("gray", "grey"), "purple": ("purple", "violet"), "cyan": ("cyan", "turquoise")}
_SIZE_WORDS = {
    "small": ("small", "little", "tiny"),
    "medium": ("", "", "medium", "mid sized"),
    "large": ("large", "big", "huge"),
}
_PLACE_WORDS = {
    "center": ("", "", "in the center", "in the middle", "at the centre"),
    "left": ("on the left", "at the left", "to the left", "on the left side"),
    "right": ("on the right", "at the right", "to the right", "on the right side"),
    "top": ("at the top", "on top", "in the upper part"),
    "bottom": ("at the bottom", "in the lower part"),
    "top left": ("in the top left corner", "at the top left", "in the upper left"),
    "top right": ("in the top right corner", "at the top right", "in the upper right"),
    "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left"),
    "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right"),
}
_PAIR_WORDS = {
    "left of": ("left of", "to the left of", "and", "next to", "beside", "with"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under", "beneath"),
}
_GROUND_WORDS = (
    "on a {} background",
    "on {}",
    "against a {} background",
    "with a {} background",
    "in front of a {} background",
    "on a {} ground",
)
_OPENINGS = ("", "", "", "draw", "a picture of", "an image of", "a drawing of", "please paint", "show me")
# Openings of words that the model does not know, so that what stands before the thing, whatever it is, changes nothing.
_STRANGE_OPENINGS = (
    "render", "sketch us", "produce an image with", "we need a drawing with", "there is", "a scene with", "photo of", "design",
    "could you draw", "give us an image showing", "generate", "a drawing with", "an image with", "let me see", "imagine now",
)  # fmt: skip
_STRANGE_SHARE = 0.3
# Ways of saying that training never sees.
_HELD_OPENINGS = ("", "a painting of", "create an image of", "i want", "make a picture with")
_NOISE = ("simple", "flat", "nice", "clean", "bright", "geometric", "minimal")
_HELD_WORDS = ("painting", "create", "i", "want", "make", "picture")


def say(scene: Scene, rng: random.Random, *, held_out: bool = False) -> str:
    """A prompt for a scene. A white background, a middling size and the centre need not be said."""
    named = [_thing(thing, rng) for thing in scene.things]
    if len(named) == 2:
        said = f"{named[0]} {rng.choice(_PAIR_WORDS[scene.where])} {named[1]}"
    else:
        said = f"{named[0]} {rng.choice(_PLACE_WORDS[scene.where])}"
    opening = rng.choice(_HELD_OPENINGS if held_out else _OPENINGS)
    if not held_out and rng.random() < _STRANGE_SHARE:
        opening = rng.choice(_STRANGE_OPENINGS)
    ground = rng.choice(_GROUND_WORDS).format(_color(scene.background, rng))
    if scene.background == "white" and rng.random() < 0.6:
        ground = ""
    if not opening and ground and rng.random() < 0.1 and len(named) == 1:
        return " ".join(f"{_color(scene.background, rng)} background, {said}".split())
    return " ".join(f"{opening} {said} {ground}".split())


def _color(name: str, rng: random.Random) -> str:
    return rng.choice(_COLOR_WORDS.get(name, (name,)))


def _thing(thing: Thing, rng: random.Random) -> str:
    noise = rng.choice(_NOISE) if rng.random() < 0.05 else ""
    article = rng.choice(("a", "a", "the", "one", ""))
    words = f"{article} {noise} {rng.choice(_SIZE_WORDS[thing.size])} {_color(thing.color, rng)}"
    return " ".join(f"{words} {rng.choice(_SHAPE_WORDS[thing.shape])}".split())


def vocabulary() -> dict[str, int]:
    """Word → id; the marks come first."""
    said: list[str] = [*SHAPES, *COLORS, *PLACES, *PAIRS, *_GROUND_WORDS, *_OPENINGS, *_NOISE, "a", "the", "one"]
    for table in (_SHAPE_WORDS, _COLOR_WORDS, _SIZE_WORDS, _PLACE_WORDS, _PAIR_WORDS):
        said += [phrase for phrases in table.values() for phrase in phrases]
    words = sorted({word for phrase in said for word in _WORD.findall(phrase)} - set(_HELD_WORDS) | {"picture"})
    return {word: index for index, word in enumerate([BEGIN, END, UNKNOWN, *words])}


def ids(prompt: str, words: dict[str, int]) -> list[int]:
    """LENGTH token ids: a beginning, the words, ends."""
    found = [words.get(word, words[UNKNOWN]) for word in _WORD.findall(prompt.lower())][: LENGTH - 2]
    return [words[BEGIN], *found] + [words[END]] * (LENGTH - 1 - len(found))


def subjects() -> list[str]:
    """The words that name a shape."""
    return sorted({word for words in _SHAPE_WORDS.values() for word in words})
