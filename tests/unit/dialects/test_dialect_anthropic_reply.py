"""Anthropic Messages: whole replies and streams, both ways."""

from __future__ import annotations

import json
from typing import Any

import anthropic.types
import pytest
from pydantic import TypeAdapter

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import events as e
from craton.models.canon.content import ContentBlock
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import CacheDetail, Metrics, usage
from craton.models.dialects.anthropic_messages.dialect import AnthropicMessages
from tests.unit.dialects import dialect_conversations as make

DIALECT = AnthropicMessages()
REPLY: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "hello"},
        {"type": "text", "text": "as said", "citations": [
            {"type": "char_location", "cited_text": "q", "document_index": 0, "document_title": "d", "start_char_index": 0, "end_char_index": 1},
        ]},
        {"type": "brand_new_block", "x": 1},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use", "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2,
              "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 0}, "service_tier": "standard"},
}  # fmt: skip


def test_anthropic_reply_becomes_a_converse_reply() -> None:
    """Blocks, stop reason and tokens, cache included; a block of an unknown type is left out."""
    reply = DIALECT.read_reply(json.dumps(REPLY).encode())
    kinds = [block.kind for block in reply.output.message.content]
    assert kinds == ["reasoningContent", "text", "citationsContent", "toolUse"]
    assert reply.stop_reason == "tool_use"
    assert reply.usage.total_tokens == 17
    assert reply.usage.cache_details == [CacheDetail("5m", 2)]


STOPS = [("end_turn", "end_turn"), ("refusal", "content_filtered"), ("pause_turn", "end_turn"), ("max_tokens", "max_tokens"),
         ("model_context_window_exceeded", "model_context_window_exceeded"), ("new_reason", "end_turn")]  # fmt: skip


@pytest.mark.parametrize(("native", "canonical"), STOPS)
def test_anthropic_stop_reasons_are_mapped(native: str, canonical: str) -> None:
    """One table holds them; what is not in it ended the turn."""
    assert DIALECT.read_reply(json.dumps(REPLY | {"stop_reason": native}).encode()).stop_reason == canonical


