"""Scoring through the engine: the requests say what the conversations say, and only a right answer counts."""

from __future__ import annotations

import json
from typing import Any

from recipes.chat import served
from recipes.chat.turns import Chat, call, compact

TOOL: dict[str, Any] = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKED = Chat("tool", [("user", "Weather in Oslo?"), ("assistant", call("get_weather", {"city": "Oslo"}))], tools=[TOOL])


def said(name: str, arguments: str) -> dict[str, Any]:
    return {"content": None, "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


def test_the_wanted_answer_is_not_in_the_request() -> None:
    """The last turn is what the model has to say, so no request carries it; earlier calls travel as calls."""
    chat = Chat(
        "tool-result", [*ASKED.turns, ("tool", '{"sky":"clear"}'), ("assistant", "The sky is clear.")], tools=[TOOL]
    )
    messages = served.required(chat)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    assert "The sky is clear." not in json.dumps(messages)


def test_a_call_is_right_only_with_every_argument() -> None:
    """Another tool, another value, or arguments that were cut off are wrong."""
    assert served.right_call(ASKED, said("get_weather", '{"city": "Oslo"}'))
    assert not served.right_call(ASKED, said("get_time", '{"city": "Oslo"}'))
    assert not served.right_call(ASKED, said("get_weather", '{"city": "Rome"}'))
    assert not served.right_call(ASKED, said("get_weather", '{"city": "Os'))
    assert not served.right_call(ASKED, {"content": "Oslo"})


def test_the_schema_tells_keys_and_types_but_no_values() -> None:
    """A schema has the keys of the wanted answer in their order; a value that the text lacks may be null."""
    wanted = {"name": "Zorblat", "age": 31, "job": None}
    chat = Chat("extract", [("user", "Zorblat is 31."), ("assistant", compact(wanted))])
    schema = served.by_schema(chat)["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == schema["required"] == list(wanted)
    assert schema["properties"]["age"] == {"type": "integer"}
    assert schema["properties"]["job"] == {"type": ["string", "null"]}
    assert "Zorblat" not in json.dumps(schema)
    assert served.right_json(chat, {"content": json.dumps(wanted)})
    assert not served.right_json(chat, {"content": json.dumps({**wanted, "age": 32})})


def test_a_call_where_none_is_needed_is_wrong() -> None:
    """With tools offered and not needed, only the plain answer counts."""
    chat = Chat("tool-none", [("user", "Hello"), ("assistant", "Hello!")], tools=[TOOL])
    assert served.right_text(chat, {"content": "Hello!"})
    assert not served.right_text(chat, {**said("get_weather", "{}"), "content": "Hello!"})
