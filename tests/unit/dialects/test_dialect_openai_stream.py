"""OpenAI chat: streams, both ways, cut as servers cut them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from craton.aws.wire.faults import Fault
from craton.models.canon import events as e
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from tests.unit.dialects import dialect_conversations as make

DIALECT = OpenAIChat(clock=lambda: 1_700_000_000.5)
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
END = [e.StreamMetadata(usage(7, 3), Metrics(0))]


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish} | members.pop("choice", {})
    return {"id": "x", "object": "chat.completion.chunk", "choices": [choice]} | members


def piece(index: int | None, arguments: Any = "", *, id_: str | None = None, name: str | None = None) -> dict[str, Any]:
    call: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id_ is not None:
        call |= {"id": id_, "type": "function"}
    if name is not None:
        call["function"]["name"] = name
    return chunk({"tool_calls": [call]})


USED = {"id": "x", "choices": [], "usage": USAGE}
FIRST = chunk({"role": "assistant", "content": ""})


def events_of(stream: list[Any], *, tag: str = "", done: bool = True) -> list[StreamEvent]:
    reader = OpenAIChat(head_tag=tag).reader()
    found = [event for one in stream for event in reader.feed(json.dumps(one).encode())]
    if done:
        found += reader.feed(b"[DONE]")
    return found + reader.close()


def thought(text: str, index: int = 0) -> BlockDelta:
    return BlockDelta(Delta(reasoning_content=e.ReasoningDelta(text=text)), index)


def start(index: int, id_: str, name: str) -> BlockStart:
    return BlockStart(e.Start(tool_use=e.ToolUseStart(id_, name)), index)


def argument(text: str, index: int) -> BlockDelta:
    return BlockDelta(Delta(tool_use=e.ToolUseDelta(text)), index)


def test_openai_stream_becomes_converse_events() -> None:
    """Reasoning, then text, then two calls: a block each, one after the other, usage last."""
    stream = [
        FIRST,
        chunk({"reasoning_content": "h"}),
        chunk({"reasoning_content": "m"}),
        chunk({"content": "Hé"}),
        chunk({"content": ""}),
        chunk({"content": "llo"}),
        piece(0, id_="call_1", name="f"),
        piece(0, '{"a"'),
        piece(0, ": 1}"),
        piece(1, '{"b":2}', id_="call_2", name="g"),
        chunk({}, "tool_calls"),
        USED,
    ]
    assert events_of(stream) == [
        e.MessageStart("assistant"),
        thought("h"),
        thought("m"),
        BlockStop(0),
        e.text_delta("Hé", 1),
        e.text_delta("llo", 1),
        BlockStop(1),
        start(2, "call_1", "f"),
        argument('{"a"', 2),
        argument(": 1}", 2),
        BlockStop(2),
        start(3, "call_2", "g"),
        argument('{"b":2}', 3),
        BlockStop(3),
        e.MessageStop("tool_use"),
        *END,
    ]


ENDINGS = [
    ([chunk({}, "stop"), USED], True),
    ([chunk({}, "stop") | {"usage": USAGE}], True),
    ([chunk({}, "stop") | {"usage": USAGE}], False),
    ([chunk({"content": None}, "stop"), USED, USED], True),
    ([chunk({}, "stop"), {"choices": None, "usage": USAGE}], False),
]


@pytest.mark.parametrize(("ending", "done"), ENDINGS)
def test_openai_usage_comes_where_a_server_puts_it(ending: list[Any], done: bool) -> None:
    """In the last chunk or one of its own, with `[DONE]` or without, it is told once."""
    found = events_of([FIRST, chunk({"content": "x"}), *ending], done=done)
    assert found == [e.MessageStart("assistant"), e.text_delta("x", 0), BlockStop(0), e.MessageStop("end_turn"), *END]


def test_openai_usage_comes_with_the_chunk_that_tells_it() -> None:
    """Whoever passes chunks on must know which one is the last."""
    reader = DIALECT.reader()
    for one in (FIRST, chunk({"content": "x"}), chunk({}, "stop")):
        assert not [event for event in reader.feed(json.dumps(one).encode()) if isinstance(event, e.StreamMetadata)]
    assert reader.feed(json.dumps(USED).encode()) == END


def test_openai_stream_without_usage_says_zero() -> None:
    """A server that tells none leaves nothing to invent."""
    assert events_of([FIRST, chunk({}, "length")])[-2:] == [
        e.MessageStop("max_tokens"),
        e.StreamMetadata(usage(0, 0), Metrics(0)),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=8), st.booleans())
def test_openai_arguments_survive_any_slicing(cuts: list[int], name_apart: bool) -> None:
    """However the arguments are cut, their pieces join to the same text, and the call starts once."""
    text = '{"city":"São Paulo","days":[1,2,3]}'
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [piece(0, text[a:b]) for a, b in pairwise(edges)]
    head = [piece(0, id_="c", name="wea"), piece(0, name="ther")] if name_apart else [piece(0, id_="c", name="weather")]
    found = events_of([FIRST, *head, *pieces, chunk({}, "tool_calls"), USED])
    assert [event for event in found if isinstance(event, BlockStart)] == [start(0, "c", "weather")]
    inputs = [event.delta.tool_use.input for event in found if isinstance(event, BlockDelta) and event.delta.tool_use]
    assert "".join(inputs) == text


SERVERS: dict[str, list[Any]] = {
    "no index": [piece(None, "{}", id_="a", name="f"), piece(None, "{}", id_="b", name="g")],
    "one index for all": [piece(0, "{}", id_="a", name="f"), piece(0, "{}", id_="b", name="g")],
    "id and name again with each piece": [
        piece(0, "{", id_="a", name="f"), piece(0, "}", id_="a", name="f"), piece(1, "{}", id_="b", name="g"),
    ],
    "name again before the arguments": [piece(0, "", id_="a", name="f"), piece(0, "{}", name="f"), piece(1, "{}", id_="b", name="g")],
    "both in one chunk": [chunk({"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": {}}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}},
    ]})],
}  # fmt: skip


@pytest.mark.parametrize("stream", SERVERS.values(), ids=SERVERS)
def test_openai_calls_are_told_apart_as_servers_number_them(stream: list[Any]) -> None:
    """By index where it says something, else by id."""
    found = events_of([FIRST, *stream, chunk({}, "tool_calls"), USED])
    assert [event for event in found if isinstance(event, BlockStart)] == [start(0, "a", "f"), start(1, "b", "g")]
    stops = [event.content_block_index for event in found if isinstance(event, BlockStop)]
    assert stops == [0, 1]


def test_openai_call_without_arguments_still_starts() -> None:
    """A call with nothing to say is a block without a delta; a missing id is made up."""
    found = events_of([FIRST, piece(0, name="f"), chunk({}, "stop"), USED])
    assert isinstance(found[1], BlockStart)
    assert found[1].start.tool_use is not None
    assert found[1].start.tool_use.tool_use_id.startswith("tooluse_")
    assert found[2:] == [BlockStop(0), e.MessageStop("tool_use"), *END]


def test_openai_pieces_of_a_call_that_has_ended_are_an_error() -> None:
    """Interleaved calls cannot be shown as blocks one after the other."""
    stream = [FIRST, piece(0, "{", id_="a", name="f"), piece(1, "{}", id_="b", name="g"), piece(0, "}")]
    with pytest.raises(Fault) as caught:
        events_of(stream)
    assert caught.value.name == "ModelStreamErrorException"


def test_openai_stop_sequence_is_named_in_a_stream() -> None:
    """vLLM says which stop sequence ended the answer."""
    found = events_of([FIRST, chunk({}, "stop", choice={"stop_reason": "END"}), USED])
    assert found[-2] == e.MessageStop("stop_sequence", stop_sequence="END")


def test_openai_further_choices_are_left_out() -> None:
    """Converse has one answer."""
    other = chunk({"content": "no"}, choice={"index": 1})
    assert events_of([FIRST, other, chunk({"content": "yes"}), other, chunk({}, "stop"), USED])[1] == e.text_delta(
        "yes", 0
    )


ERRORS: list[tuple[Any, str]] = [
    ({"message": "no", "code": 429}, "ThrottlingException"),
    ({"message": "no", "type": "overloaded_error"}, "ServiceUnavailableException"),
    ({"message": "no", "type": "BadRequestError", "code": 400}, "ValidationException"),
    ({"message": "no", "type": "server_error", "code": None}, "ModelStreamErrorException"),
    ("no", "ModelStreamErrorException"),
    ([1], "ModelStreamErrorException"),
]


@pytest.mark.parametrize(("error", "name"), ERRORS)
def test_openai_errors_in_a_stream_become_faults(error: Any, name: str) -> None:
    """An error inside the stream is raised by its code or kind."""
    with pytest.raises(Fault) as caught:
        events_of([FIRST, {"error": error}])
    assert caught.value.name == name


def test_openai_earlier_form_of_an_error_is_known() -> None:
    """Earlier versions of vLLM put the error's members at the top."""
    with pytest.raises(Fault) as caught:
        events_of([FIRST, {"object": "error", "message": "no", "type": "BadRequestError", "code": 400}])
    assert caught.value.message == "The model returned the following errors: no"


