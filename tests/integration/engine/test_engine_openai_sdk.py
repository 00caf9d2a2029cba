"""OpenAI's own client, unchanged, against the engine on a TCP port."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.integration.engine.engine_process import TINY

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 6}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
MESSAGES = [{"role": "user", "content": "the weather in Paris"}]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    command = [sys.executable, "-m", "craton.engine", "--model", str(TINY), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = process.stderr.readline().partition("address=")[2].split()[0]
        assert "state=ready" in process.stderr.readline()
        yield openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        process.terminate()


def test_whole_and_streamed_chats(client: Any) -> None:
    """The client parses both, and they say the same."""
    asked = {"model": "craton.test-tiny-v1:0", "messages": MESSAGES, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_streamed_tool_calls_accumulate(client: Any) -> None:
    """The client's stream helper puts a call together."""
    asked = {"messages": MESSAGES, "tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
    with client.chat.completions.stream(model="craton.test-tiny-v1:0", max_tokens=200, seed=1, **asked) as stream:
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}


def test_models_and_errors(client: Any) -> None:
    """Errors are the client's own classes, with their parameter."""
    assert client.models.list().data[0].id == "craton.test-tiny-v1:0"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="craton.test-tiny-v1:0", messages=MESSAGES, temperature=9)
    assert refused.value.param == "temperature"
