"""Amazon Titan text, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import (
    BlockStop,
    MessageStart,
    MessageStop,
    StreamEvent,
    StreamMetadata,
    text_delta,
)
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Ledger, Outgoing, Shown
from craton.models.dialects.titan_text import AmazonTitanText

DIALECT: Dialect = AmazonTitanText()


def said(role: Any, text: str) -> Message:
    return Message(role, [ContentBlock(text=text)])


def shown() -> Shown:
    return Shown("amazon.titan-text-express-v1", ConverseRequest(), "r-1")


def write(request: ConverseRequest) -> tuple[dict[str, Any], Ledger]:
    ledger = Ledger()
    return json.loads(DIALECT.write_request(request, Outgoing("m", stream=False, ledger=ledger))), ledger


def read(**body: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("What is it?", [("user", "What is it?")]),
        ("User: hi\nBot:", [("user", "hi")]),
        ("User: hi\nBot: ", [("user", "hi")]),
        ("User: hi\nBot: hello\nUser: more\nBot:", [("user", "hi"), ("assistant", "hello"), ("user", "more")]),
        ("User: a\nUser: b\nBot:", [("user", "a\nb")]),
        ("User: hi\nBot: {", [("user", "hi"), ("assistant", "{")]),
        ("User: hi", [("user", "User: hi")]),
        ("Answer.\nUser: hi\nBot:", [("user", "Answer.\nUser: hi\nBot:")]),
    ],
)
def test_a_prompt_is_read_as_turns_if_it_is_written_so(text: str, turns: list[tuple[str, str]]) -> None:
    """Only the convention of AWS's page makes turns; any other text is one user message, word for word."""
    assert read(inputText=text).messages == [said(role, words) for role, words in turns]


def test_the_generation_config_is_read() -> None:
    """Each parameter has its place in Converse."""
    config = {"maxTokenCount": 9, "temperature": 0, "topP": 1, "stopSequences": ["User:"]}
    assert read(inputText="x", textGenerationConfig=config).inference_config == InferenceConfig(9, 0, 1, ["User:"])
    assert read(inputText="x", textGenerationConfig={}).inference_config is None


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [inputText] not found"),
        ({"inputText": ""}, "#/inputText: expected minLength: 1, actual: 0"),
        ({"inputText": "x", "prompt": "y"}, "#: extraneous key [prompt] is not permitted"),
        (
            {"inputText": "x", "textGenerationConfig": {"topP": 0}},
            "#/textGenerationConfig/topP: 0 is not greater than 0",
        ),
        (
            {"inputText": "x", "textGenerationConfig": {"maxTokenCount": 9000}},
            "#/textGenerationConfig/maxTokenCount: 9000 is not less or equal to 8192",
        ),
        ({"inputTex": "x"}, "2 schema violations found"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    with pytest.raises(Fault) as caught:
        read(**body)
    assert caught.value.message == f"Malformed input request: {violation}, please reformat your input and try again."


SAID = st.text(max_size=20).filter(lambda text: text.strip() != "" and "\n" not in text)
CONFIG = st.builds(
    InferenceConfig,
    st.none() | st.integers(1, 8192),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1, exclude_min=True),
    st.none() | st.lists(st.text(min_size=1, max_size=5), max_size=3),
)


