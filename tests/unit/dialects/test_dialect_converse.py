"""Converse itself as a schema, for targets that are the real Bedrock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import events as e
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.amazon_converse import AmazonConverse
from tests.unit.dialects import dialect_conversations as make

DIALECT = AmazonConverse()

parts = st.one_of(
    make.texts.map(lambda t: c.ToolResultContent(text=t)), make.raw_objects.map(lambda v: c.ToolResultContent(json=v))
)
point = st.just(ContentBlock(cache_point=c.CachePoint("default")))
user = st.lists(
    st.one_of(make.text(), make.image(), make.video(), make.audio(), point, make.tool_result(parts, st.none())),
    min_size=1,
    max_size=3,
)
assistant = st.lists(st.one_of(make.text(), make.tool_use(), make.reasoning(signed=True)), min_size=1, max_size=3)
requests = st.builds(
    ConverseRequest,
    messages=make.turns(user, assistant),
    system=st.none() | make.texts.map(lambda t: [r.SystemBlock(text=t)]),
    inference_config=make.inference,
    tool_config=make.tool_config(make.every_choice),
    additional_model_request_fields=st.none() | make.objects,
)


@settings(max_examples=100, deadline=None)
@given(requests)
def test_converse_reads_back_what_it_writes(request: ConverseRequest) -> None:
    """Everything that Converse has survives."""
    out = make.outgoing()
    assert DIALECT.read_request(DIALECT.write_request(request, out)) == request
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


def test_converse_leaves_out_what_is_not_the_targets() -> None:
    """The model stands in the path; guardrails and prompts are resources of another account."""
    out = make.outgoing()
    request = make.asked(
        guardrail_config=r.GuardrailConfig(trace="enabled"), prompt_variables={"a": r.PromptVariable(text="b")}
    )
    request.model_id = "caller's"
    assert set(json.loads(DIALECT.write_request(request, out))) == {"messages", "inferenceConfig"}
    assert out.ledger.dropped == ["guardrailConfig", "promptVariables"]


def test_converse_reply_both_ways() -> None:
    """A reply is the canon's own."""
    reply = make.answered(ContentBlock(text="Hi"), stop="stop_sequence")
    reply.additional_model_response_fields = {"stop_sequence": "x"}
    read = DIALECT.read_reply(DIALECT.write_reply(reply, make.shown()))
    assert read.stop_sequence == "x"
    assert (read.output, read.usage, read.stop_reason) == (reply.output, reply.usage, reply.stop_reason)


EVENTS: list[StreamEvent] = [
    e.MessageStart("assistant"),
    BlockDelta(Delta("Hi"), 0),
    BlockStop(0),
    BlockStart(e.Start(tool_use=e.ToolUseStart("t", "f")), 1),
    BlockDelta(Delta(tool_use=e.ToolUseDelta("{}")), 1),
    BlockStop(1),
    e.MessageStop("tool_use"),
    e.StreamMetadata(usage(7, 3), Metrics(4)),
]


def test_converse_stream_both_ways() -> None:
    """Events written as chunks are read as the same events, the metrics on the last one."""
    writer, reader = DIALECT.writer(make.shown()), DIALECT.reader()
    chunks = [chunk for event in EVENTS for chunk in writer.write(event)] + writer.finish(make.METRICS)
    assert "amazon-bedrock-invocationMetrics" in json.loads(chunks[-1])
    assert [event for chunk in chunks for event in reader.feed(chunk)] + reader.close() == EVENTS


@pytest.mark.parametrize(
    ("name", "value"),
    [("contentBlockDelta", {"delta": {"text": "a"}, "contentBlockIndex": 0, "p": "abc"}), ("somethingNew", {"a": 1})],
)
def test_converse_events_by_their_type(name: str, value: dict[str, Any]) -> None:
    """The filler is read over, and so is an event of a later version."""
    events = DIALECT.reader().feed(json.dumps(value).encode(), name)
    assert events == ([BlockDelta(Delta("a"), 0)] if name == "contentBlockDelta" else [])


@pytest.mark.parametrize("data", [b"", b"{", b"[]"])
def test_converse_streams_that_break(data: bytes) -> None:
    """Rubbish, and an end that comes too early, raise ModelStreamErrorException."""
    reader = DIALECT.reader()
    attempts: list[Callable[[], object]] = [
        lambda: reader.feed(data, "messageStop"),
        lambda: reader.feed(data),
        reader.close,
    ]
    for broken in attempts:
        with pytest.raises(Fault) as caught:
            broken()
        assert caught.value.name == "ModelStreamErrorException"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"output":{}}'])
def test_converse_replies_that_are_none(body: bytes) -> None:
    """Rubbish is a ModelErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"
