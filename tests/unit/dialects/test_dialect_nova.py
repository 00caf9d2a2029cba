"""Amazon Nova: bodies, replies and streams, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import events as e
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.nova.dialect import Nova
from tests.unit.dialects import dialect_conversations as make

DIALECT = Nova()
BODY: dict[str, Any] = {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def read(**members: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(BODY | members).encode())


def written(request: ConverseRequest) -> tuple[dict[str, Any], Any]:
    out = make.outgoing()
    return json.loads(DIALECT.write_request(request, out)), out.ledger


document = make.blobs.map(lambda b: ContentBlock(document=c.DocumentBlock("d", c.DocumentSource(bytes=b), "pdf")))
parts = st.one_of(
    make.texts.map(lambda t: c.ToolResultContent(text=t)), make.raw_objects.map(lambda v: c.ToolResultContent(json=v))
)
point = st.just(ContentBlock(cache_point=c.CachePoint("default")))
user_block = st.one_of(
    make.text(),
    make.image(),
    make.video(),
    document,
    point,
    make.tool_result(parts, st.sampled_from([None, "success", "error"])),
)
user = st.lists(user_block, min_size=1, max_size=3)
assistant = st.lists(st.one_of(make.text(), make.tool_use(), make.reasoning(signed=False)), min_size=1, max_size=3)
extras = st.none() | st.fixed_dictionaries(
    {"inferenceConfig": st.fixed_dictionaries({"topK": st.integers(0, 128)})},
    optional={"reasoningConfig": st.just({"type": "enabled", "maxReasoningEffort": "low"}), "brand_new": make.objects},
)


def without_strictness(config: r.ToolConfig | None) -> r.ToolConfig | None:
    for tool in config.tools if config is not None else ():
        if tool.tool_spec is not None:
            tool.tool_spec.strict = None
    return config


requests = st.builds(
    ConverseRequest,
    messages=make.turns(user, assistant),
    system=st.none() | st.lists(make.texts.map(lambda t: r.SystemBlock(text=t)), min_size=1, max_size=2),
    inference_config=make.inference,
    tool_config=make.tool_config(make.every_choice).map(without_strictness),
    additional_model_request_fields=extras,
)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_nova_reads_back_what_it_writes(request: ConverseRequest) -> None:
    """Every request that the schema can carry survives the way out and in, with an empty ledger."""
    out = make.outgoing()
    assert DIALECT.read_request(DIALECT.write_request(request, out)) == request
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


FULL: dict[str, Any] = {
    "schemaVersion": "messages-v1",
    "system": [{"text": "s"}, {"cachePoint": {"type": "default"}}],
    "messages": [
        {"role": "user", "content": [
            {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
            {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/v.mp4"}}}},
            {"text": "what?"},
        ]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"b": 2}}], "status": "success"}}]},
    ],
    "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "topK": 20, "stopSequences": ["x"]},
    "toolConfig": {"tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}],
                   "toolChoice": {"any": {}}},
    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"},
}  # fmt: skip


def test_nova_writes_back_the_body_it_read() -> None:
    """A canonical body comes out as it went in."""
    body, ledger = written(DIALECT.read_request(json.dumps(FULL).encode()))
    assert body == FULL
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_nova_first_name_of_the_limit_is_read() -> None:
    """The first versions said `max_new_tokens`."""
    assert read(inferenceConfig={"max_new_tokens": 5}).inference_config == InferenceConfig(max_tokens=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": None}, "#/messages: expected type: JSONArray, found: Null"),
        ({"inferenceConfig": {"maxTokens": 0}}, "#/inferenceConfig/maxTokens: 0 is not greater or equal to 1"),
        ({"inferenceConfig": {"temperature": 3}}, "#/inferenceConfig/temperature: 3 is not less or equal to 1"),
        ({"schemaVersion": "v9"}, "#/schemaVersion: v9 is not a valid enum value"),
    ],
)
def test_nova_bad_bodies_get_bedrocks_words(change: dict[str, Any], message: str) -> None:
    """A body that does not fit is a ValidationException that says where."""
    with pytest.raises(Fault) as caught:
        read(**change)
    assert caught.value.message == f"Malformed input request: {message}, please reformat your input and try again."


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 10_000])
def test_nova_rubbish_is_a_validation_exception(body: bytes) -> None:
    """Bytes that are no body never raise anything else."""
    with pytest.raises(Fault, match="Malformed input request"):
        DIALECT.read_request(body)


def test_nova_content_that_it_lacks_becomes_text_or_is_named() -> None:
    """Search results and citations are said in words, the text of a document becomes bytes."""
    blocks = [
        ContentBlock(search_result=c.SearchResultBlock("s", "t", [c.SearchResultContent("q")])),
        ContentBlock(citations_content=c.CitationsContent([c.TextPart("said")], [])),
        ContentBlock(document=c.DocumentBlock("d", c.DocumentSource(text="words"), None, "why")),
        ContentBlock(guard_content=c.GuardContent(text=c.GuardText("look"))),
    ]
    request = ConverseRequest(messages=[Message("user", blocks)])
    body, ledger = written(request)
    content = body["messages"][0]["content"]
    assert content[1:] == [
        {"text": "said"},
        {"document": {"name": "d", "source": {"bytes": "d29yZHM="}, "format": "txt"}},
        {"text": "look"},
    ]
    at = "messages.0.content"
    assert ledger.emulated == [f"{at}.0.searchResult", f"{at}.1.citationsContent", f"{at}.2.document"]
    assert ledger.dropped == [f"{at}.2.document.context"]
    assert request.messages == [Message("user", blocks)]


def test_nova_has_no_schema_for_answers_and_no_strict_tools() -> None:
    """Both are named; an effort becomes Nova's own."""
    wanted = r.OutputConfig(r.TextFormat("json_schema", r.FormatStructure(r.JsonSchema("{}"))), "max")
    spec = r.ToolSpec("f", r.InputSchema(c.Raw(b"{}")), strict=True)
    body, ledger = written(make.asked(output_config=wanted, tool_config=r.ToolConfig([r.Tool(tool_spec=spec)])))
    assert ledger.dropped == ["toolConfig.tools.0.toolSpec.strict", "outputConfig.textFormat"]
    assert body["reasoningConfig"] == {"type": "enabled", "maxReasoningEffort": "high"}


