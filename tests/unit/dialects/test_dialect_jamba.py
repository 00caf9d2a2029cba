"""AI21's Jamba, both ways."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from craton.aws.wire.faults import Fault
from craton.models.canon import content as canon
from craton.models.canon.content import ContentBlock, Message, ToolResultBlock, ToolResultContent, ToolUseBlock
from craton.models.canon.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Delta,
    MessageStart,
    MessageStop,
    Start,
    StreamEvent,
    StreamMetadata,
    ToolUseDelta,
    ToolUseStart,
    text_delta,
)
from craton.models.canon.reply import Metrics, assistant_reply, usage
from craton.models.canon.request import (
    Chosen,
    ConverseRequest,
    InferenceConfig,
    InputSchema,
    SystemBlock,
    Tool,
    ToolChoice,
    ToolConfig,
    ToolSpec,
)
from craton.models.dialects.ai21_jamba import AI21Jamba
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Ledger, Outgoing, Shown

DIALECT: Dialect = AI21Jamba()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool(tool_spec=ToolSpec("weather", InputSchema(json=Raw(msgspec.json.encode(SCHEMA))), "The weather"))


def said(role: Any, text: str) -> Message:
    return Message(role, [ContentBlock(text=text)])


def use(tool_use_id: str = "call-1", city: str = "Rome") -> ContentBlock:
    given = Raw(msgspec.json.encode({"city": city}))
    return ContentBlock(tool_use=ToolUseBlock(tool_use_id, "weather", given))


def result(*parts: ToolResultContent, tool_use_id: str = "call-1", status: Any = None) -> ContentBlock:
    return ContentBlock(tool_result=ToolResultBlock(tool_use_id, list(parts), status))


def shown() -> Shown:
    return Shown("ai21.jamba-1-5-mini-v1:0", ConverseRequest(), "r-1")


def out(ledger: Ledger, **quirks: object) -> Outgoing:
    return Outgoing("jamba-mini", stream=True, ledger=ledger, quirks=quirks)


def write(request: ConverseRequest, **quirks: object) -> tuple[dict[str, Any], Ledger]:
    ledger = Ledger()
    return json.loads(DIALECT.write_request(request, out(ledger, **quirks))), ledger


def read(**body: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(body).encode())


def as_json(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_a_body_becomes_a_conversation() -> None:
    """Messages, parameters and extra fields each find their place."""
    request = read(
        messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}],
        max_tokens=9,
        temperature=1.5,
        top_p=1,
        stop="#",
        n=2,
        frequency_penalty=0.5,
    )
    assert request.system == [SystemBlock(text="s")]
    assert request.messages == [said("user", "hi")]
    assert request.inference_config == InferenceConfig(9, None, 1, ["#"])
    assert request.additional_model_request_fields == {"n": 2, "frequency_penalty": 0.5, "temperature": 1.5}


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [messages] not found"),
        ({"messages": []}, "#/messages: expected minimum item count: 1, found: 0"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "#/messages/0/role: bot is not a valid enum value"),
        (
            {"messages": [{"role": "user", "content": []}]},
            "#/messages/0/content: expected type: String, found: JSONArray",
        ),
        (
            {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5000},
            "#/max_tokens: 5000 is not less or equal to 4096",
        ),
        ({"messages": [{"role": "user", "content": "x"}], "top_k": 1}, "#: extraneous key [top_k] is not permitted"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    with pytest.raises(Fault) as caught:
        read(**body)
    assert caught.value.message == f"Malformed input request: {violation}, please reformat your input and try again."


def test_a_stream_has_one_answer() -> None:
    """Several answers and a stream exclude each other."""
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], "n": 2}).encode()
    with pytest.raises(Fault) as caught:
        DIALECT.read_request(body, streaming=True)
    assert "#/n: 2 is not less or equal to 1" in caught.value.message


TEXT = st.text(max_size=20)
WORDS = TEXT.filter(bool)
CALLS = st.lists(TEXT, min_size=1, max_size=2).map(
    lambda cities: [
        Message("assistant", [use(f"call-{place}", city) for place, city in enumerate(cities)]),
        Message(
            "user",
            [result(ToolResultContent(text=city), tool_use_id=f"call-{place}") for place, city in enumerate(cities)]
            + [ContentBlock(text="go on")],
        ),
    ]
)
TURNS = st.lists(
    st.one_of(st.tuples(WORDS, WORDS).map(lambda pair: [said("assistant", pair[0]), said("user", pair[1])]), CALLS),
    max_size=3,
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(2, 16),
        "frequency_penalty": st.floats(-2, 2),
        "presence_penalty": st.floats(-2, 2),
        "documents": st.just([{"content": "x"}]),
        "response_format": st.just({"type": "json_object"}),
    },
)
CONFIG = st.builds(
    InferenceConfig,
    st.none() | st.integers(1, 4096),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.none() | st.lists(WORDS, max_size=3),
)


@given(WORDS, TURNS, CONFIG, EXTRAS, st.none() | WORDS, st.booleans())
def test_what_is_written_reads_the_same(
    first: str,
    turns: list[list[Message]],
    config: InferenceConfig,
    extras: dict[str, Any],
    system: str | None,
    tools: bool,
) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    request = ConverseRequest(
        messages=[said("user", first), *(message for pair in turns for message in pair)],
        system=[SystemBlock(text=system)] if system else None,
        inference_config=None if config == InferenceConfig() else config,
        tool_config=ToolConfig([TOOL]) if tools else None,
        additional_model_request_fields=extras or None,
    )
    body, ledger = write(request)
    again = read(**body)
    assert as_json(again) == as_json(request)
    assert write(again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_the_vendors_own_form_names_the_model() -> None:
    """AI21's own API wants model and stream in the body, Bedrock neither."""
    request = ConverseRequest(messages=[said("user", "hi")])
    messages = [{"role": "user", "content": "hi"}]
    assert write(request)[0] == {"messages": messages}
    assert write(request, form="vendor")[0] == {"model": "jamba-mini", "messages": messages, "stream": True}


