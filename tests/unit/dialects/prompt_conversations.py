"""What the tests of schemas with one prompt share: conversations that a template can carry, and one stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockStop, MessageStart, MessageStop, StreamEvent, StreamMetadata, text_delta
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Ledger, Outgoing, Shown

METRICS = InvocationMetrics(3, 2, 10, 5)
NATIVE_METRICS = {"inputTokenCount": 3, "outputTokenCount": 2, "invocationLatency": 10, "firstByteLatency": 5}
ON_LAST = "amazon-bedrock-invocationMetrics"

# Templates trim the texts of turns, and their marks begin with one of these.
prose = (
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="<[|｜"), max_size=20)
    .map(str.strip)
    .filter(bool)
)


def said(role: Any, text: str) -> Message:
    return Message(role, [ContentBlock(text=text)])


def conversations(*, system: bool, prefill: bool = True) -> st.SearchStrategy[ConverseRequest]:
    """User and assistant by turns; the assistant's may be the last."""

    def build(before: str | None, texts: list[str]) -> ConverseRequest:
        roles = ("user", "assistant")
        kept = texts if prefill or len(texts) % 2 else texts[:-1]
        return ConverseRequest(
            messages=[said(roles[index % 2], text) for index, text in enumerate(kept)],
            system=[SystemBlock(text=before)] if before else None,
        )

    return st.builds(build, st.none() | prose if system else st.none(), st.lists(prose, min_size=1, max_size=5))


def configs(max_tokens: int, *, stops: int) -> st.SearchStrategy[InferenceConfig | None]:
    built = st.builds(
        InferenceConfig,
        st.integers(1, max_tokens),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0.01, 0.99),
        st.none() | st.lists(prose, min_size=1, max_size=stops) if stops else st.none(),
    )
    return st.none() | built


def write(
    dialect: Dialect, request: ConverseRequest, model: str = "m", **quirks: object
) -> tuple[dict[str, Any], Ledger]:
    ledger = Ledger()
    return json.loads(
        dialect.write_request(request, Outgoing(model, stream=False, ledger=ledger, quirks=quirks))
    ), ledger


def read(dialect: Dialect, **body: Any) -> ConverseRequest:
    compact = json.dumps(body, separators=(",", ":"), ensure_ascii=False)  # raw members stay as they were written
    return dialect.read_request(compact.encode())


def turns(request: ConverseRequest) -> list[tuple[str, str | None]]:
    """Roles and texts, for conversations of one text a turn."""
    return [(message.role, message.content[0].text) for message in request.messages or ()]


def asked(prompt: str, **members: Any) -> Shown:
    body = json.dumps({"prompt": prompt, **members}).encode()
    return Shown("a.model-v1", ConverseRequest(), "r-1", body)


def refusal(dialect: Dialect, **body: Any) -> str:
    """The violation that a body is refused with."""
    with pytest.raises(Fault) as caught:
        read(dialect, **body)
    assert caught.value.name == "ValidationException"
    return caught.value.message.removeprefix("Malformed input request: ").partition(", please")[0]


def stream(reason: Any = "end_turn", *texts: str) -> list[StreamEvent]:
    deltas = [text_delta(text, 0) for text in texts or ("Hel", "lo")]
    return [
        MessageStart("assistant"),
        *deltas,
        BlockStop(0),
        MessageStop(reason),
        StreamMetadata(usage(3, 2), Metrics(0)),
    ]


def chunks_of(dialect: Dialect, shown: Shown, events: list[StreamEvent]) -> list[Any]:
    writer = dialect.writer(shown)
    chunks = [chunk for event in events for chunk in writer.write(event)] + writer.finish(METRICS)
    return [json.loads(chunk) for chunk in chunks]


def events_of(dialect: Dialect, chunks: list[Any]) -> list[StreamEvent]:
    reader = dialect.reader()
    events = [event for chunk in chunks for event in reader.feed(json.dumps(chunk).encode())]
    return events + reader.close()


def assert_breaks_are_faults(dialect: Dialect, chunk: dict[str, Any]) -> None:
    """A stream that ends early, or has rubbish in it, raises ModelStreamErrorException; a reply ModelErrorException."""
    reader = dialect.reader()
    reader.feed(json.dumps(chunk).encode())
    for broken in (reader.close, dialect.reader().close, lambda: reader.feed(b'{"cho'), lambda: reader.feed(b"[]")):
        with pytest.raises(Fault) as caught:
            broken()
        assert caught.value.name == "ModelStreamErrorException"
    with pytest.raises(Fault) as caught:
        dialect.read_reply(b"<html>")
    assert caught.value.name == "ModelErrorException"
