"""Gemini's streams, both ways."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon import events as e
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, usage
from craton.models.dialects.gemini.dialect import Gemini
from tests.unit.dialects import dialect_conversations as make

DIALECT = Gemini()

Block = tuple[str, list[str]]

blocks_of_a_stream = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.lists(make.texts, min_size=1, max_size=3)),
        st.tuples(st.just("thought"), st.lists(make.texts, min_size=1, max_size=2)),
        st.tuples(st.just("signed"), st.lists(make.names, min_size=1, max_size=1)),
        st.tuples(st.just("call"), make.raw_objects.map(lambda raw: [bytes(raw).decode()])),
    ),
    min_size=1,
    max_size=4,
).filter(
    lambda blocks: all(
        (one[0] != two[0] or one[0] == "call") and {one[0], two[0]} != {"thought", "signed"}
        for one, two in itertools.pairwise(blocks)
    )
)


def delta_of(kind: str, piece: str) -> Delta:
    if kind == "text":
        return Delta(piece)
    if kind == "thought":
        return Delta(reasoning_content=e.ReasoningDelta(text=piece))
    if kind == "signed":
        return Delta(reasoning_content=e.ReasoningDelta(signature=f"gemini:{piece}"))
    return Delta(tool_use=e.ToolUseDelta(piece))


def events_of(blocks: list[Block]) -> list[StreamEvent]:
    events: list[StreamEvent] = [e.MessageStart("assistant")]
    for place, (kind, pieces) in enumerate(blocks):
        if kind == "call":
            events.append(BlockStart(e.Start(tool_use=e.ToolUseStart(f"t{place}", "f")), place))
        events += [BlockDelta(delta_of(kind, piece), place) for piece in pieces]
        events.append(BlockStop(place))
    stop = e.MessageStop("tool_use" if any(kind == "call" for kind, _ in blocks) else "end_turn")
    return [*events, stop, e.StreamMetadata(usage(7, 3), Metrics(0))]


@settings(max_examples=100, deadline=None)
@given(blocks_of_a_stream)
def test_gemini_stream_reads_back_what_it_writes(blocks: list[Block]) -> None:
    """Events written as chunks are read as the same events, and only the last chunk has the metrics."""
    events = events_of(blocks)
    writer, reader = DIALECT.writer(make.shown()), DIALECT.reader()
    chunks = [chunk for event in events for chunk in writer.write(event)] + writer.finish(make.METRICS)
    assert [event for chunk in chunks for event in reader.feed(chunk)] + reader.close() == events
    marked = ["amazon-bedrock-invocationMetrics" in json.loads(chunk) for chunk in chunks]
    assert marked == [False] * (len(chunks) - 1) + [True]


def chunk(*parts: dict[str, Any], finish: str | None = None, **members: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return json.dumps({"candidates": [candidate], **members}).encode()


def test_gemini_stream_as_the_vendor_sends_it() -> None:
    """Usage in every chunk is told once, a signature ends its thought, the last part may be empty."""
    reader = DIALECT.reader()
    given = [
        chunk({"text": "hm", "thought": True}, usageMetadata={"promptTokenCount": 7}),
        chunk({"text": "Hel"}, usageMetadata={"promptTokenCount": 7, "candidatesTokenCount": 1}),
        chunk({"text": "lo"}),
        chunk(
            {"text": "", "thoughtSignature": "c2ln"},
            finish="STOP",
            usageMetadata={"promptTokenCount": 7, "candidatesTokenCount": 3},
        ),
    ]
    assert [event for data in given for event in reader.feed(data)] == [
        e.MessageStart("assistant"),
        BlockDelta(Delta(reasoning_content=e.ReasoningDelta(text="hm")), 0),
        BlockStop(0),
        BlockDelta(Delta("Hel"), 1),
        BlockDelta(Delta("lo"), 1),
        BlockStop(1),
        BlockDelta(Delta(reasoning_content=e.ReasoningDelta(signature="gemini:c2ln")), 2),
        BlockStop(2),
        e.MessageStop("end_turn"),
        e.StreamMetadata(usage(7, 3), Metrics(0)),
    ]
    assert reader.close() == []


def test_gemini_picture_in_a_stream() -> None:
    """A picture is a block of its own."""
    reader = DIALECT.reader()
    events = reader.feed(chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, finish="STOP"))
    assert isinstance(events[1], BlockStart)
    assert events[1].start.image == e.ImageStart("png")
    assert isinstance(events[2], BlockDelta)
    assert events[2].delta.image is not None


def test_gemini_usage_may_never_come() -> None:
    """Then the end of the stream tells none."""
    reader = DIALECT.reader()
    reader.feed(chunk({"text": "a"}, finish="STOP"))
    assert reader.close() == [e.StreamMetadata(usage(0, 0), Metrics(0))]


def test_gemini_refused_prompt_in_a_stream() -> None:
    """A refused prompt is an empty answer whose content was filtered."""
    reader = DIALECT.reader()
    events = reader.feed(b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}')
    assert e.MessageStop("content_filtered") in events
    assert events[-1] == e.StreamMetadata(usage(4, 0), Metrics(0))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"{", "ModelStreamErrorException"),
        (b"[]", "ModelStreamErrorException"),
        (b'{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}', "ThrottlingException"),
        (b'{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}', "ServiceUnavailableException"),
        (b'{"error":{"code":500,"message":"broke","status":"INTERNAL"}}', "ModelStreamErrorException"),
    ],
)
def test_gemini_streams_that_break(data: bytes, name: str) -> None:
    """Rubbish and the vendor's own errors end the stream with a fault of Bedrock's."""
    with pytest.raises(Fault) as caught:
        DIALECT.reader().feed(data)
    assert caught.value.name == name


def test_gemini_stream_that_is_cut() -> None:
    """Without a reason to stop a stream is not complete."""
    reader = DIALECT.reader()
    reader.feed(chunk({"text": "Hel"}))
    with pytest.raises(Fault):
        reader.close()