def test_what_jamba_lacks_is_entered() -> None:
    """Images and choices of tools are dropped, documents and JSON results are written as text."""
    image = ContentBlock(image=canon.ImageBlock("png", canon.MediaSource(bytes=b"x")))
    document = ContentBlock(document=canon.DocumentBlock("notes", canon.DocumentSource(text="Paris"), "txt"))
    parts = [
        ToolResultContent(json=Raw(b'{"a":1}')),
        ToolResultContent(image=canon.ImageBlock("png", canon.MediaSource(bytes=b"x"))),
    ]
    request = ConverseRequest(
        messages=[
            Message("user", [image, document]),
            Message("assistant", [use()]),
            Message("user", [result(*parts, status="error")]),
        ],
        tool_config=ToolConfig([TOOL], ToolChoice(any=Chosen())),
        additional_model_request_fields={"k": 3},
    )
    body, ledger = write(request)
    assert "Paris" in body["messages"][0]["content"]
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "call-1", "content": 'Error:\n{"a":1}'}
    assert ledger.dropped == [
        "messages.0.content.0.image",
        "messages.2.content.0.toolResult.content.1.image",
        "toolConfig.toolChoice.any",
        "additionalModelRequestFields.k",
    ]
    assert ledger.emulated == [
        "messages.0.content.1.document",
        "messages.2.content.0.toolResult.status",
        "messages.2.content.0.toolResult.content.0.json",
    ]


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "content_filtered")]
)
def test_replies_translate_both_ways(finish: str, reason: str) -> None:
    """Text, usage and reason survive the way there and back."""
    body = {
        "id": "chatcmpl-r-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert (reply.stop_reason, reply.usage) == (reason, usage(3, 2))
    assert reply.output.message.content == [ContentBlock(text="Hi")]
    assert json.loads(DIALECT.write_reply(reply, shown())) == body


def test_calls_of_tools_translate_both_ways() -> None:
    """A reply with calls keeps their ids, names and arguments."""
    reply = assistant_reply([ContentBlock(text="Let me see"), use()], "tool_use", usage(3, 2))
    native = DIALECT.write_reply(reply, shown())
    (choice,) = json.loads(native)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    function = {"name": "weather", "arguments": '{"city":"Rome"}'}
    assert choice["message"]["tool_calls"] == [{"id": "call-1", "type": "function", "function": function}]
    assert as_json(DIALECT.read_reply(native)) == as_json(reply)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "unexpected error"),
        (b'{"choices":[]}', "unexpected error"),
        (
            b'{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}}]}',
            "invalid sequence as part of ToolUse",
        ),
    ],
)
def test_an_unreadable_reply_is_the_models_fault(body: bytes, message: str) -> None:
    """Rubbish from an upstream is a ModelErrorException; broken arguments are named as such."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"
    assert message in caught.value.message


EVENTS: list[StreamEvent] = [
    MessageStart("assistant"),
    text_delta("Let me", 0),
    text_delta(' "see"', 0),
    BlockStop(0),
    BlockStart(Start(tool_use=ToolUseStart("call-1", "weather")), 1),
    BlockDelta(Delta(tool_use=ToolUseDelta('{"ci')), 1),
    BlockDelta(Delta(tool_use=ToolUseDelta('ty":"Rome"}')), 1),
    BlockStop(1),
    BlockStart(Start(tool_use=ToolUseStart("call-2", "weather")), 2),
    BlockDelta(Delta(tool_use=ToolUseDelta("{}")), 2),
    BlockStop(2),
    MessageStop("tool_use"),
    StreamMetadata(usage(3, 2), Metrics(0)),
]


def test_a_written_stream_reads_as_the_same_events() -> None:
    """Text and several calls come back as the events that they were."""
    writer, reader = DIALECT.writer(shown()), DIALECT.reader()
    chunks = [chunk for event in EVENTS for chunk in writer.write(event)]
    chunks += writer.finish(InvocationMetrics(3, 2, 10, 5))
    last = json.loads(chunks[-1])
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert last["amazon-bedrock-invocationMetrics"]["invocationLatency"] == 10
    assert [event for chunk in chunks for event in reader.feed(chunk)] == EVENTS
    assert reader.feed(b"[DONE]") == [] == reader.close()


def test_usage_may_come_after_the_end_or_never() -> None:
    """Metadata is told once: when the usage comes, else at the end."""
    reader = DIALECT.reader()
    reader.feed(b'{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}')
    late = reader.feed(b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}')
    assert late == [StreamMetadata(usage(1, 2), Metrics(0))]
    assert reader.close() == []
    silent = DIALECT.reader()
    silent.feed(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}')
    assert silent.feed(b"[DONE]") == [StreamMetadata(usage(0, 0), Metrics(0))]


def test_a_stream_that_breaks_off_is_a_fault() -> None:
    """A stream without its end, with rubbish, an error or a nameless call raises ModelStreamErrorException."""
    reader = DIALECT.reader()
    reader.feed(b'{"choices":[{"delta":{"content":"a"}}]}')
    for broken in (
        reader.close,
        lambda: reader.feed(b"{"),
        lambda: reader.feed(b'{"error":{"message":"secret"}}'),
        lambda: reader.feed(b'{"choices":[{"delta":{"tool_calls":[{"index":4}]}}]}'),
    ):
        with pytest.raises(Fault) as caught:
            broken()
        assert caught.value.name == "ModelStreamErrorException"
        assert "secret" not in caught.value.message
