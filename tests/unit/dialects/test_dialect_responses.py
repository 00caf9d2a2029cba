"""The dialect `openai.responses`: requests, replies and streams, both ways."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses import Response, ResponseStreamEvent

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import events as e
from craton.models.canon.content import ContentBlock, Message, ToolResultContent
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, ReasoningDelta, text_delta
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Ledger, Outgoing, Shown
from craton.models.dialects.openai_responses.dialect import OpenAIResponses
from tests.unit.dialects import dialect_conversations as make

DIALECT = OpenAIResponses(clock=lambda: 1700000000.0)
EVENT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ResponseStreamEvent)


def read(**members: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps({"model": "m", "input": "Hi", **members}).encode())


def shown(**members: Any) -> Shown:
    body = json.dumps({"model": "m", "input": "Hi", **members}).encode()
    return Shown("m", ConverseRequest(), "8a1c2b3d-0000-4111-a222-333344445555", body)


# --- requests --------------------------------------------------------------------------------------------------------

signed = st.builds(
    lambda text, ident, sealed: ContentBlock(
        reasoning_content=c.ReasoningContent(
            reasoning_text=c.ReasoningText(text, f"openai:rs_{ident}:{sealed}")  # as the reader makes them
        )
    ),
    make.texts,
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9+/]{1,12}", fullmatch=True),
)
user = st.lists(
    make.text() | make.image() | make.tool_result(make.texts.map(lambda text: ToolResultContent(text=text)), st.none()),
    min_size=1,
    max_size=3,
)
assistant = st.lists(make.text() | make.tool_use() | signed, min_size=1, max_size=3)


def normal(request: ConverseRequest) -> ConverseRequest:
    """A tool that says nothing of `strict` is written as not strict."""
    for tool in request.tool_config.tools if request.tool_config else ():
        if tool.tool_spec is not None:
            tool.tool_spec.strict = tool.tool_spec.strict is True
    return request


def unmarked(request: ConverseRequest) -> ConverseRequest:
    """The request with signatures as OpenAI gave them."""
    for message in request.messages or ():
        for block in message.content:
            text = block.reasoning_content.reasoning_text if block.reasoning_content is not None else None
            if text is not None and text.signature is not None:
                text.signature = text.signature.rpartition(":")[2]
    return request


def built(turns: list[Message], system: str | None, config: InferenceConfig, tools: Any) -> ConverseRequest:
    blocks = [SystemBlock(text=system)] if system else None
    return normal(ConverseRequest(messages=turns, system=blocks, inference_config=config, tool_config=tools))


configs = st.builds(InferenceConfig, st.integers(1, 4096), st.none() | make.fractions, st.none() | make.fractions)


@given(
    st.builds(built, make.turns(user, assistant), st.none() | make.texts, configs, make.tool_config(make.every_choice))
)
def test_what_is_written_reads_the_same(request: ConverseRequest) -> None:
    """Nothing that the schema can carry is lost, and the ledger is empty. What OpenAI encrypted goes to it without our mark."""
    ledger = Ledger()
    written = DIALECT.write_request(request, Outgoing("up", stream=False, ledger=ledger))
    again = DIALECT.read_request(written)
    assert unmarked(again) == unmarked(request)
    assert ledger.dropped == []


def test_a_text_alone_is_a_users() -> None:
    """`input` as a string, `instructions` as the system prompt before developers' messages."""
    request = read(
        input=[
            {"role": "developer", "content": "Be kind"},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
        instructions="Be brief",
    )
    assert [block.text for block in request.system or ()] == ["Be brief", "Be kind"]
    assert request.messages == [Message("user", [ContentBlock(text="Hi")])]
    assert read().messages == request.messages


def test_items_become_turns() -> None:
    """Reasoning, text and calls are one turn of the assistant's, outputs and what follows one of the user's."""
    request = read(
        input=[
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "One"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": ""},
            {"type": "function_call_output", "call_id": "c1", "output": "x"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "y"}]},
            {"role": "user", "content": "And?"},
        ]
    )
    kinds = [[block.kind for block in message.content] for message in request.messages or ()]
    assert kinds == [["text"], ["reasoningContent", "text", "toolUse", "toolUse"], ["toolResult", "toolResult", "text"]]


