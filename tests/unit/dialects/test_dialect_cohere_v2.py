"""Cohere's second chat API: bodies, replies and streams, both ways."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import events as e
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.cohere_chat_v2.dialect import CohereChatV2
from tests.unit.dialects import dialect_conversations as make

DIALECT = CohereChatV2()


def document(name: str, text: str) -> ContentBlock:
    return ContentBlock(document=c.DocumentBlock(name, c.DocumentSource(text=text)))


documents = st.lists(st.builds(document, make.names, make.texts), max_size=2)
spoken = st.lists(st.one_of(make.text(), make.image()), min_size=1, max_size=2)
results = st.lists(
    make.tool_result(
        st.one_of(
            make.texts.map(lambda t: c.ToolResultContent(text=t)),
            make.raw_objects.map(lambda v: c.ToolResultContent(json=v)),
        ),
        st.none(),
    ),
    max_size=2,
)
user = st.builds(lambda answers, words: answers + words, results, spoken)
said = st.builds(
    lambda thoughts, words: thoughts + words,
    st.lists(make.reasoning(signed=False), max_size=1),
    st.lists(make.text(), min_size=1, max_size=2),
)
called = st.builds(
    lambda thoughts, plan, calls: thoughts + plan + calls,
    st.lists(make.reasoning(signed=False), max_size=1),
    st.lists(make.text(), max_size=1),
    st.lists(make.tool_use(), min_size=1, max_size=2),
)


def last_with(messages: list[Message], given: list[ContentBlock]) -> list[Message]:
    messages[-1].content[:0] = given
    return messages


def choices(_name: str) -> list[r.ToolChoice | None]:
    return [None, r.ToolChoice(any=r.Chosen())]


def alike(config: r.ToolConfig | None) -> r.ToolConfig | None:
    """The schema has one strictness for all tools."""
    for tool in config.tools if config is not None else ():
        assert tool.tool_spec is not None
        tool.tool_spec.strict = config.tools[0].tool_spec.strict  # type: ignore[union-attr]
    return config


requests = st.builds(
    ConverseRequest,
    messages=st.builds(last_with, make.turns(user, said | called), documents),
    system=st.none() | make.texts.map(lambda t: [r.SystemBlock(text=t)]),
    inference_config=st.builds(
        InferenceConfig,
        st.integers(1, 4096),
        st.none() | make.fractions,
        st.none() | st.floats(0.01, 0.99),
        st.none() | st.lists(make.texts, min_size=1, max_size=3),
    ),
    tool_config=make.tool_config(choices).map(alike),
    output_config=st.none()
    | make.objects.map(
        lambda schema: r.OutputConfig(
            r.TextFormat(
                "json_schema",
                r.FormatStructure(r.JsonSchema(json.dumps(schema, separators=(",", ":"), ensure_ascii=False))),
            )
        )
    ),
    additional_model_request_fields=st.none()
    | st.fixed_dictionaries(
        {"k": st.integers(0, 500)},
        optional={
            "safety_mode": st.just("OFF"),
            "thinking": st.just({"type": "enabled", "token_budget": 9}),
            "seed": st.just(1),
        },
    ),
)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_cohere_v2_reads_back_what_it_writes(request: ConverseRequest) -> None:
    """Every request that the schema can carry survives the way out and in, with an empty ledger."""
    out = make.outgoing()
    assert DIALECT.read_request(DIALECT.write_request(request, out)) == request
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


FULL: dict[str, Any] = {
    "model": "upstream",
    "stream": False,
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [
            {"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
        {"role": "assistant", "tool_plan": "I look", "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]},
        {"role": "tool", "tool_call_id": "t1", "content": [{"type": "document", "document": {"data": {"b": 2}}}]},
    ],
    "max_tokens": 9, "temperature": 0.5, "p": 0.9, "stop_sequences": ["x"],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "description": "d"}}],
    "strict_tools": True,
    "tool_choice": "REQUIRED",
    "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
    "k": 5, "seed": 3, "citation_options": {"mode": "OFF"},
}  # fmt: skip


def test_cohere_v2_writes_back_the_body_it_read() -> None:
    """A vendor's body comes out as it went in."""
    out = make.outgoing()
    assert json.loads(DIALECT.write_request(DIALECT.read_request(json.dumps(FULL).encode()), out)) == FULL
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


