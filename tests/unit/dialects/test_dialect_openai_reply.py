"""OpenAI chat: whole replies, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import ConverseReply
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from tests.unit.dialects import dialect_conversations as make

DIALECT = OpenAIChat(clock=lambda: 1_700_000_000.5)
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
THOUGHT = ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText("hm")))


def reply_of(message: dict[str, Any], *, dialect: OpenAIChat = DIALECT, **choice: Any) -> ConverseReply:
    body = {
        "id": "x",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"} | choice],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }
    return dialect.read_reply(json.dumps(body).encode())


def blocks(reply: ConverseReply) -> list[ContentBlock]:
    return reply.output.message.content


def test_openai_reply_becomes_a_converse_reply() -> None:
    """Reasoning, text and calls in order; what came from a cache is counted apart."""
    reply = reply_of({"content": "hello", "reasoning_content": "hm", "tool_calls": [CALL]}, finish_reason="tool_calls")
    use = c.ToolUseBlock("call_1", "f", c.Raw(b'{"a": 1}'))
    assert blocks(reply) == [THOUGHT, ContentBlock(text="hello"), ContentBlock(tool_use=use)]
    assert reply.stop_reason == "tool_use"
    assert (reply.usage.input_tokens, reply.usage.cache_read_input_tokens, reply.usage.total_tokens) == (6, 4, 13)


STOPS = [
    ({"finish_reason": "stop"}, "end_turn", None),
    ({"finish_reason": "length"}, "max_tokens", None),
    ({"finish_reason": "content_filter"}, "content_filtered", None),
    ({"finish_reason": None}, "end_turn", None),
    ({"finish_reason": "stop", "stop_reason": "END"}, "stop_sequence", "END"),
    ({"finish_reason": "stop", "stop_reason": 2}, "end_turn", None),
    ({"finish_reason": "length", "stop_reason": "END"}, "max_tokens", None),
]


@pytest.mark.parametrize(("choice", "reason", "sequence"), STOPS)
def test_openai_finish_reasons_are_mapped(choice: dict[str, Any], reason: str, sequence: str | None) -> None:
    """One table holds them; vLLM's `stop_reason` tells which stop sequence it was."""
    reply = reply_of({"content": "x"}, **choice)
    assert (reply.stop_reason, reply.stop_sequence) == (reason, sequence)


def test_openai_stop_after_a_tool_call_is_tool_use() -> None:
    """Some servers say `stop` though the model called a tool."""
    assert reply_of({"content": "", "tool_calls": [CALL]}).stop_reason == "tool_use"


ARGUMENTS = [("", b"{}"), (None, b"{}"), ("null", b"{}"), ({"a": 1}, b'{"a":1}'), (' {"a":[1]} ', b'{"a":[1]}')]


@pytest.mark.parametrize(("given", "expected"), ARGUMENTS)
def test_openai_arguments_are_read_as_servers_send_them(given: Any, expected: bytes) -> None:
    """A JSON text, the object itself, or nothing."""
    reply = reply_of({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": given}}]})
    use = blocks(reply)[0].tool_use
    assert use is not None
    assert bytes(use.input) == expected


@pytest.mark.parametrize("given", ["{", "[1]", "x", 3])
def test_openai_broken_arguments_are_a_model_error(given: Any) -> None:
    """Bedrock's own text for a call that is no JSON object."""
    with pytest.raises(Fault, match="Model produced invalid sequence as part of ToolUse"):
        reply_of({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": given}}]})


@pytest.mark.parametrize(
    ("given", "kept"),
    [("call_1", True), ("a.b:c-d_e", True), ("", False), (None, False), ("a b", False), ("x" * 65, False)],
)
def test_openai_tool_ids_that_do_not_fit_are_replaced(given: str | None, kept: bool) -> None:
    """Converse allows 64 characters of a small set."""
    use = blocks(reply_of({"tool_calls": [CALL | {"id": given}]}))[0].tool_use
    assert use is not None
    if kept:
        assert use.tool_use_id == given
    else:
        assert use.tool_use_id.startswith("tooluse_")
        assert len(use.tool_use_id) == 30


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b'{"choices":[]}', b'{"error":{"message":"no"}}', b"<html>", b"\xff"]
)
def test_openai_unreadable_reply_is_a_model_error(body: bytes) -> None:
    """A reply that is none is the model's failure."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"


def test_openai_refusal_is_filtered_text() -> None:
    """A refusal is shown, and says why the turn ended."""
    reply = reply_of({"content": None, "refusal": "I can't."})
    assert (blocks(reply), reply.stop_reason) == ([ContentBlock(text="I can't.")], "content_filtered")


def test_openai_reasoning_left_in_the_text_is_parted() -> None:
    """A server without a reasoning parser leaves a tag at the head of the text."""
    thinking = OpenAIChat(head_tag="think")
    assert blocks(reply_of({"content": "<think>hm</think>\n\nhello"}, dialect=thinking)) == [
        THOUGHT,
        ContentBlock(text="hello"),
    ]
    assert blocks(reply_of({"content": "a <think>"}, dialect=thinking)) == [ContentBlock(text="a <think>")]


def test_openai_logprobs_ride_along() -> None:
    """Converse has no place for them, a native reply has."""
    logprobs = {"content": [{"token": "x", "logprob": -0.1}]}
    reply = reply_of({"content": "x"}, logprobs=logprobs)
    assert reply.additional_model_response_fields == {"logprobs": logprobs}
    assert json.loads(DIALECT.write_reply(reply, make.shown()))["choices"][0]["logprobs"] == logprobs


def test_openai_reply_is_written_as_its_sdk_reads_it() -> None:
    """The vendor's own type takes what is written, and the reader gets the same reply back."""
    reply = reply_of({"content": "hello", "reasoning_content": "hm", "tool_calls": [CALL]}, finish_reason="tool_calls")
    body = DIALECT.write_reply(reply, make.shown("qwen.qwen3-32b-v1:0"))
    completion = ChatCompletion.model_validate_json(body, strict=True)
    assert (completion.created, completion.model) == (1_700_000_000, "qwen.qwen3-32b-v1:0")
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 10
    assert DIALECT.read_reply(body) == reply


def test_openai_gpt_oss_shows_reasoning_at_the_head_of_the_text() -> None:
    """InvokeModel of gpt-oss has no member for it."""
    body = json.loads(
        DIALECT.write_reply(make.answered(THOUGHT, ContentBlock(text="hi")), make.shown("openai.gpt-oss-20b-1:0"))
    )
    message = body["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "<reasoning>hm</reasoning>hi", "refusal": None}


def test_openai_reply_with_calls_alone_has_no_content() -> None:
    """`content` is null, as clients expect beside tool calls."""
    use = ContentBlock(tool_use=c.ToolUseBlock("t", "f", c.Raw(b"{}")))
    message = json.loads(DIALECT.write_reply(make.answered(use, stop="tool_use"), make.shown()))["choices"][0][
        "message"
    ]
    assert message["content"] is None
    assert message["tool_calls"] == [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