def test_anthropic_reply_is_written_as_its_sdk_reads_it() -> None:
    """The vendor's own types take what is written, ids and names in Bedrock's form."""
    reply = DIALECT.read_reply(json.dumps(REPLY).encode())
    reply.stop_reason, reply.stop_sequence = "stop_sequence", "END"
    body = DIALECT.write_reply(reply, make.shown("us.anthropic.claude-3-5-sonnet-20240620-v1:0"))
    message = TypeAdapter(anthropic.types.Message).validate_json(body)
    assert message.id.startswith("msg_bdrk_")
    assert message.model == "claude-3-5-sonnet-20240620"
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert [block.type for block in message.content] == ["thinking", "text", "text", "tool_use"]
    assert DIALECT.read_reply(body) == reply


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"content":[{"type":"text"', b'{"type":"error"}', b"\xff"])
def test_anthropic_unreadable_reply_is_a_model_error(body: bytes) -> None:
    """A reply that is none is the model's failure, not the caller's."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"


STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "c",
     "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1, "cache_read_input_tokens": 4}}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "abc="}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "hé"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "llo\n"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation":
        {"type": "page_location", "cited_text": "q", "document_index": 0, "document_title": "d", "start_page_number": 1, "end_page_number": 2}}},
    {"type": "content_block_stop", "index": 2},
    {"type": "content_block_start", "index": 3, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}},
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
    {"type": "content_block_stop", "index": 3},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]  # fmt: skip


def events_of(stream: list[dict[str, Any]]) -> list[StreamEvent]:
    reader = DIALECT.reader()
    found = [event for piece in stream for event in reader.feed(json.dumps(piece).encode(), piece["type"])]
    return found + reader.close()


def thought(**member: Any) -> Delta:
    return Delta(reasoning_content=e.ReasoningDelta(**member))


def test_anthropic_stream_becomes_converse_events() -> None:
    """Every block kind in order, the usage of start and end added up, pings left out."""
    cited = e.CitationDelta(
        "d", None, [e.SourceText("q")], c.CitationLocation(document_page=c.DocumentLocation(0, 1, 2))
    )
    assert events_of(STREAM) == [
        e.MessageStart("assistant"),
        BlockDelta(thought(text="hm"), 0),
        BlockDelta(thought(signature="sig"), 0),
        BlockStop(0),
        BlockDelta(thought(redacted_content=b"abc="), 1),
        BlockStop(1),
        e.text_delta("hé", 2),
        e.text_delta("llo\n", 2),
        BlockDelta(Delta(citation=cited), 2),
        BlockStop(2),
        BlockStart(e.Start(tool_use=e.ToolUseStart("toolu_1", "f")), 3),
        BlockDelta(Delta(tool_use=e.ToolUseDelta("")), 3),
        BlockDelta(Delta(tool_use=e.ToolUseDelta('{"a":')), 3),
        BlockDelta(Delta(tool_use=e.ToolUseDelta("1}")), 3),
        BlockStop(3),
        e.MessageStop("tool_use"),
        e.StreamMetadata(usage(7, 9, 4), Metrics(0)),
    ]


def test_anthropic_stream_is_written_as_its_sdk_reads_it() -> None:
    """The vendor's own event types take each chunk, and the reader gets the same events back."""
    events = events_of(STREAM)
    writer = DIALECT.writer(make.shown("anthropic.claude-3-haiku-20240307-v1:0"))
    chunks = [chunk for event in events for chunk in writer.write(event)] + writer.finish(make.METRICS)
    adapter: TypeAdapter[Any] = TypeAdapter(anthropic.types.RawMessageStreamEvent)
    kinds = [adapter.validate_json(chunk).type for chunk in chunks]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert json.loads(chunks[-1])["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 3
    assert events_of([json.loads(chunk) for chunk in chunks]) == events


def test_anthropic_door_stream_ends_without_metrics() -> None:
    """For an Anthropic-shaped door the last chunk is a bare `message_stop`."""
    writer = DIALECT.writer(make.shown())
    assert writer.finish(None) == [b'{"type":"message_stop"}']


def test_anthropic_vendor_tool_results_stream_both_ways() -> None:
    """The result of a tool that runs at the vendor comes whole, under its own type."""
    stream = [
        STREAM[0],
        {"type": "content_block_start", "index": 0, "content_block":
            {"type": "web_search_tool_result", "tool_use_id": "srv", "content": [{"url": "u"}]}},
        {"type": "content_block_stop", "index": 0},
        *STREAM[-2:],
    ]  # fmt: skip
    events = events_of(stream)
    start = e.ToolResultStart("srv", "web_search_tool_result")
    assert events[1:4] == [
        BlockStart(e.Start(tool_result=start), 0),
        BlockDelta(Delta(tool_result=[e.ToolResultDelta(json=c.Raw(b'[{"url": "u"}]'))]), 0),
        BlockStop(0),
    ]
    writer = DIALECT.writer(make.shown())
    chunks = [json.loads(chunk) for event in events for chunk in writer.write(event)]
    assert chunks[1:3] == stream[1:3]


def test_anthropic_stream_leaves_out_blocks_of_the_future() -> None:
    """A block of an unknown type goes with its deltas; the rest arrives."""
    strange = {"type": "content_block_start", "index": 0, "content_block": {"type": "brand_new", "x": 1}}
    late = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "?"}}
    found = events_of([STREAM[0], strange, late, {"type": "content_block_stop", "index": 0}, *STREAM[-2:]])
    assert found == [
        e.MessageStart("assistant"),
        e.MessageStop("tool_use"),
        e.StreamMetadata(usage(7, 9, 4), Metrics(0)),
    ]


ERRORS = [
    ("overloaded_error", "ServiceUnavailableException"),
    ("rate_limit_error", "ThrottlingException"),
    ("invalid_request_error", "ValidationException"),
    ("api_error", "ModelStreamErrorException"),
]


@pytest.mark.parametrize(("kind", "name"), ERRORS)
def test_anthropic_error_events_become_faults(kind: str, name: str) -> None:
    """An error inside the stream is raised by its kind."""
    with pytest.raises(Fault) as caught:
        events_of([STREAM[0], {"type": "error", "error": {"type": kind, "message": "no"}}])
    assert caught.value.name == name


@pytest.mark.parametrize("cut", [0, 1, 9, len(STREAM) - 1])
def test_anthropic_stream_without_its_end_is_an_error(cut: int) -> None:
    """Only `message_stop` ends a stream."""
    with pytest.raises(Fault) as caught:
        events_of(STREAM[:cut])
    assert caught.value.name == "ModelStreamErrorException"


@pytest.mark.parametrize("piece", [b"", b"{", b"[]", b"\xff", b"[" * 10_000])
def test_anthropic_unreadable_piece_is_an_error(piece: bytes) -> None:
    """Half an event or rubbish is the model's failure."""
    with pytest.raises(Fault) as caught:
        DIALECT.reader().feed(piece)
    assert caught.value.name == "ModelStreamErrorException"


def test_anthropic_empty_block_is_opened_and_closed() -> None:
    """A block that was stopped without a delta is an empty text."""
    writer = DIALECT.writer(make.shown())
    assert [json.loads(chunk)["type"] for chunk in writer.write(BlockStop(0))] == [
        "content_block_start",
        "content_block_stop",
    ]


def test_anthropic_reply_of_another_model_is_shown_whole() -> None:
    """Reasoning without a signature is shown to the caller, with an empty one."""
    block = ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText("hm")))
    body = json.loads(DIALECT.write_reply(make.answered(block), make.shown()))
    assert body["content"] == [{"type": "thinking", "thinking": "hm", "signature": ""}]
