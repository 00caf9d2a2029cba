"""The estimate of a request's input: near enough for a reservation, whatever the request holds."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from craton.features.inference.quotas.token_estimate import input_tokens
from craton.models.canon.request import ConverseRequest

DATA = base64.b64encode(b"x" * 400_000).decode()


def estimate(*content: dict[str, Any], **more: Any) -> int:
    body = {"messages": [{"role": "user", "content": list(content)}], **more}
    return input_tokens(msgspec.json.decode(msgspec.json.encode(body), type=ConverseRequest))


@pytest.mark.parametrize(
    ("content", "least", "most"),
    [
        ({"text": "word " * 100}, 100, 150),
        ({"text": "語" * 100}, 70, 150),
        ({"image": {"format": "png", "source": {"bytes": DATA}}}, 1000, 2000),
        ({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/a"}}}}, 1000, 10_000),
        ({"document": {"name": "a", "format": "pdf", "source": {"bytes": DATA}}}, 10_000, 40_000),
        ({"document": {"name": "a", "format": "txt", "source": {"text": "word " * 100}}}, 100, 150),
        ({"toolResult": {"toolUseId": "t", "content": [{"json": {"a": "b" * 400}}]}}, 100, 130),
        ({"toolResult": {"toolUseId": "t", "content": [{"text": "b" * 400}]}}, 100, 130),
        ({"toolUse": {"toolUseId": "t", "name": "n", "input": {"a": "b" * 400}}}, 100, 130),
    ],
)
def test_a_block_counts_about_what_it_costs(content: dict[str, Any], least: int, most: int) -> None:
    """Text by its bytes, media by a usual size, never by their base64."""
    assert least <= estimate(content) <= most


def test_system_prompt_and_tools_count() -> None:
    """They are input like the messages."""
    tool = {"toolSpec": {"name": "n", "description": "d" * 400, "inputSchema": {"json": {"x": "y" * 400}}}}
    alone = estimate({"text": "Hello"})
    assert estimate({"text": "Hello"}, system=[{"text": "s" * 400}]) == alone + 100
    assert alone + 200 <= estimate({"text": "Hello"}, toolConfig={"tools": [tool]}) <= alone + 210
