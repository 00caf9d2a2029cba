"""Cohere's Command R, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import events as e
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.cohere_command_r.dialect import CohereCommandR
from craton.models.dialects.dialect import Dialect, Shown
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST, prose, said

DIALECT: Dialect = CohereCommandR()
BODY = json.dumps({"message": "hi", "chat_history": [{"role": "USER", "message": "a"}]}).encode()
SHOWN = Shown("cohere.command-r-v1:0", ConverseRequest(), "r-1", BODY)
CALL = {"name": "weather", "parameters": {"city": "Paris"}}
RESULT = {"call": CALL, "outputs": [{"celsius": 21}]}


def called(ident: str, *texts: str) -> Message:
    use = c.ToolUseBlock(ident, "weather", Raw(b'{"city":"Paris"}'))
    return Message("assistant", [*(ContentBlock(text=text) for text in texts), ContentBlock(tool_use=use)])


def returned(ident: str, *blocks: ContentBlock) -> Message:
    result = c.ToolResultBlock(ident, [c.ToolResultContent(json=Raw(b'{"celsius":21}'))])
    return Message("user", [ContentBlock(tool_result=result), *blocks])


def test_a_body_becomes_turns() -> None:
    """Preamble, history and message are the conversation, documents stand before the last question."""
    request = make.read(
        DIALECT,
        message="c",
        chat_history=[
            {"role": "SYSTEM", "message": "T"},
            {"role": "USER", "message": "a"},
            {"role": "CHATBOT", "message": "b"},
        ],
        preamble="S",
        documents=[{"title": "Atlas", "snippet": "Paris is in France.", "url": "u"}],
        max_tokens=9,
        p=0.5,
        k=3,
        seed=1,
    )
    assert request.system == [SystemBlock(text="S"), SystemBlock(text="T")]
    document = c.DocumentBlock("Atlas", c.DocumentSource(text="Paris is in France.\nurl: u"))
    assert request.messages == [
        said("user", "a"),
        said("assistant", "b"),
        Message("user", [ContentBlock(document=document), ContentBlock(text="c")]),
    ]
    assert request.inference_config == InferenceConfig(9, None, 0.5)
    assert request.additional_model_request_fields == {"k": 3, "seed": 1}


SINGLE_STEP = {"message": "Warm?", "tool_results": [RESULT]}
SEVERAL_STEPS = {
    "message": "",
    "chat_history": [
        {"role": "USER", "message": "Warm?"},
        {"role": "CHATBOT", "message": "I look.", "tool_calls": [CALL]},
        {"role": "TOOL", "tool_results": [RESULT]},
        {"role": "CHATBOT", "message": "", "tool_calls": [CALL]},
    ],
    "tool_results": [RESULT],
}


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (SINGLE_STEP, [said("user", "Warm?"), called("call_1_0"), returned("call_1_0")]),
        (
            SEVERAL_STEPS,
            [
                said("user", "Warm?"),
                called("call_1_0", "I look."),
                returned("call_1_0"),
                called("call_3_0"),
                returned("call_3_0"),
            ],
        ),
        (
            {**SEVERAL_STEPS, "message": "And?", "chat_history": SEVERAL_STEPS["chat_history"][:2]},
            [said("user", "Warm?"), called("call_1_0", "I look."), returned("call_1_0", ContentBlock(text="And?"))],
        ),
    ],
)
def test_tools_in_one_step_and_in_several(body: dict[str, Any], messages: list[Message]) -> None:
    """Calls and their results become blocks with ids by their place, and are written again as they came."""
    request = make.read(DIALECT, **body)
    assert request.messages == messages
    assert make.write(DIALECT, request)[0] == body


def test_results_of_other_forms_are_written_out() -> None:
    """Text under a name of ours, failures by a word, images not at all."""
    result = c.ToolResultBlock(
        "x",
        [
            c.ToolResultContent(text="21"),
            c.ToolResultContent(json=Raw(b"[1]")),
            c.ToolResultContent(image=c.ImageBlock("png", c.MediaSource(bytes=b"x"))),
        ],
        "error",
    )
    messages = [said("user", "a"), called("x"), Message("user", [ContentBlock(tool_result=result)])]
    body, ledger = make.write(DIALECT, ConverseRequest(messages=messages))
    (written,) = body["tool_results"]
    assert written == {"call": CALL, "outputs": [{"output": "Error:"}, {"output": "21"}, {"output": "[1]"}]}
    at = "messages.2.content.0.toolResult"
    assert ledger.dropped == [f"{at}.content.2.image"]
    assert ledger.emulated == [f"{at}.content.1.json", f"{at}.status"]


KINDS = st.sampled_from(["string", "integer", "number", "boolean", "array", "object"])
PROPERTY = st.builds(
    lambda kind, text: {"type": kind, "description": text} if text else {"type": kind}, KINDS, st.none() | prose
)
NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)


def schema_of(properties: dict[str, Any], required: bool) -> r.InputSchema:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required and properties:
        schema["required"] = list(properties)
    return r.InputSchema(json=Raw(json.dumps(schema, separators=(",", ":"), ensure_ascii=False).encode()))


TOOLS = st.lists(
    st.builds(
        lambda name, text, schema: r.Tool(tool_spec=r.ToolSpec(name, schema, text)),
        NAMES,
        st.none() | prose,
        st.builds(schema_of, st.dictionaries(NAMES, PROPERTY, max_size=3), st.booleans()),
    ),
    min_size=1,
    max_size=2,
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "k": st.integers(0, 500),
        "seed": st.integers(0, 2**31),
        "prompt_truncation": st.sampled_from(["OFF", "AUTO_PRESERVE_ORDER"]),
        "frequency_penalty": st.floats(0, 1),
        "return_prompt": st.booleans(),
    },
)


@given(
    make.conversations(system=True, prefill=False),
    make.configs(4000, stops=3),
    st.none() | TOOLS,
    EXTRAS,
    st.none() | prose,
)
def test_what_is_written_reads_the_same(
    request: ConverseRequest, config: Any, tools: Any, extras: dict[str, Any], document: str | None
) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    request.inference_config = config
    request.tool_config = r.ToolConfig(tools) if tools else None
    request.additional_model_request_fields = extras or None
    if document is not None and request.messages:
        block = c.DocumentBlock("notes", c.DocumentSource(text=document))
        request.messages[-1].content.insert(0, ContentBlock(document=block))
    body, ledger = make.write(DIALECT, request)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_what_the_schema_lacks_is_entered() -> None:
    """A tool's nested schema goes into a description, topP is brought within bounds, the rest is dropped."""
    schema = {"type": "object", "properties": {"unit": {"type": "string", "enum": ["C", "F"]}}}
    request = ConverseRequest(
        messages=[said("user", "hi")],
        inference_config=InferenceConfig(top_p=1),
        tool_config=r.ToolConfig(
            [r.Tool(tool_spec=r.ToolSpec("t", r.InputSchema(json=Raw(json.dumps(schema).encode()))))],
            r.ToolChoice(any=r.Chosen()),
        ),
        additional_model_request_fields={"top_k": 3, "thinking": {}},
    )
    body, ledger = make.write(DIALECT, request)
    unit = {"type": "str", "description": 'JSON schema: {"enum":["C","F"]}'}
    assert body["tools"] == [{"name": "t", "description": "", "parameter_definitions": {"unit": unit}}]
    assert (body["p"], body["k"]) == (0.99, 3)
    assert ledger.dropped == ["toolConfig.toolChoice.any", "additionalModelRequestFields.thinking"]
    assert ledger.emulated == [
        "inferenceConfig.topP",
        "toolConfig.tools.0.toolSpec.inputSchema.json.properties.unit",
    ]


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [message] not found"),
        ({"message": "a", "prompt": "b"}, "#: extraneous key [prompt] is not permitted"),
        ({"message": "a", "p": 1}, "#/p: 1 is not less or equal to 0.99"),
        (
            {"message": "a", "chat_history": [{"role": "user", "message": "b"}]},
            "#/chat_history/0/role: user is not a valid enum value",
        ),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    assert make.refusal(DIALECT, **body) == violation


