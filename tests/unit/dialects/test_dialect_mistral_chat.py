"""Mistral's chat, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.models.canon import events as e
from craton.models.canon.content import ContentBlock, ToolUseBlock
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, assistant_reply, usage
from craton.models.canon.request import Chosen, ChosenTool, ConverseRequest, InferenceConfig, ToolChoice, ToolConfig
from craton.models.dialects.dialect import Dialect, Shown
from craton.models.dialects.mistral_chat import MistralChat, own_id
from tests.unit.dialects import dialect_conversations as parts
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST

DIALECT: Dialect = MistralChat()
SHOWN = Shown("mistral.mistral-large-2407-v1:0", ConverseRequest(), "r-1")
HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "abcdef123", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}


def test_a_body_with_tools_is_read_and_written_again() -> None:
    """Mistral's words for tools and its own parameters survive the way there and back."""
    body = {
        "messages": [
            {"role": "system", "content": "S"},
            *HI,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "abcdef123", "content": "21"},
        ],
        "tools": [TOOL],
        "tool_choice": "any",
        "max_tokens": 9,
        "temperature": 0.5,
        "random_seed": 1,
        "safe_prompt": True,
    }
    request = make.read(DIALECT, **body)
    assert request.tool_config is not None
    assert request.tool_config.tool_choice == ToolChoice(any=Chosen())
    assert request.additional_model_request_fields == {"random_seed": 1, "safe_prompt": True}
    written, ledger = make.write(DIALECT, request)
    assert written == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


REQUESTS = st.builds(
    lambda messages, config, tools, extras: ConverseRequest(
        messages=messages, inference_config=config, tool_config=tools, additional_model_request_fields=extras or None
    ),
    parts.turns(
        st.lists(parts.text() | parts.image(), min_size=1, max_size=1), st.lists(parts.text(), min_size=1, max_size=1)
    ),
    parts.inference,
    parts.tool_config(lambda _name: [None, ToolChoice(auto=Chosen()), ToolChoice(any=Chosen())]),
    st.fixed_dictionaries({}, optional={"random_seed": st.integers(0, 9), "safe_prompt": st.booleans()}),
)


@given(REQUESTS)
def test_what_is_written_reads_the_same(request: ConverseRequest) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    body, ledger = make.write(DIALECT, request)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_ids_are_made_to_fit() -> None:
    """Mistral takes ids of nine letters and digits alone: a call and its result get the same."""
    assert own_id("abcdef123") == "abcdef123"
    assert own_id("tooluse_1") == own_id("tooluse_1") != own_id("tooluse_2")
    request = make.read(
        DIALECT,
        messages=[
            *HI,
            {"role": "assistant", "tool_calls": [{**CALL, "id": "tooluse_1"}]},
            {"role": "tool", "tool_call_id": "tooluse_1", "content": "21"},
        ],
    )
    _, called, answered = make.write(DIALECT, request)[0]["messages"]
    assert called["tool_calls"][0]["id"] == answered["tool_call_id"] == own_id("tooluse_1")