def test_cohere_v2_stream_is_asked_for_in_the_body() -> None:
    """`stream` says which of the two is wanted; Cohere's reference calls it required."""
    for stream in (True, False):
        assert json.loads(DIALECT.write_request(make.asked(), make.outgoing(stream=stream)))["stream"] is stream


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "#: required key [messages] not found"),
        ({"messages": []}, "#/messages: expected minimum item count: 1, found: 0"),
        ({"messages": [{"role": "bot"}]}, "#/messages/0/role: bot is not a valid enum value"),
        ({"messages": [{"role": "user", "content": "x"}], "p": 1}, "#/p: 1 is not less or equal to 0.99"),
    ],
)
def test_cohere_v2_bad_bodies_get_bedrocks_words(body: dict[str, Any], message: str) -> None:
    """A body that does not fit is a ValidationException that says where."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_request(json.dumps(body).encode())
    assert message in caught.value.message


def test_cohere_v2_enters_what_it_cannot_carry() -> None:
    """One chosen tool is emulated, signed reasoning and sounds are dropped, a failed call is said in words."""
    spec = r.ToolSpec("f", r.InputSchema(Raw(b"{}")))
    other = r.ToolSpec("g", r.InputSchema(Raw(b"{}")))
    request = ConverseRequest(
        messages=[
            Message(
                "user", [ContentBlock(audio=c.AudioBlock("wav", c.MediaSource(bytes=b"x"))), ContentBlock(text="a")]
            ),
            Message(
                "assistant",
                [ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText("hm", "sig")))],
            ),
            Message(
                "user",
                [ContentBlock(tool_result=c.ToolResultBlock("t", [c.ToolResultContent(text="no")], "error"))],
            ),
        ],
        inference_config=InferenceConfig(top_p=1.0),
        tool_config=r.ToolConfig(
            [r.Tool(tool_spec=spec), r.Tool(tool_spec=other)], r.ToolChoice(tool=r.ChosenTool("g"))
        ),
        output_config=r.OutputConfig(effort="low"),
        additional_model_request_fields={"thinking": {"type": "enabled", "budget_tokens": 99}, "min_p": 0.1},
    )
    out = make.outgoing()
    body = json.loads(DIALECT.write_request(request, out))
    assert out.ledger.dropped == [
        "messages.0.content.0.audio",
        "messages.1.content.0.reasoningContent",
        "outputConfig.effort",
        "additionalModelRequestFields.min_p",
    ]
    assert out.ledger.emulated == [
        "messages.2.content.0.toolResult.status",
        "inferenceConfig.topP",
        "toolConfig.toolChoice.tool",
        "additionalModelRequestFields.thinking",
    ]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
    assert (body["tool_choice"], body["p"]) == ("REQUIRED", 0.99)
    assert body["thinking"] == {"type": "enabled", "token_budget": 99}


REPLY: dict[str, Any] = {
    "id": "8a1c2b3d-0000-1111-2222-333344445555",
    "finish_reason": "TOOL_CALL",
    "message": {
        "role": "assistant",
        "tool_plan": "I look",
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        "content": [{"type": "thinking", "thinking": "hm"}],
        "citations": [{"start": 0, "end": 2, "text": "hm"}],
    },
    "usage": {
        "billed_units": {"input_tokens": 7.0, "output_tokens": 3.0},
        "tokens": {"input_tokens": 7.0, "output_tokens": 3.0},
    },
}


def test_cohere_v2_reply_both_ways() -> None:
    """Thoughts, plan, calls, citations and usage survive the way in and out."""
    reply = DIALECT.read_reply(json.dumps(REPLY).encode())
    assert [block.kind for block in reply.output.message.content] == ["reasoningContent", "text", "toolUse"]
    assert (reply.stop_reason, reply.usage) == ("tool_use", usage(7, 3))
    assert json.loads(DIALECT.write_reply(reply, make.shown())) == REPLY


@pytest.mark.parametrize("body", [b"", b"{}", b'{"finish_reason":"ERROR","message":{}}'])
def test_cohere_v2_replies_that_are_none(body: bytes) -> None:
    """Rubbish, and a reply that says that it failed, is a ModelErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"


blocks_of_a_stream = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.lists(make.texts, min_size=1, max_size=3)),
        st.tuples(st.just("thought"), st.lists(make.texts, min_size=1, max_size=2)),
        st.tuples(st.just("call"), st.lists(make.texts, min_size=1, max_size=2)),
    ),
    min_size=1,
    max_size=4,
).filter(lambda blocks: all(one[0] != two[0] or one[0] == "call" for one, two in itertools.pairwise(blocks)))