@pytest.mark.parametrize("stream", [[], [FIRST], [FIRST, chunk({"content": "x"})]])
def test_openai_stream_without_its_end_is_an_error(stream: list[Any]) -> None:
    """Neither a finish reason nor `[DONE]`: the upstream was cut."""
    with pytest.raises(Fault) as caught:
        events_of(stream, done=False)
    assert caught.value.name == "ModelStreamErrorException"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 10_000, b'{"choices":[{"delta":{"content":1}}]}'])
def test_openai_unreadable_piece_is_an_error(data: bytes) -> None:
    """Half an event or rubbish is the model's failure."""
    with pytest.raises(Fault) as caught:
        DIALECT.reader().feed(data)
    assert caught.value.name == "ModelStreamErrorException"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            "<think>plan</think>\n\nanswer",
            "<think></think>answer",
            "no tag </think>",
            "<thin air",
            "\n<think>a<b</think>x",
        ]
    ),
    st.lists(st.integers(1, 25), max_size=8),
)
def test_openai_reasoning_at_the_head_is_parted_however_it_is_cut(text: str, cuts: list[int]) -> None:
    """The stream gives the same reasoning and text as the whole reply does."""
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [chunk({"content": text[a:b]}) for a, b in pairwise(edges)]
    found = [
        event.delta for event in events_of([*pieces, chunk({}, "stop")], tag="think") if isinstance(event, BlockDelta)
    ]
    whole = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    blocks = OpenAIChat(head_tag="think").read_reply(json.dumps(whole).encode()).output.message.content
    expected = "".join(
        b.reasoning_content.reasoning_text.text
        for b in blocks
        if b.reasoning_content and b.reasoning_content.reasoning_text
    )
    assert "".join(d.reasoning_content.text or "" for d in found if d.reasoning_content) == expected
    assert "".join(d.text or "" for d in found) == "".join(b.text or "" for b in blocks)


