"""A tool call that the limit of tokens cut short: an empty input and the stop reason, as Claude has it on Bedrock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.models.dialects.all import dialect_named

CUT = '{"city": "Par'


def chat(finish: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": CUT}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def responses(status: str) -> dict[str, Any]:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": CUT}
    return {"id": "resp_1", "object": "response", "status": status, "output": [item], "usage": None}


def cohere(finish: str) -> dict[str, Any]:
    call = {"id": "look_1", "type": "function", "function": {"name": "look", "arguments": CUT}}
    return {"id": "x", "finish_reason": finish, "message": {"role": "assistant", "tool_calls": [call]}}


CASES = [
    ("openai.chat", chat("length"), chat("tool_calls")),
    ("ai21.jamba", chat("length"), chat("tool_calls")),
    ("openai.responses", responses("incomplete"), responses("completed")),
    ("cohere.chat-v2", cohere("MAX_TOKENS"), cohere("TOOL_CALL")),
]


@pytest.mark.parametrize(("name", "cut", "whole"), CASES, ids=[case[0] for case in CASES])
def test_a_call_that_was_cut_has_no_input(name: str, cut: dict[str, Any], whole: dict[str, Any]) -> None:
    """The program learns from the stop reason that it must ask for more; a whole reply with such a call is a fault."""
    dialect = dialect_named(name)
    assert dialect is not None
    reply = dialect.read_reply(json.dumps(cut).encode())
    use = reply.output.message.content[-1].tool_use
    assert use is not None
    assert (reply.stop_reason, use.name, bytes(use.input)) == ("max_tokens", "look", b"{}")
    with pytest.raises(Fault, match="invalid sequence as part of ToolUse"):
        dialect.read_reply(json.dumps(whole).encode())