def test_a_reply_repeats_the_history() -> None:
    """A reply has the text, the history with the answer in it, and counts; it reads as what was written."""
    reply = assistant_reply([ContentBlock(text="Hi")], "max_tokens", usage(3, 2))
    body = json.loads(DIALECT.write_reply(reply, SHOWN))
    assert body == {
        "response_id": "r-1",
        "text": "Hi",
        "generation_id": "r-1",
        "chat_history": [
            {"role": "USER", "message": "a"},
            {"role": "USER", "message": "hi"},
            {"role": "CHATBOT", "message": "Hi"},
        ],
        "finish_reason": "MAX_TOKENS",
        "meta": {"api_version": {"version": "1"}, "billed_units": {"input_tokens": 3, "output_tokens": 2}},
    }
    assert DIALECT.read_reply(json.dumps(body).encode()) == reply


def test_calls_and_citations_of_a_reply() -> None:
    """Calls get ids and make the reason tool_use; citations stay native, to be written again."""
    citation = {"start": 0, "end": 2, "text": "Hi", "document_ids": ["d"]}
    body = {"text": "Hi", "finish_reason": "COMPLETE", "tool_calls": [CALL], "citations": [citation]}
    reply = DIALECT.read_reply(json.dumps(body).encode())
    text, call = reply.output.message.content
    assert (text.text, reply.stop_reason) == ("Hi", "tool_use")
    assert call.tool_use is not None
    assert call.tool_use.tool_use_id.startswith("tooluse_")
    written = json.loads(DIALECT.write_reply(reply, SHOWN))
    assert (written["tool_calls"], written["citations"]) == ([CALL], [citation])