def events_of(blocks: list[tuple[str, list[str]]]) -> list[StreamEvent]:
    events: list[StreamEvent] = [e.MessageStart("assistant")]
    for place, (kind, pieces) in enumerate(blocks):
        if kind == "call":
            events.append(BlockStart(e.Start(tool_use=e.ToolUseStart(f"t{place}", "f")), place))
        for piece in pieces:
            if kind == "text":
                delta = Delta(piece)
            elif kind == "thought":
                delta = Delta(reasoning_content=e.ReasoningDelta(text=piece))
            else:
                delta = Delta(tool_use=e.ToolUseDelta(piece))
            events.append(BlockDelta(delta, place))
        events.append(BlockStop(place))
    return [*events, e.MessageStop("end_turn"), e.StreamMetadata(usage(7, 3), Metrics(0))]


@settings(max_examples=100, deadline=None)
@given(blocks_of_a_stream)
def test_cohere_v2_stream_reads_back_what_it_writes(blocks: list[tuple[str, list[str]]]) -> None:
    """Events written as chunks are read as the same events, and only the last chunk has the metrics."""
    events = events_of(blocks)
    writer, reader = DIALECT.writer(make.shown()), DIALECT.reader()
    chunks = [chunk for event in events for chunk in writer.write(event)] + writer.finish(make.METRICS)
    assert [event for chunk in chunks for event in reader.feed(chunk)] + reader.close() == events
    assert ["amazon-bedrock-invocationMetrics" in json.loads(chunk) for chunk in chunks] == [False] * (
        len(chunks) - 1
    ) + [True]


def vendor(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, **members}).encode()


def message(**members: Any) -> dict[str, Any]:
    return {"delta": {"message": members}}


def test_cohere_v2_stream_as_the_vendor_sends_it() -> None:
    """A plan, a call in pieces, a citation, and everything that has no meaning here."""
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
    given = [
        vendor("message-start", id="x", delta={"message": empty}),
        vendor("tool-plan-delta", **message(tool_plan="I ")),
        vendor("tool-plan-delta", **message(tool_plan="look")),
        vendor("citation-start", index=0, **message(citations={"start": 0, "end": 1})),
        vendor("citation-end", index=0),
        vendor("tool-call-start", index=0, **message(tool_calls=call)),
        vendor("tool-call-delta", index=0, **message(tool_calls={"function": {"arguments": '{"a"'}})),
        vendor("tool-call-delta", index=0, **message(tool_calls={"function": {"arguments": ":1}"}})),
        vendor("tool-call-end", index=0),
        vendor("debug", prompt="p"),
        vendor("message-end", delta={"finish_reason": "TOOL_CALL", "usage": REPLY["usage"]}),
    ]
    reader = DIALECT.reader()
    events = [event for data in given for event in reader.feed(data)]
    assert events == [
        e.MessageStart("assistant"),
        BlockDelta(Delta("I "), 0),
        BlockDelta(Delta("look"), 0),
        BlockStop(0),
        BlockStart(e.Start(tool_use=e.ToolUseStart("t1", "f")), 1),
        BlockDelta(Delta(tool_use=e.ToolUseDelta('{"a"')), 1),
        BlockDelta(Delta(tool_use=e.ToolUseDelta(":1}")), 1),
        BlockStop(1),
        e.MessageStop("tool_use", {"citations": [{"start": 0, "end": 1}]}),
        e.StreamMetadata(usage(7, 3), Metrics(0)),
    ]
    assert reader.feed(b"[DONE]") == reader.close() == []


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        vendor("message-end", delta={"finish_reason": "ERROR", "error": "broke"}),
        vendor("tool-call-start", index=0, **message(tool_calls={"id": "t"})),
        vendor("tool-call-delta", index=0, **message(tool_calls={"function": {"arguments": "{"}})),
    ],
)
def test_cohere_v2_streams_that_break(data: bytes) -> None:
    """Rubbish, the vendor's own error and calls without a name raise ModelStreamErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.reader().feed(data)
    assert caught.value.name == "ModelStreamErrorException"


def test_cohere_v2_stream_that_is_cut() -> None:
    """Without its last event a stream is not complete."""
    reader = DIALECT.reader()
    reader.feed(vendor("content-delta", index=0, **message(content={"text": "Hel"})))
    with pytest.raises(Fault):
        reader.close()
