"""Turns the regular expressions of AWS models (Java's dialect, matched against the whole string) into Python's.

This file owns the differences between the two dialects and the corrections of patterns that are wrong or dangerous
as published. It knows nothing of shapes. The result is for ``re.search`` and for msgspec's ``Meta(pattern=…)``.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

# Published text → what it means. The first two are slips for \d that would refuse every real ARN, the third one would
# refuse the routers that the very same service makes (its other patterns know both kinds); the others try
# exponentially many splits of a run of hyphens before they refuse, so each is replaced by an equal language.
CORRECTIONS: tuple[tuple[str, str], ...] = (
    ("/d{12}", "[0-9]{12}"),
    ("?::/d+", "?::[0-9]+"),
    (":default-prompt-router/", ":(default-)?prompt-router/"),
    (r"(-*[a-zA-Z0-9\+\-\.])*", r"[a-zA-Z0-9+.\-]*"),
    (r"(-*[a-zA-Z0-9\+\-\.]){0,63}", r"(?:-*[a-zA-Z0-9+.]){0,63}-*"),
)

_PROPERTY = re.compile(r"\\([pP])\{(\w+)\}")


@functools.cache
def translate(pattern: str) -> str:
    r"""Return a Python pattern that ``re.search`` accepts exactly where Java's ``matches()`` accepts ``pattern``.

    Shorthands (``\s``, ``\w``, ``\d``, ``\b``) are ASCII in Java, hence ``(?a)``. Whole-string anchors go around
    the pattern as a group, because many published patterns are bare alternations.
    """
    for published, meant in CORRECTIONS:
        pattern = pattern.replace(published, meant)
    return rf"(?a)\A(?:{_properties(pattern)})\Z"


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the compiled form of ``translate(pattern)``."""
    return re.compile(translate(pattern))


def _properties(pattern: str) -> str:
    r"""Replace ``\p{L}`` and its like, inside and outside of character classes."""
    parts: list[str] = []
    inside, at = False, 0
    while at < len(pattern):
        match = _PROPERTY.match(pattern, at)
        if match:
            parts.append(_class_of(match[2], negated=match[1] == "P", inside=inside))
            at = match.end()
            continue
        step = 2 if pattern[at] == "\\" else 1
        if step == 1 and pattern[at] in "[]":
            inside = pattern[at] == "["
        parts.append(pattern[at : at + step])
        at += step
    return "".join(parts)


def _class_of(name: str, *, negated: bool, inside: bool) -> str:
    ranges = _ranges()
    chosen = [body for category, body in ranges.items() if category.startswith(name) != negated]
    if not chosen or (not negated and len(name) > 2):
        raise ValueError(f"the Unicode property {name!r} is not known")
    body = "".join(chosen)
    return body if inside else f"[{body}]"


# Planes that hold assigned characters; 4–13 are unassigned (Cn), 15 and 16 are private use (Co).
_PLANES = (range(0x40000), range(0xE0000, 0xF0000))
_WHOLE_PLANES = {"Cn": r"\U00040000-\U000dffff", "Co": r"\U000f0000-\U0010ffff"}


@functools.cache
def _ranges() -> dict[str, str]:
    """Return the body of a character class for each two-letter Unicode category; ~0.1 s, once, when first needed."""
    found = {category: [body] for category, body in _WHOLE_PLANES.items()}
    for plane in _PLANES:
        at = plane.start
        for category, run in itertools.groupby(map(unicodedata.category, map(chr, plane))):
            end = at + sum(1 for _ in run) - 1
            found.setdefault(category, []).append(f"\\U{at:08x}-\\U{end:08x}")
            at = end + 1
    return {category: "".join(parts) for category, parts in found.items()}
