"""How hard a request is, from 0 (any model answers it well) to 1: a cheap estimate from what stands in it.

Owns the signs and their weights. Each sign adds what speaks for a harder request; a logistic curve makes a figure of
the sum, and what is below the floor counts as nothing, so that plain questions are equal for all models. It reads the
last user turn, its two ends if it is long, and of the rest only number and size. No model is asked and nothing is learned
from prompts. It must not know models, routers or HTTP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import msgspec

from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest

_READ = 4096  # letters at each end: what is wanted stands before or behind what it is wanted of
_FLOOR = 0.15
_BIAS = -3.0


class Sign(msgspec.Struct, frozen=True):
    """Something that makes a request harder (or, below 0, easier): weight per finding, most findings that count.

    `words` are whole words, `marks` stand anywhere; both in small letters.
    """

    weight: float
    most: int
    words: str = ""
    marks: tuple[str, ...] = ()


# English words; code and figures are of no language.
SIGNS = (
    # work in several steps
    Sign(
        0.9,
        4,
        "prove proof derive derivation reasoning analyze analyse analysis tradeoff tradeoffs compare contrast evaluate "
        "justify critique strategy strategies design architect architecture optimize optimise debug refactor diagnose "
        "hypothesis hypotheses implication implications complexity theorem",
        ("step by step", "step-by-step", "trade-off", "root cause", "explain why", "explain how"),
    ),
    # code, given or asked for
    Sign(
        0.45,
        5,
        "algorithm function regex sql python javascript typescript rust golang java concurrent concurrency traceback "
        "api mutex thread async def struct",
        (
            "```",
            "=>",
            "::",
            ";\n",
            "{\n",
            "#include",
            "import ",
            "class ",
            "return ",
            "c++",
            "unit test",
            "stack trace",
        ),
    ),
    # mathematics
    Sign(
        0.7,
        3,
        "integral derivative matrix eigenvalue eigenvalues probability equation polynomial modulo converge converges "
        "convergence",
        (
            "\\frac",
            "\\int",
            "\\sum",
            "\\sqrt",
            "^2",
            "^n",
            "\u2211",
            "\u222b",
            "\u221a",
            "\u2264",
            "\u2200",
            " = ",
            " * ",
        ),
    ),
    # law, medicine, money: where a mistake is dear
    Sign(0.4, 2, "contract clause liability diagnosis dosage regulation regulatory compliance audit tax"),
    # several demands at once
    Sign(
        0.25,
        6,
        "",
        ("\n- ", "\n* ", "\n\u2022 ", "\n1. ", "\n2. ", "\n3. ", "\n4. ", "\n5. ", "\n1) ", "\n2) ", "\n3) "),
    ),
    Sign(
        0.2,
        5,
        "must should ensure constraint constraints requirement requirements exactly without",
        ("at least", "at most"),
    ),
    Sign(0.2, 4, "", ("?",)),
    # what small models do well
    Sign(
        -0.6,
        3,
        "translate summarize summarise rephrase rewrite classify extract spell define list name hello hi thanks thank",
        (
            "what is",
            "who is",
            "when is",
            "when was",
            "where is",
            "capital of",
            "in one word",
            "in one line",
            "yes or no",
        ),
    ),
)
_BY_WORD = {word: index for index, sign in enumerate(SIGNS) for word in sign.words.split()}
_WORD = re.compile(r"[a-z]{2,}")
_PER_DOUBLING = 0.35  # beyond 200 letters
_SHORT = 200
_PER_TURN, _MOST_TURNS = 0.12, 8
_PER_TOOL, _MOST_TOOLS = 0.12, 8
_WORKING_WITH_TOOLS = 0.5
_MEDIA, _DOCUMENT = 0.5, 0.8
_SYSTEM_PER_DOUBLING = 0.15


def difficulty(request: ConverseRequest) -> float | None:
    """A figure from 0 to 1; None when there is nothing to judge by."""
    messages = request.messages or []
    asked = next((message for message in reversed(messages) if message.role == "user"), None)
    text = "\n".join(texts(asked)) if asked is not None else ""
    blocks = [block for message in messages for block in message.content]
    if not text and not any(block.tool_result is not None for block in blocks):
        return None
    score = _BIAS + of_text(text) + of_shape(request, messages, blocks)
    hardness = 1.0 / (1.0 + math.exp(-score))
    return max(0.0, (hardness - _FLOOR) / (1.0 - _FLOOR))


def of_text(text: str) -> float:
    """What the last user turn says: its words and marks, and its length."""
    ends = text if len(text) <= 2 * _READ else f"{text[:_READ]}\n{text[-_READ:]}"
    small = ends.lower()
    found = [0] * len(SIGNS)
    for word in _WORD.findall(small):
        index = _BY_WORD.get(word)
        if index is not None:
            found[index] += 1
    for index, sign in enumerate(SIGNS):
        found[index] += sum(map(small.count, sign.marks))
    score = sum(sign.weight * min(count, sign.most) for sign, count in zip(SIGNS, found, strict=True))
    return score + doublings(len(text)) * _PER_DOUBLING


def of_shape(request: ConverseRequest, messages: list[Message], blocks: list[ContentBlock]) -> float:
    """What the conversation around it says: turns, tools, media, the size of the system prompt."""
    tools = len(request.tool_config.tools) if request.tool_config is not None else 0
    score = _PER_TURN * min(len(messages) - 1, _MOST_TURNS) + _PER_TOOL * min(tools, _MOST_TOOLS)
    if any(block.tool_result is not None for block in blocks):
        score += _WORKING_WITH_TOOLS
    if any(block.image is not None or block.video is not None or block.audio is not None for block in blocks):
        score += _MEDIA
    if any(block.document is not None for block in blocks):
        score += _DOCUMENT
    system = sum(len(block.text) for block in request.system or () if block.text is not None)
    return score + doublings(system) * _SYSTEM_PER_DOUBLING


def texts(message: Message) -> Iterator[str]:
    for block in message.content:
        if block.text is not None:
            yield block.text
        elif block.guard_content is not None and block.guard_content.text is not None:
            yield block.guard_content.text.text


def doublings(letters: int) -> float:
    """How many times a length has doubled beyond what is short."""
    return math.log2(letters / _SHORT) if letters > _SHORT else 0.0