@given(st.lists(st.tuples(SAID, SAID), max_size=3), SAID, CONFIG)
def test_what_is_written_reads_the_same(pairs: list[tuple[str, str]], last: str, config: InferenceConfig) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    request = ConverseRequest(
        messages=[said(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
        + [said("user", last)],
        inference_config=None if config == InferenceConfig() else config,
    )
    body, ledger = write(request)
    again = read(**body)
    assert again == request
    assert write(again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_what_titan_lacks_is_entered() -> None:
    """A system prompt is dropped, foreign parameters find their place or are dropped."""
    request = ConverseRequest(
        messages=[said("user", "x")],
        system=[SystemBlock(text="s")],
        additional_model_request_fields={"max_tokens": 4, "top_k": 2, "textGenerationConfig": {"topP": 0.5}},
    )
    body, ledger = write(request)
    assert body == {"inputText": "User: x\nBot:", "textGenerationConfig": {"maxTokenCount": 4, "topP": 0.5}}
    assert ledger.dropped == ["system", "additionalModelRequestFields.top_k"]


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ("FINISHED", "end_turn"),
        ("LENGTH", "max_tokens"),
        ("STOP_CRITERIA_MET", "stop_sequence"),
        ("CONTENT_FILTERED", "content_filtered"),
    ],
)
def test_replies_translate_both_ways(completion: str, reason: str) -> None:
    """Text, counts and reason survive the way there and back."""
    body = {
        "inputTextTokenCount": 3,
        "results": [{"tokenCount": 2, "outputText": "\nHi", "completionReason": completion}],
    }
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert (reply.stop_reason, reply.usage) == (reason, usage(3, 2))
    assert reply.output.message.content == [ContentBlock(text="\nHi")]
    assert json.loads(DIALECT.write_reply(reply, shown())) == body


@pytest.mark.parametrize("body", [b"{", b'{"results":[]}', b'{"message":"no"}'])
def test_an_unreadable_reply_is_the_models_fault(body: bytes) -> None:
    """Rubbish from an upstream is a ModelErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"


EVENTS: list[StreamEvent] = [
    MessageStart("assistant"),
    text_delta("Hel", 0),
    text_delta('l"o', 0),
    BlockStop(0),
    MessageStop("max_tokens"),
    StreamMetadata(usage(3, 2), Metrics(0)),
]


def test_a_stream_is_written_as_titan_streams() -> None:
    """Each delta is a chunk at once; counts, reason and metrics come on the last."""
    writer = DIALECT.writer(shown())
    first, second = [json.loads(chunk) for event in EVENTS for chunk in writer.write(event)]
    assert first == {
        "outputText": "Hel",
        "index": 0,
        "totalOutputTextTokenCount": None,
        "completionReason": None,
        "inputTextTokenCount": None,
    }
    assert second["outputText"] == 'l"o'
    (last,) = [json.loads(chunk) for chunk in writer.finish(InvocationMetrics(3, 2, 10, 5))]
    assert last.pop("amazon-bedrock-invocationMetrics")["outputTokenCount"] == 2
    assert last == {
        "outputText": "",
        "index": 0,
        "totalOutputTextTokenCount": 2,
        "completionReason": "LENGTH",
        "inputTextTokenCount": 3,
    }


def test_a_written_stream_reads_as_the_same_events() -> None:
    """Reader and writer agree, and what follows the end is ignored."""
    writer, reader = DIALECT.writer(shown()), DIALECT.reader()
    chunks = [chunk for event in EVENTS for chunk in writer.write(event)]
    chunks += writer.finish(InvocationMetrics(3, 2, 10, 5))
    events: list[StreamEvent] = [event for chunk in chunks for event in reader.feed(chunk)]
    assert events == EVENTS
    assert reader.feed(b"{}") == [] == reader.close()


def test_the_count_of_the_first_chunk_is_remembered() -> None:
    """Titan itself tells the input's count with the first piece."""
    reader = DIALECT.reader()
    reader.feed(b'{"outputText":"a","index":0,"inputTextTokenCount":7}')
    events = reader.feed(b'{"outputText":"b","completionReason":"FINISH","totalOutputTextTokenCount":2}')
    assert events[-1] == StreamMetadata(usage(7, 2), Metrics(0))


def test_a_stream_that_breaks_off_is_a_fault() -> None:
    """A stream without its end, or with rubbish in it, raises ModelStreamErrorException."""
    reader = DIALECT.reader()
    reader.feed(b'{"outputText":"a"}')
    for broken in (reader.close, lambda: reader.feed(b'{"outputText":3}')):
        with pytest.raises(Fault) as caught:
            broken()
        assert caught.value.name == "ModelStreamErrorException"