EVENTS: list[StreamEvent] = [
    e.MessageStart("assistant"),
    thought("hm"),
    BlockStop(0),
    e.text_delta('a "b"\n', 1),
    BlockStop(1),
    start(2, "call_1", "f"),
    argument('{"a":', 2),
    argument("1}", 2),
    BlockStop(2),
    start(3, "call_2", "g"),
    argument("{}", 3),
    BlockStop(3),
    e.MessageStop("tool_use"),
    *END,
]


def test_openai_stream_is_written_as_its_sdk_reads_it() -> None:
    """The vendor's own type takes each chunk; with the usage asked for, the reader gets the same events back."""
    request = ConverseRequest(additional_model_request_fields={"stream_options": {"include_usage": True}})
    writer = DIALECT.writer(make.shown("qwen.qwen3-32b-v1:0", request))
    chunks = [one for event in EVENTS for one in writer.write(event)] + writer.finish(make.METRICS)
    for one in chunks:
        ChatCompletionChunk.model_validate_json(one, strict=True)
    assert "amazon-bedrock-invocationMetrics" in json.loads(chunks[-1])
    assert events_of([json.loads(one) for one in chunks], done=False) == EVENTS


def test_openai_last_chunk_has_the_reason_and_the_metrics() -> None:
    """Without the usage asked for, the finish reason comes last, and no `[DONE]`."""
    writer = DIALECT.writer(make.shown())
    for event in EVENTS[:4]:
        writer.write(event)
    writer.write(e.MessageStop("max_tokens"))
    writer.write(END[0])
    last = writer.finish(make.METRICS)
    assert len(last) == 1
    assert json.loads(last[0])["choices"][0]["finish_reason"] == "length"
    assert json.loads(last[0])["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == 7


def test_openai_gpt_oss_streams_reasoning_at_the_head_of_the_text() -> None:
    """InvokeModel of gpt-oss opens and closes a tag in the text."""
    writer = DIALECT.writer(make.shown("openai.gpt-oss-120b-1:0"))
    deltas = [json.loads(one)["choices"][0]["delta"] for event in EVENTS[:5] for one in writer.write(event)]
    assert "".join(delta.get("content", "") for delta in deltas) == '<reasoning>hm</reasoning>a "b"\n'
