"""Patterns of the models: Java's meaning, and no pattern that a caller can use to burn time."""

from __future__ import annotations

import functools
import time

import pytest

from craton.aws.wire import model, pattern

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")


@functools.cache
def patterned():
    """Return {pattern: longest input} over all strings of the four services; requests are capped far above."""
    longest = {}
    for name in SERVICES:
        for shape in model.load(name).shapes.values():
            if shape.pattern and not shape.enum:
                length = int(shape.max) if shape.max is not None else 20_000
                longest[shape.pattern] = max(longest.get(shape.pattern, 0), min(length, 20_000))
    return longest


@pytest.mark.parametrize(
    ("published", "text", "accepted"),
    [
        ("a|b", "a", True),
        ("a|b", "ab", False),
        ("^a$|b", "b", True),
        ("[a-z]+", "abc\n", False),
        ("^[a-z]+$", "abc\n", False),
        (r"[a-zA-Z0-9\s]+", "a b", True),
        (r"[a-zA-Z0-9\s]+", "a\u00a0b", False),
        (r"\d+", "٣", False),
        (r"\w+", "é", False),
        (r"\p{L}[\p{L}\p{M}0-9_]*( [\p{L}\p{M}0-9_]+)*", "Größe e\u0301 数", True),
        (r"\p{L}[\p{L}\p{M}0-9_]*( [\p{L}\p{M}0-9_]+)*", "9a", False),
        (r"^\P{C}*$", "plain é😀 text", True),
        (r"^\P{C}*$", "line\nbreak", False),
        (r"[^\p{C}]*", "a\u200bb", False),
        (r"[^\p{C}]*", "", True),
        (r"\p{Lu}+", "ÀB", True),
        (r"\p{Lu}+", "à", False),
        (r"[\u0009\u000A\u000D\u0020-\u00FF]+", '{"a": "ÿ"}\n', True),
        (r"[\u0009\u000A\u000D\u0020-\u00FF]+", "Ā", False),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*", "a--b-", True),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*", "-a", False),
        (r"arn:aws:bedrock:[a-zA-Z0-9-]+:/d{12}:agent", "arn:aws:bedrock:us-east-1:123456789012:agent", True),
        (r"[a\]\\p{L}b]+", "]p{L}b", True),
    ],
)
def test_patterns_mean_what_they_mean_in_java(published, text, accepted):
    """Whole-string matching, ASCII shorthands, Unicode properties, and the published slips put right."""
    assert (pattern.compiled(published).search(text) is not None) is accepted


def test_an_unknown_property_is_an_error_of_ours():
    """A model with a property that we can not translate fails when it is compiled, not silently."""
    with pytest.raises(ValueError, match="Klingon"):
        pattern.translate(r"\p{Klingon}")


def attacks(longest):
    """Inputs that make ambiguous patterns backtrack: long runs that end in what no pattern takes."""
    for unit in (
        "a",
        "-",
        "a-",
        "-a",
        "_",
        "a_",
        ".",
        "a.",
        "0",
        ":",
        ":a",
        "/",
        "a/",
        " ",
        "a ",
        "arn:aws:bedrock:a",
        "\n",
    ):
        for prefix in (
            "",
            "a",
            "arn:aws:bedrock:us-east-1:123456789012:",
            "arn:aws:bedrock:us-east-1::foundation-model/a.",
            "s3://aaa/",
        ):
            run = (prefix + unit * (longest // len(unit) + 1))[: longest - 1]
            yield run + "\x7f"


def test_no_pattern_can_be_made_slow():
    """Every published pattern refuses hostile input of its own greatest length in well under a second."""
    slow = []
    for published, longest in patterned().items():
        compiled = pattern.compiled(published)
        for text in attacks(max(longest, 2)):
            started = time.process_time()
            compiled.search(text)
            spent = time.process_time() - started
            if spent > 0.5:
                slow.append((published, longest, text[:40], spent))
                break
    assert slow == []