FOREIGN: list[tuple[dict[str, Any], str, Any]] = [
    ({"top_k": 5}, "inferenceConfig", {"maxTokens": 10, "topK": 5}),
    ({"stop": ["x"]}, "inferenceConfig", {"maxTokens": 10, "stopSequences": ["x"]}),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 4096}},
        "reasoningConfig",
        {"type": "enabled", "maxReasoningEffort": "medium"},
    ),
    ({"reasoning_effort": "minimal"}, "reasoningConfig", {"type": "enabled", "maxReasoningEffort": "low"}),
]


@pytest.mark.parametrize(("fields", "name", "value"), FOREIGN, ids=[str(fields) for fields, _, _ in FOREIGN])
def test_nova_extra_fields_of_other_schemas_are_translated(fields: Any, name: str, value: Any) -> None:
    """A field with an equivalent here arrives under its name and place here."""
    body, ledger = written(make.asked(additional_model_request_fields=fields))
    assert body[name] == value
    assert ledger.dropped == []


def test_nova_extra_fields_without_equivalent_are_dropped() -> None:
    """What only another schema has is named in the ledger; what nobody knows is Bedrock's to judge."""
    _, ledger = written(make.asked(additional_model_request_fields={"seed": 1, "anthropic_beta": []}))
    assert ledger.dropped == ["additionalModelRequestFields.seed", "additionalModelRequestFields.anthropic_beta"]


def test_nova_reply_goes_both_ways() -> None:
    """Blocks are the canon's; the cache's tokens have names of their own."""
    reply = make.answered(
        ContentBlock(text="hi"), ContentBlock(tool_use=c.ToolUseBlock("t", "f", c.Raw(b"{}"))), stop="tool_use"
    )
    reply.usage = usage(7, 3, 2, 0)
    body = DIALECT.write_reply(reply, make.shown())
    assert json.loads(body)["usage"] == {
        "inputTokens": 7, "outputTokens": 3, "totalTokens": 12, "cacheReadInputTokenCount": 2, "cacheWriteInputTokenCount": 0,
    }  # fmt: skip
    assert DIALECT.read_reply(body) == reply


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"output":{"message":{}}}', b"\xff"])
def test_nova_unreadable_reply_is_a_model_error(body: bytes) -> None:
    """A reply that is none is the model's failure."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"


STREAM: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "hé"}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t", "name": "f"}}, "contentBlockIndex": 1}},
    {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 1}},
    {"contentBlockStop": {"contentBlockIndex": 1}},
    {"messageStop": {"stopReason": "tool_use"}},
    {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, "metrics": {}, "trace": {}}},
]
EVENTS: list[StreamEvent] = [
    e.MessageStart("assistant"),
    e.text_delta("hé", 0),
    BlockStop(0),
    BlockStart(e.Start(tool_use=e.ToolUseStart("t", "f")), 1),
    BlockDelta(Delta(tool_use=e.ToolUseDelta("{}")), 1),
    BlockStop(1),
    e.MessageStop("tool_use"),
    e.StreamMetadata(usage(7, 3), Metrics(0)),
]


def events_of(stream: list[dict[str, Any]]) -> list[StreamEvent]:
    reader = DIALECT.reader()
    return [event for piece in stream for event in reader.feed(json.dumps(piece).encode())] + reader.close()


def test_nova_stream_becomes_converse_events() -> None:
    """Each chunk is one event; a start that says nothing is left out."""
    empty = {"contentBlockStart": {"start": {}, "contentBlockIndex": 0}}
    assert events_of([STREAM[0], empty, *STREAM[1:]]) == EVENTS


def test_nova_stream_is_written_with_the_metrics_last() -> None:
    """The chunks of the stream that was read, and the metrics on the one with the usage."""
    writer = DIALECT.writer(make.shown())
    chunks = [json.loads(chunk) for event in EVENTS for chunk in writer.write(event)]
    last = [json.loads(chunk) for chunk in writer.finish(make.METRICS)]
    assert chunks == STREAM[:-1]
    assert last[0].pop("amazon-bedrock-invocationMetrics")["inputTokenCount"] == 7
    assert last == STREAM[-1:]


def test_nova_stream_without_its_end_is_an_error() -> None:
    """A stream without `messageStop` was cut; without `metadata` it only tells no usage."""
    with pytest.raises(Fault) as caught:
        events_of(STREAM[:3])
    assert caught.value.name == "ModelStreamErrorException"
    assert events_of(STREAM[:-1])[-1] == e.StreamMetadata(usage(0, 0), Metrics(0))


@pytest.mark.parametrize(
    "piece", [b"", b"{", b"[]", b"\xff", b'{"contentBlockStart":{"contentBlockIndex":0,"start":{"x":1}}}']
)
def test_nova_unreadable_piece_is_an_error(piece: bytes) -> None:
    """Half an event or rubbish is the model's failure."""
    with pytest.raises(Fault) as caught:
        DIALECT.reader().feed(piece)
    assert caught.value.name == "ModelStreamErrorException"
