"""Resource names fall into their parts, and what is none is told apart from one."""

from __future__ import annotations

import pytest

from craton.aws import arn


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1",
            "foundation-model",
            "anthropic.claude-v2:1",
        ),
        ("arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:2", "prompt", "ABCDEFGHIJ:2"),
        ("arn:aws:bedrock:us-east-1:123456789012:flow/A/alias/B", "flow", "A/alias/B"),
        ("arn:aws:bedrock::123456789012:system-tool/x", "system-tool", "x"),
        ("arn:aws:bedrock:::foundation-model/x", "foundation-model", "x"),
        ("arn:aws:s3:::bucket", "bucket", ""),
        ("arn:aws:lambda:us-east-1:123456789012:function:f:1", "function", "f:1"),
        ("arn:aws-us-gov:iam::123456789012:role/path/r", "role", "path/r"),
        ("arn:aws:iam::aws:policy/AdministratorAccess", "policy", "AdministratorAccess"),
    ],
)
def test_names_come_back_as_they_were(text, kind, name):
    """Parsing and formatting are inverse; type and id split at the first slash or colon."""
    parsed = arn.parse(text)
    assert parsed is not None
    assert (str(parsed), parsed.type, parsed.id) == (text, kind, name)


@pytest.mark.parametrize(
    "text",
    [
        "", "anthropic.claude-v2", "arn:aws:bedrock", "arn:aws:bedrock:us-east-1:12345:x/y", "arn:aws:bedrock:us-east-1:123456789012:",
        "arn:other:bedrock:us-east-1:123456789012:x/y", "arn:aws:bedrock:US:123456789012:x/y", "arn:aws:s3:::a\nb", "xarn:aws:s3:::b",
        "arn:aws:bedrock:us-east-1:١٢٣٤٥٦٧٨٩٠١٢:x/y", "arn:aws:s3:::" + "x" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_name_is_none(text):
    """An id, a fragment, other digits, a line break: None, never an exception."""
    assert arn.parse(text) is None


def test_only_real_names_are_made():
    """A part that would break the name is an error of the caller's."""
    made = arn.make("bedrock", "us-east-1", "000000000000", "guardrail/abc")
    assert made == "arn:aws:bedrock:us-east-1:000000000000:guardrail/abc"
    with pytest.raises(ValueError, match="not an ARN"):
        arn.make("bedrock", "us-east-1", "12", "guardrail/abc")
