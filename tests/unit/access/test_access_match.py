"""Globs, resources and actions."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.access import match

MODEL = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2"


@pytest.mark.parametrize(
    ("pattern", "resource", "fits"),
    [
        ("*", MODEL, True),
        (MODEL, MODEL, True),
        (MODEL, MODEL + ":1", False),
        (MODEL.upper(), MODEL, False),
        ("arn:aws:bedrock:*::foundation-model/anthropic.*", MODEL, True),
        ("arn:aws:bedrock:*::foundation-model/amazon.*", MODEL, False),
        ("arn:aws:bedrock:us-*-1::foundation-model/*", MODEL, True),
        ("arn:aws:bedrock:us-*-2::foundation-model/*", MODEL, False),
        ("arn:aws:bedrock:us-east-?::foundation-model/*", MODEL, True),
        ("arn:aws:bedrock:us-e*1::foundation-model/*", "arn:aws:bedrock:us-east:1::foundation-model/x", False),
        ("arn:aws:bedrock:*:foundation-model/*", MODEL, True),
        ("arn:aws:bedrock", MODEL, True),
        ("arn:aws:bedrock:*", MODEL, True),
        ("arn:aws:s3", MODEL, False),
        ("arn:aws:bedrock:us-east-1", MODEL, True),
        ("arn:aws:bedrock:us-west-2", MODEL, False),
        ("arn:*:bedrock:*:*:*", MODEL, True),
        ("arn:aws:s3:::bucket/*/file", "arn:aws:s3:::bucket/a/b/file", True),
        ("arn:aws:s3:::bucket/?/file", "arn:aws:s3:::bucket/ab/file", False),
        ("arn:aws:s3:::bucket/home/${aws:username}/*", "arn:aws:s3:::bucket/home/bob/x", True),
        ("arn:aws:s3:::bucket/home/${aws:username}/*", "arn:aws:s3:::bucket/home/eve/x", False),
        ("arn:aws:s3:::bucket/home/${t:star}/x", "arn:aws:s3:::bucket/home/eve/x", False),
        ("arn:aws:s3:::bucket/home/${t:none}", "arn:aws:s3:::bucket/home/", False),
        ("arn:aws:s3:::${*}", "arn:aws:s3:::a", False),
        ("arn:aws:s3:::${*}", "arn:aws:s3:::*", True),
        ("arn:aws:bedrock:us-?ast-1:${t:account}:guardrail/*", "arn:aws:bedrock:us-east-1:1:guardrail/x", True),
        ("arn:aws:bedrock:us-?ast-1:${t:account}:guardrail/*", "arn:aws:bedrock:us-east-1:2:guardrail/x", False),
    ],
)
def test_resources(pattern, resource, fits) -> None:
    """Resources are matched with case; a field's last star may pass its colon, other wildcards stay in their field."""
    keys = {"aws:username": "bob", "t:star": "*", "t:account": "1"}
    assert match.resource(pattern, variables=True).matches(resource, keys) is fits


@pytest.mark.parametrize(
    ("names", "action", "fits"),
    [
        (["bedrock:InvokeModel"], "bedrock:invokemodel", True),
        (["BEDROCK:invokeMODEL"], "bedrock:invokemodel", True),
        (["bedrock:Invoke*"], "bedrock:invokemodelwithresponsestream", True),
        (["bedrock:InvokeModel"], "bedrock:invokemodelwithresponsestream", False),
        (["bedrock:*Guardrail"], "bedrock:applyguardrail", True),
        (["bedrock:List?ags*"], "bedrock:listtagsforresource", True),
        (["s3:*", "bedrock:Get*"], "bedrock:invokemodel", False),
        (["*"], "kms:decrypt", True),
    ],
)
def test_actions(names, action, fits) -> None:
    """Actions are matched without case; NotAction is the opposite."""
    assert match.Actions(names).matches(action) is fits
    assert match.Actions(names, negated=True).matches(action) is not fits


PIECES = st.lists(st.sampled_from(["*", "?", "a", "b", "ab", ":", "."]), max_size=8).map("".join)
TEXTS = st.text(alphabet="ab:.\n", max_size=10)


@settings(max_examples=500, deadline=None)
@given(PIECES, TEXTS)
def test_globs_agree_with_expressions(pattern, text) -> None:
    """The linear matcher says what the obvious regular expression says."""
    expression = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern)
    expected = re.fullmatch(expression, text, re.DOTALL) is not None
    glob = match.glob(pattern)
    assert glob.matches(text, {}) is expected
    if expected:
        assert text.startswith(glob.prefix)


@settings(max_examples=300, deadline=None)
@given(PIECES, TEXTS)
def test_resources_agree_with_their_prefix(pattern, text) -> None:
    """Whatever fits a resource's pattern begins with its prefix: the index relies on it."""
    found = match.resource(f"arn:{pattern}")
    full = f"arn:{text}"
    if found.matches(full, {}):
        assert full.startswith(found.prefix)


def test_a_hostile_pattern_costs_little() -> None:
    """A pattern of a thousand stars against a long text that almost fits is decided at once."""
    glob = match.glob("*a" * 1000 + "*?b")
    began = time.process_time()
    assert not glob.matches("a" * 2000 + "c", {})
    # An expression with these stars would not end within the universe's life.
    assert time.process_time() - began < 2
