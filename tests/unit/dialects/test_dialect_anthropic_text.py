"""Anthropic's text completions, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from craton.aws.wire.faults import Fault
from craton.models.canon.content import (
    CachePoint,
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    ImageBlock,
    MediaSource,
    Message,
)
from craton.models.canon.events import (
    BlockDelta,
    BlockStop,
    MessageStart,
    MessageStop,
    StreamEvent,
    StreamMetadata,
    text_delta,
)
from craton.models.canon.reply import Metrics, assistant_reply, usage
from craton.models.canon.request import (
    ConverseRequest,
    InferenceConfig,
    InputSchema,
    SystemBlock,
    Tool,
    ToolConfig,
    ToolSpec,
)
from craton.models.dialects.anthropic_text import AnthropicText
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Ledger, Outgoing, Shown

DIALECT: Dialect = AnthropicText()
METRICS = InvocationMetrics(3, 2, 10, 5)
PROMPT = "\n\nHuman: hi\n\nAssistant:"


def said(role: Any, text: str) -> Message:
    return Message(role, [ContentBlock(text=text)])


def shown() -> Shown:
    return Shown("anthropic.claude-v2", ConverseRequest(), "r-1")


def write(request: ConverseRequest) -> tuple[dict[str, Any], Ledger]:
    ledger = Ledger()
    return json.loads(
        DIALECT.write_request(request, Outgoing("m", stream=False, ledger=ledger, max_tokens=300))
    ), ledger


def read(**body: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(body).encode())


def test_a_prompt_becomes_turns() -> None:
    """Text before the first Human turn is the system prompt, the turns alternate, what is blank at the end is none."""
    request = read(
        prompt="Be brief.\n\nHuman: hi\n\nAssistant: hello\n\nHuman: more\n\nAssistant: ",
        max_tokens_to_sample=9,
        top_k=5,
        top_p=1,
        temperature=0,
        stop_sequences=["x"],
        anthropic_version="bedrock-2023-05-31",
    )
    assert request.system == [SystemBlock(text="Be brief.")]
    assert request.messages == [said("user", "hi"), said("assistant", "hello"), said("user", "more")]
    assert request.inference_config == InferenceConfig(9, 0, 1, ["x"])
    assert request.additional_model_request_fields == {"top_k": 5}


def test_a_prefill_is_kept() -> None:
    """Text after the last "Assistant:" begins the answer."""
    request = read(prompt="\n\nHuman: hi\n\nAssistant: {", max_tokens_to_sample=1)
    assert request.messages == [said("user", "hi"), said("assistant", "{")]
    assert write(request)[0]["prompt"] == "\n\nHuman: hi\n\nAssistant: {"


def test_turns_of_one_speaker_become_one() -> None:
    """Two Human turns in a row are one message."""
    request = read(prompt="\n\nHuman: a\n\nHuman: b\n\nAssistant:", max_tokens_to_sample=1)
    assert request.messages == [said("user", "a\n\nb")]


START = 'prompt must start with "\n\nHuman:" turn after an optional system prompt'
END = 'prompt must end with "\n\nAssistant:" turn'


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("hi", f"{START}, {END}"),
        ("", f"{START}, {END}"),
        ("Human: hi\n\nAssistant:", START),
        ("\n\nHuman: hi", END),
        ("\n\nHuman: hi\nAssistant:", END),
        ("\n\nAssistant: x\n\nHuman: hi", f"{START}, {END}"),
    ],
)
def test_a_prompt_without_its_turns_is_refused(prompt: str, text: str) -> None:
    """A prompt must begin with Human and end with Assistant, or Bedrock says so."""
    with pytest.raises(Fault) as caught:
        read(prompt=prompt, max_tokens_to_sample=1)
    assert (caught.value.name, caught.value.message) == ("ValidationException", f"Invalid prompt: {text}")


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({"prompt": PROMPT}, "#: required key [max_tokens_to_sample] not found"),
        ({"prompt": PROMPT, "max_tokens_to_sample": 5000}, "#/max_tokens_to_sample: 5000 is not less or equal to 4096"),
        (
            {"prompt": PROMPT, "max_tokens_to_sample": 5, "messages": []},
            "#: extraneous key [messages] is not permitted",
        ),
        ({"prompt": PROMPT, "max_tokens_to_sample": 5, "top_k": 501}, "#/top_k: 501 is not less or equal to 500"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    with pytest.raises(Fault) as caught:
        read(**body)
    assert caught.value.message == f"Malformed input request: {violation}, please reformat your input and try again."


def test_the_guardrails_member_is_not_the_models() -> None:
    """Bedrock's own member of a body is allowed and not passed on."""
    request = read(prompt=PROMPT, max_tokens_to_sample=5, **{"amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}})
    assert request.additional_model_request_fields is None


TEXT = st.text(max_size=20).filter(lambda text: "\n\n" not in text)
SAID = TEXT.filter(lambda text: text.strip() != "" and not text.startswith("\n") and not text.endswith("\n"))
REQUESTS = st.builds(
    lambda system, pairs, last, config, top_k: ConverseRequest(
        messages=[said(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
        + [said("user", last)],
        system=[SystemBlock(text=system)] if system else None,
        inference_config=config,
        additional_model_request_fields={"top_k": top_k} if top_k is not None else None,
    ),
    st.none() | SAID,
    st.lists(st.tuples(SAID, SAID), max_size=3),
    SAID,
    st.builds(
        InferenceConfig,
        st.integers(1, 4096),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 1),
        st.none() | st.lists(st.text(min_size=1, max_size=5), max_size=3),
    ),
    st.none() | st.integers(0, 500),
)


@given(REQUESTS)
def test_what_is_written_reads_the_same(request: ConverseRequest) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    body, ledger = write(request)
    again = read(**body)
    assert again == request
    assert write(again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_a_limit_is_written_where_the_caller_gave_none() -> None:
    """The schema demands a limit; a foreign name for it counts as the caller's."""
    hello = [said("user", "hi")]
    assert write(ConverseRequest(messages=hello))[0]["max_tokens_to_sample"] == 300
    foreign = ConverseRequest(messages=hello, additional_model_request_fields={"max_gen_len": 7})
    assert write(foreign)[0]["max_tokens_to_sample"] == 7


def test_what_a_prompt_cannot_say_is_entered() -> None:
    """Images, tools and cache points are dropped; a document's text is written out."""
    document = DocumentBlock("notes", DocumentSource(text="Paris"), "txt")
    request = ConverseRequest(
        messages=[
            Message(
                "user",
                [
                    ContentBlock(text="look"),
                    ContentBlock(image=ImageBlock("png", MediaSource(bytes=b"x"))),
                    ContentBlock(document=document),
                    ContentBlock(cache_point=CachePoint("default")),
                ],
            )
        ],
        system=[SystemBlock(text="s"), SystemBlock(cache_point=CachePoint("default"))],
        tool_config=ToolConfig([Tool(tool_spec=ToolSpec("t", InputSchema(json=Raw(b"{}"))))]),
        additional_model_request_fields={"topK": 3, "thinking": {"type": "enabled"}},
    )
    body, ledger = write(request)
    assert body["top_k"] == 3
    assert body["prompt"].startswith("s\n\nHuman: look\n")
    assert "Paris" in body["prompt"]
    assert ledger.dropped == [
        "system.1.cachePoint",
        "toolConfig",
        "messages.0.content.1.image",
        "messages.0.content.3.cachePoint",
        "additionalModelRequestFields.thinking",
    ]
    assert ledger.emulated == ["messages.0.content.2.document"]


@pytest.mark.parametrize(
    ("native", "reason", "stop"),
    [
        ({"stop_reason": "stop_sequence", "stop": "\n\nHuman:"}, "end_turn", None),
        ({"stop_reason": "stop_sequence", "stop": "END"}, "stop_sequence", "END"),
        ({"stop_reason": "max_tokens", "stop": None}, "max_tokens", None),
    ],
)
def test_replies_translate_both_ways(native: dict[str, Any], reason: str, stop: str | None) -> None:
    """A reply's text, its reason and its stop sequence survive the way there and back."""
    body = {"type": "completion", "completion": " Hi", **native}
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert reply.output.message.content == [ContentBlock(text="Hi")]
    assert (reply.stop_reason, reply.stop_sequence) == (reason, stop)
    assert json.loads(DIALECT.write_reply(reply, shown())) == body


def test_an_unreadable_reply_is_the_models_fault() -> None:
    """Rubbish from an upstream is a ModelErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(b"<html>")
    assert caught.value.name == "ModelErrorException"


EVENTS: list[StreamEvent] = [
    MessageStart("assistant"),
    text_delta("Hel", 0),
    text_delta("lo", 0),
    BlockStop(0),
    MessageStop("stop_sequence", stop_sequence="END"),
    StreamMetadata(usage(3, 2), Metrics(0)),
]


def test_a_stream_is_written_as_claude_streams() -> None:
    """Each delta is a chunk at once; the last tells the reason and carries Bedrock's metrics."""
    writer = DIALECT.writer(shown())
    chunks = [json.loads(chunk) for event in EVENTS for chunk in writer.write(event)]
    assert chunks == [
        {"type": "completion", "completion": " Hel", "stop_reason": None, "stop": None},
        {"type": "completion", "completion": "lo", "stop_reason": None, "stop": None},
    ]
    (last,) = writer.finish(METRICS)
    assert json.loads(last) == {
        "type": "completion",
        "completion": "",
        "stop_reason": "stop_sequence",
        "stop": "END",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 3,
            "outputTokenCount": 2,
            "invocationLatency": 10,
            "firstByteLatency": 5,
        },
    }


def test_a_written_stream_reads_as_the_same_events() -> None:
    """Reader and writer agree, and what follows the end is ignored."""
    writer, reader = DIALECT.writer(shown()), DIALECT.reader()
    chunks = [chunk for event in EVENTS for chunk in writer.write(event)] + writer.finish(METRICS)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    assert events == EVENTS
    assert reader.feed(b'{"completion":"late"}') == [] == reader.close()


def test_a_stream_that_breaks_off_is_a_fault() -> None:
    """A stream without its end, with rubbish or with an error in it raises ModelStreamErrorException."""
    reader = DIALECT.reader()
    assert reader.feed(b'{"type":"ping"}') == []
    assert [type(event) for event in reader.feed(b'{"completion":" a"}')] == [MessageStart, BlockDelta]
    for broken in (reader.close, lambda: reader.feed(b'{"compl'), lambda: reader.feed(b'{"type":"error"}')):
        with pytest.raises(Fault) as caught:
            broken()
        assert caught.value.name == "ModelStreamErrorException"


def test_an_empty_answer_is_a_whole_stream() -> None:
    """A stream without any text still has its start, a block and its end."""
    events = DIALECT.reader().feed(b'{"completion":"","stop_reason":"stop_sequence","stop":null}')
    assert [type(event) for event in events] == [MessageStart, BlockDelta, BlockStop, MessageStop, StreamMetadata]


def test_an_answer_of_several_blocks_is_said_in_one() -> None:
    """All texts of a reply are joined."""
    reply = assistant_reply([ContentBlock(text="a"), ContentBlock(text="b")], "end_turn", usage(1, 1))
    assert json.loads(DIALECT.write_reply(reply, shown()))["completion"] == " ab"