def test_a_stream_is_written_as_cohere_streams() -> None:
    """Start, each delta at once, and an end with the whole reply and Bedrock's metrics."""
    chunks = make.chunks_of(DIALECT, SHOWN, make.stream())
    assert chunks[:3] == [
        {"event_type": "stream-start", "generation_id": "r-1", "is_finished": False},
        {"event_type": "text-generation", "text": "Hel", "is_finished": False},
        {"event_type": "text-generation", "text": "lo", "is_finished": False},
    ]
    (end,) = chunks[3:]
    assert (end["event_type"], end["is_finished"], end["finish_reason"]) == ("stream-end", True, "COMPLETE")
    assert end["response"]["text"] == "Hello"
    assert end["response"]["meta"]["billed_units"] == {"input_tokens": 3, "output_tokens": 2}
    assert end[ON_LAST] == NATIVE_METRICS
    assert make.events_of(DIALECT, [*chunks, {"event_type": "text-generation", "text": "late"}]) == make.stream()


def tool_stream(ident: str) -> list[StreamEvent]:
    return [
        e.MessageStart("assistant"),
        BlockDelta(Delta("I look."), 0),
        BlockStop(0),
        BlockStart(e.Start(tool_use=e.ToolUseStart(ident, "weather")), 1),
        BlockDelta(Delta(tool_use=e.ToolUseDelta('{"city":"Paris"}')), 1),
        BlockStop(1),
        e.MessageStop("tool_use"),
        e.StreamMetadata(usage(3, 2), Metrics(0)),
    ]


def test_calls_of_a_stream_come_whole() -> None:
    """Arguments in pieces become one event with all calls, before the end, and read as the same blocks."""
    events = tool_stream("x")
    events[4:5] = [BlockDelta(Delta(tool_use=e.ToolUseDelta(piece)), 1) for piece in ('{"ci', 'ty":"Paris"}')]
    chunks = make.chunks_of(DIALECT, SHOWN, events)
    assert chunks[2] == {"event_type": "tool-calls-generation", "tool_calls": [CALL], "is_finished": False}
    assert chunks[3]["response"]["tool_calls"] == [CALL]
    again = make.events_of(DIALECT, chunks)
    start = again[3]
    assert isinstance(start, BlockStart)
    assert start.start.tool_use is not None
    assert again == tool_stream(start.start.tool_use.tool_use_id)


def test_other_events_of_a_stream_say_nothing() -> None:
    """Citations and search queries pass by, and calls told only at the end are not lost."""
    end = {"finish_reason": "COMPLETE", "tool_calls": [CALL]}
    chunks = [
        {"event_type": "stream-start", "is_finished": False},
        {"event_type": "citation-generation", "citations": [{"start": 0}], "is_finished": False},
        {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": end},
    ]
    events = make.events_of(DIALECT, chunks)
    kinds = [type(event).__name__ for event in events]
    assert kinds == ["MessageStart", "BlockStart", "BlockDelta", "BlockStop", "MessageStop", "StreamMetadata"]


def test_what_cannot_be_read_is_a_fault() -> None:
    """A stream without its end, rubbish, and an error that Cohere names, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, {"event_type": "text-generation", "text": "a", "is_finished": False})
    with pytest.raises(Fault, match="ModelErrorException"):
        DIALECT.read_reply(b'{"text":"","finish_reason":"ERROR"}')
    with pytest.raises(Fault, match="ModelStreamErrorException"):
        DIALECT.reader().feed(b'{"event_type":"stream-end","is_finished":true,"finish_reason":"ERROR"}')
