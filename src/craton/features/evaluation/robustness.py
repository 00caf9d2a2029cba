"""Builtin.Robustness: how much worse a model answers when its prompt says the same in a worse form, in percent.

Owns the perturbations (lower case, mistyped words, blanks between) and the drop. The perturbations are the same each
time: what is random in them is drawn from the prompt itself. 0 is best, 100 is an answer that has nothing left. It must
not know how a model is asked. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from craton.features.evaluation.overlap import f1, words

_TYPOS_SHARE, _BLANKS_SHARE = 0.15, 0.3
_SHORTEST_TYPO = 4
PERCENT = 100.0


def perturbed(prompt: str) -> tuple[str, ...]:
    """The prompt in three other forms."""
    draw = random.Random(prompt)  # noqa: S311 - no secret: the same prompt shall be perturbed the same way
    return prompt.lower(), mistyped(prompt, draw), spaced(prompt, draw)


def mistyped(prompt: str, draw: random.Random) -> str:
    """In some words, one at least where there is a long one, two neighbouring letters change places."""
    parts = prompt.split(" ")
    long = [at for at, part in enumerate(parts) if len(part) >= _SHORTEST_TYPO and part.isalpha()]
    for at in draw.sample(long, min(len(long), max(1, round(len(long) * _TYPOS_SHARE)))):
        word = parts[at]
        place = draw.randrange(1, len(word) - 2)
        parts[at] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join(parts)


def spaced(prompt: str, draw: random.Random) -> str:
    """Two or three blanks in place of one, here and there."""
    parts = prompt.split(" ")
    between = [" " * draw.randint(2, 3) if draw.random() < _BLANKS_SHARE else " " for _ in parts[1:]]
    if between and " " * len(between) == "".join(between):
        between[0] = "  "
    return parts[0] + "".join(blank + part for blank, part in zip(between, parts[1:], strict=True))


def drop(answer: str, others: Sequence[str], score: Callable[[str], float] | None) -> float:
    """By how many percent the answers to perturbed prompts are worse, on average; none is worse than by 100.

    With `score`, by the answers' accuracy; a first answer that was worth nothing has nothing to lose. Without, by how
    many of their words differ from the first answer's.
    """
    if score is None:
        said = words(answer)
        return PERCENT * (1 - sum(f1(words(one), said) for one in others) / len(others))
    first = score(answer)
    if not first:
        return 0.0
    return PERCENT * sum(max(0.0, first - score(one)) for one in others) / len(others) / first
