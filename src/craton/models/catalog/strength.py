"""How strong a model is beside others of its family: from 0 to 1, read off its id.

Owns the reading and the curve that turns strength and difficulty into an expected quality. The number orders models of
one vendor (a haiku below a sonnet, 8b below 70b, of two alike the newer above); it is no benchmark, and figures of
different vendors are not comparable. A prompt router needs no more than that.
"""

from __future__ import annotations

import math
import re

# What vendors call their sizes, as whole words of an id. The first that is found counts, so a longer name stands first.
_SIZES: tuple[tuple[str, float], ...] = (
    ("premier", 0.84),
    ("command-light", 0.30),
    ("plus", 0.72),
    ("instant", 0.40),
    ("express", 0.40),
    ("haiku", 0.52),
    ("sonnet", 0.76),
    ("opus", 0.88),
    ("fable", 0.90),
    ("mythos", 0.94),
    ("nano", 0.34),
    ("micro", 0.36),
    ("mini", 0.42),
    ("flash", 0.50),
    ("lite", 0.48),
    ("light", 0.40),
    ("luna", 0.50),
    ("small", 0.52),
    ("scout", 0.56),
    ("medium", 0.64),
    ("maverick", 0.68),
    ("terra", 0.70),
    ("pro", 0.74),
    ("large", 0.76),
    ("jumbo", 0.70),
    ("grande", 0.60),
    ("ultra", 0.82),
    ("sol", 0.86),
    ("mid", 0.55),
)
_WORDS = tuple((re.compile(rf"(?<![a-z]){name}(?![a-z])"), value) for name, value in _SIZES)
_BILLIONS = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])")
_VERSION = re.compile(r"(?<![0-9a-z])v?(\d{1,2})(?:[-.](\d{1,2}))?(?![0-9a-z])")
_UNKNOWN = 0.60
_NEWER = 0.012  # per major version: less than between two sizes, so that it decides between equals


def strength(model_id: str) -> float:
    """A figure between 0 and 1. An id that tells neither a size nor a version is in the middle."""
    name = model_id.rpartition("/")[2].lower()
    return round(min(0.97, max(0.05, _size(name) + _NEWER * _version(name))), 4)


def quality(of_strength: float, hardness: float) -> float:
    """The expected quality of an answer in percent: all models are equal at nothing, strength counts as it gets hard."""
    return 100.0 * (1.0 - hardness * (1.0 - of_strength))


def _size(name: str) -> float:
    billions = _BILLIONS.search(name)
    if billions is not None:
        # 1B: 0.20, 8B: 0.45, 70B: 0.71, 405B: 0.92. Quality grows with the logarithm of the size.
        parameters = float(billions[2]) * float(billions[1] or 1)
        return min(0.95, 0.20 + 0.12 * math.log(max(parameters, 1.0)))
    return next((value for word, value in _WORDS if word.search(name)), _UNKNOWN)


def _version(name: str) -> float:
    """The version in the name (3.5 of `claude-3-5-sonnet`); a date or the `-v1:0` at the end is none."""
    head = re.sub(r"(-v\d+(:\d+)*(:\d+k)?|:\d+|-\d{4,8})+$", "", name.partition(".")[2] or name)
    found = _VERSION.search(head.replace("llama", "").replace("qwen", ""))
    return float(f"{found[1]}.{found[2] or 0}") if found is not None else 0.0