def test_members_travel_under_chats_names() -> None:
    """So that every target knows them; how an answer is kept is not for the model."""
    request = read(
        store=True,
        metadata={"a": "b"},
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "minimal"},
        text={"verbosity": "low", "format": {"type": "json_object"}},
        parallel_tool_calls=False,
        user="u",
    )
    assert request.additional_model_request_fields == {
        "reasoning_effort": "minimal",
        "verbosity": "low",
        "response_format": {"type": "json_object"},
        "parallel_tool_calls": False,
        "user": "u",
    }


def test_chats_fields_are_written_as_responses() -> None:
    """A request that came by the chat door goes to this schema whole."""
    request = ConverseRequest(
        messages=[Message("user", [ContentBlock(text="Hi")])],
        additional_model_request_fields={
            "reasoning_effort": "minimal",
            "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
            "tools": [{"type": "web_search"}],
            "seed": 7,
        },
    )
    ledger = Ledger()
    sent = json.loads(DIALECT.write_request(request, Outgoing("up", stream=False, ledger=ledger)))
    assert sent["reasoning"] == {"effort": "minimal"}
    wanted = {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": False}
    assert sent["text"] == {"verbosity": "low", "format": wanted}
    assert sent["tools"] == [{"type": "web_search"}]
    assert ledger.dropped == ["additionalModelRequestFields.seed"]


def test_another_vendors_reasoning_is_not_sent() -> None:
    """OpenAI could not read it."""
    thought = c.ReasoningContent(reasoning_text=c.ReasoningText("Hm", "c2ln"))
    turns = [
        Message("user", [ContentBlock(text="Hi")]),
        Message("assistant", [ContentBlock(reasoning_content=thought)]),
    ]
    ledger = Ledger()
    sent = DIALECT.write_request(ConverseRequest(messages=turns), Outgoing("up", stream=False, ledger=ledger))
    assert "c2ln" not in sent.decode()
    assert ledger.dropped == ["messages.1.content.0.reasoningContent"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"input": 1}, "#/input"),
        ({"input": ["x"]}, "#/input/0: expected type: JSONObject"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "["}]}, "#/input/0/arguments"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "content/0/file_id"),
        ({"input": [{"role": "user", "content": [{"type": "nothing"}]}]}, "#/input/0/content/0/type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "'msg_1' not found"),
        ({"input": [{"type": "mcp_call"}]}, "mcp_call are not supported"),
        ({"background": True}, "background is not supported"),
        ({"tools": [{"type": "function"}]}, "#/tools/0: required key"),
        ({"text": {"format": {"type": "json_schema"}}}, "required key"),
        ({"stream": True}, "does not agree"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_named(members: dict[str, Any], message: str) -> None:
    """A ValidationException with the place in the body."""
    with pytest.raises(Fault) as raised:
        read(**members)
    assert raised.value.name == "ValidationException"
    assert message in raised.value.message


# --- replies and streams ---------------------------------------------------------------------------------------------

reply_blocks = st.lists(make.text() | make.tool_use(), min_size=1, max_size=3)


@given(reply_blocks)
def test_a_reply_reads_the_same(blocks: list[ContentBlock]) -> None:
    """Texts that follow one another are one; the SDK takes the object."""
    stop: Any = "tool_use" if any(block.tool_use for block in blocks) else "end_turn"
    native = DIALECT.write_reply(make.answered(*blocks, stop=stop), shown())
    Response.model_validate_json(native)
    joined: list[ContentBlock] = []
    for block in blocks:
        if block.text is not None and joined and joined[-1].text is not None:
            joined[-1] = ContentBlock(text=joined[-1].text + block.text)
        else:
            joined.append(block)
    again = DIALECT.read_reply(native)
    assert (again.output.message.content, again.stop_reason) == (joined, stop)
    assert (again.usage.input_tokens, again.usage.output_tokens) == (7, 3)


STREAM: list[e.StreamEvent] = [
    e.MessageStart("assistant"),
    BlockDelta(Delta(reasoning_content=ReasoningDelta(text="Hm")), 0),
    BlockDelta(Delta(reasoning_content=ReasoningDelta(signature="c2ln")), 0),
    BlockStop(0),
    text_delta("Hel", 1),
    text_delta("lo", 1),
    BlockStop(1),
    text_delta("!", 2),
    BlockStop(2),
    BlockStart(e.Start(tool_use=e.ToolUseStart("c1", "f")), 3),
    BlockDelta(Delta(tool_use=e.ToolUseDelta('{"a":')), 3),
    BlockDelta(Delta(tool_use=e.ToolUseDelta("1}")), 3),
    BlockStop(3),
    BlockStart(e.Start(tool_use=e.ToolUseStart("c2", "patch")), 4),
    BlockDelta(Delta(tool_use=e.ToolUseDelta('{"input":"x"}')), 4),
    BlockStop(4),
    e.MessageStop("tool_use"),
    e.StreamMetadata(usage(3, 2), Metrics(0)),
]


def written(events: list[e.StreamEvent], **members: Any) -> list[dict[str, Any]]:
    writer = DIALECT.writer(shown(**members))
    chunks = [chunk for event in events for chunk in writer.write(event)] + writer.finish(None)
    values = [json.loads(chunk) for chunk in chunks]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    assert all(chunk.startswith(b'{"type":"') for chunk in chunks)
    for value in values:
        EVENT.validate_python(value)
    return values


def test_a_streams_events_are_openais() -> None:
    """Each is of a type that the SDK knows, and what the items said adds up to the whole at the end."""
    values = written(STREAM, tools=[{"type": "custom", "name": "patch"}])
    done = [value["item"] for value in values if value["type"] == "response.output_item.done"]
    assert values[-1]["response"]["output"] == done
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call", "custom_tool_call"]
    assert (done[0]["content"][0]["text"], done[0]["encrypted_content"]) == ("Hm", "c2ln")
    assert [part["text"] for part in done[1]["content"]] == ["Hello", "!"]
    assert (done[2]["arguments"], done[3]["input"]) == ('{"a":1}', "x")
    added = [value["item"]["id"] for value in values if value["type"] == "response.output_item.added"]
    assert added == [item["id"] for item in done]


def test_a_stream_reads_the_same() -> None:
    """Written and read again: the same texts, calls, reason and usage."""
    reader = DIALECT.reader()
    values = written(STREAM)
    events = [event for value in values for event in reader.feed(json.dumps(value).encode())] + reader.close()
    assert events[0] == e.MessageStart("assistant")
    assert "".join(one.delta.text or "" for one in events if isinstance(one, BlockDelta)) == "Hello!"
    starts = [one.start.tool_use for one in events if isinstance(one, BlockStart)]
    assert [use.tool_use_id for use in starts if use is not None] == ["c1", "c2"]
    assert isinstance(events[-2], e.MessageStop)
    assert events[-2].stop_reason == "tool_use"
    assert isinstance(events[-1], e.StreamMetadata)
    assert events[-1].usage.output_tokens == 2
    assert [one.content_block_index for one in events if isinstance(one, BlockStop)] == [0, 1, 2, 3]


def test_items_that_nobody_knows_are_passed_over() -> None:
    """A search that ran at the vendor, and events of the future."""
    reader = DIALECT.reader()
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "arguments": 5, "content": "odd"}
    events = reader.feed(json.dumps({"type": "response.output_item.added", "item": search}).encode())
    events += reader.feed(b'{"type":"response.web_search_call.searching","item_id":"ws_1"}')
    assert events == [e.MessageStart("assistant")]
    reply = {"output": [search, {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]}
    assert DIALECT.read_reply(json.dumps(reply).encode()).output.message.content == [ContentBlock(text="Hi")]


def test_a_stream_that_stops_early_is_an_error() -> None:
    """Without its last event nothing is complete."""
    reader = DIALECT.reader()
    reader.feed(b'{"type":"response.output_text.delta","delta":"x"}')
    with pytest.raises(Fault) as raised:
        reader.close()
    assert raised.value.name == "ModelStreamErrorException"


def test_redacted_reasoning_comes_back_as_it_went() -> None:
    """Its bytes are opaque to the caller."""
    block = ContentBlock(reasoning_content=c.ReasoningContent(redacted_content=b"\x00\xff"))
    item = json.loads(DIALECT.write_reply(make.answered(block), shown()))["output"][0]
    assert item["content"] == []
    again = read(input=[{"role": "user", "content": "Hi"}, item])
    assert (again.messages or [])[1].content == [block]


def test_raw_arguments_stay_as_they_are() -> None:
    """A call's arguments are the model's own text."""
    use = c.ToolUseBlock("c1", "f", Raw(b'{"a": 1.50}'))
    reply = DIALECT.write_reply(make.answered(ContentBlock(tool_use=use), stop="tool_use"), shown())
    assert msgspec.json.decode(reply)["output"][0]["arguments"] == '{"a": 1.50}'