def test_bedrocks_form_and_the_vendors() -> None:
    """Bedrock's has no model, no stream and no named tool; Mistral's own API has all three."""
    request = make.read(DIALECT, messages=HI, tools=[TOOL])
    assert isinstance(request.tool_config, ToolConfig)
    request.tool_config.tool_choice = ToolChoice(tool=ChosenTool("weather"))
    request.additional_model_request_fields = {"seed": 3, "top_k": 5}
    body, ledger = make.write(DIALECT, request)
    assert body == {"messages": HI, "tools": [TOOL], "random_seed": 3}
    assert ledger.dropped == ["additionalModelRequestFields.top_k", "toolConfig.toolChoice.tool"]
    body, _ = make.write(DIALECT, request, form="vendor")
    assert body["model"] == "m"
    assert body["tool_choice"]["function"]["name"] == "weather"


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [messages] not found"),
        ({"messages": HI, "max_tokens": 0}, "#/max_tokens: 0 is not greater or equal to 1"),
        ({"messages": HI, "temperature": 1.5}, "#/temperature: 1.5 is not less or equal to 1"),
        ({"messages": [{"role": "bot", "content": "a"}]}, "#/messages/0/role: bot is not a valid enum value"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    assert make.refusal(DIALECT, **body) == violation


@pytest.mark.parametrize("member", ["stop_reason", "finish_reason"])
def test_replies_are_read_by_either_word(member: str) -> None:
    """Bedrock says stop_reason, Mistral's own API finish_reason."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi", "tool_calls": None}, member: "length"}
    reply = DIALECT.read_reply(json.dumps({"choices": [choice]}).encode())
    assert reply == assistant_reply([ContentBlock(text="Hi")], "max_tokens", usage(0, 0))


def test_a_reply_has_mistrals_members_alone() -> None:
    """Text, calls and stop_reason, and nothing of OpenAI's besides."""
    call = ContentBlock(tool_use=ToolUseBlock("abcdef123", "weather", b'{"city":"Paris"}'))
    reply = assistant_reply([ContentBlock(text="I look."), call], "tool_use", usage(3, 2))
    message = {"role": "assistant", "content": "I look.", "tool_calls": [CALL]}
    written = DIALECT.write_reply(reply, SHOWN)
    assert json.loads(written) == {"choices": [{"index": 0, "message": message, "stop_reason": "tool_calls"}]}
    assert DIALECT.read_reply(written).stop_reason == "tool_use"


def chunk(content: str, reason: str | None = None, **members: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **members}
    return {"choices": [{"index": 0, "message": message, "stop_reason": reason}]}


def test_a_stream_is_written_in_the_replys_shape() -> None:
    """Each delta is a chunk at once; the last tells the reason and carries Bedrock's metrics."""
    events = make.stream("max_tokens")
    chunks = make.chunks_of(DIALECT, SHOWN, events)
    assert chunks == [chunk("Hel"), chunk("lo"), {**chunk("", "length"), ON_LAST: NATIVE_METRICS}]
    assert make.events_of(DIALECT, chunks) == events


def test_calls_of_a_stream_come_whole() -> None:
    """Arguments in pieces become one call, which reads as the same block."""
    events: list[StreamEvent] = [
        e.MessageStart("assistant"),
        BlockStart(e.Start(tool_use=e.ToolUseStart("abcdef123", "weather")), 0),
        BlockDelta(Delta(tool_use=e.ToolUseDelta('{"city":')), 0),
        BlockDelta(Delta(tool_use=e.ToolUseDelta('"Paris"}')), 0),
        BlockStop(0),
        e.MessageStop("tool_use"),
        e.StreamMetadata(usage(3, 2), Metrics(0)),
    ]
    chunks = make.chunks_of(DIALECT, SHOWN, events)
    assert chunks == [chunk("", tool_calls=[CALL]), {**chunk("", "tool_calls"), ON_LAST: NATIVE_METRICS}]
    events[2:4] = [BlockDelta(Delta(tool_use=e.ToolUseDelta('{"city":"Paris"}')), 0)]
    assert make.events_of(DIALECT, chunks) == events


def test_the_vendors_chunks_are_read_too() -> None:
    """Deltas, usage on the last chunk, and [DONE]."""
    reader = DIALECT.reader()
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": None}]},
        {
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        },
    ]
    events = [event for one in chunks for event in reader.feed(json.dumps(one).encode())]
    assert events + reader.feed(b"[DONE]") + reader.close() == make.stream()


def test_what_cannot_be_read_is_a_fault() -> None:
    """A stream without its end, and rubbish, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, chunk("a"))


def test_limits_are_renamed() -> None:
    """Other vendors' names of a limit become Mistral's."""
    request = ConverseRequest(
        messages=[make.said("user", "hi")],
        inference_config=InferenceConfig(temperature=0.5),
        additional_model_request_fields={"max_gen_len": 7, "reasoning_effort": "low"},
    )
    body, ledger = make.write(DIALECT, request)
    assert (body["max_tokens"], body["temperature"]) == (7, 0.5)
    assert ledger.dropped == ["additionalModelRequestFields.reasoning_effort"]


THOUGHTS = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True}


def test_thoughts_of_a_reasoning_model_are_kept() -> None:
    """Magistral answers with a list of thoughts and texts, whole and in pieces."""
    said = {"role": "assistant", "content": [THOUGHTS, {"type": "text", "text": "Hi"}]}
    body = {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
    blocks = DIALECT.read_reply(json.dumps(body).encode()).output.message.content
    assert [block.kind for block in blocks] == ["reasoningContent", "text"]
    reader = DIALECT.reader()
    events: list[StreamEvent] = []
    for delta in ({"content": [THOUGHTS]}, {"content": [{"type": "text", "text": "Hi"}]}, {"content": ' "content": ['}):
        events += reader.feed(json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode())
    assert events == [
        e.MessageStart("assistant"),
        BlockDelta(Delta(reasoning_content=e.ReasoningDelta(text="hm")), 0),
        BlockStop(0),
        BlockDelta(Delta("Hi"), 1),
        BlockDelta(Delta(' "content": ['), 1),
    ]
