"""A request is made fit for its target, and what was changed is changed back in the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.fitting import fit
from craton.infra.documents.port import FileFormat, UnreadableError, UnsupportedError
from craton.models.canon.content import ContentBlock
from craton.models.canon.events import BlockStop, MessageStop, StreamEvent, text_delta
from craton.models.canon.reply import ConverseReply, assistant_reply, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.provider import Attempt

CITATIONS = {"citations": [{"start": 0, "end": 2, "document_ids": ["doc_0"]}]}


class Told:
    """`Documents` that answers as it is told."""

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer

    async def text(self, data: bytes, file_format: FileFormat) -> str:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Speaker:
    """A provider that notes what it is sent and says "Yes."."""

    name = "fake"

    def __init__(self, dialect: str) -> None:
        self.dialect = SimpleNamespace(name=dialect)
        self.sent: ConverseRequest | None = None

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        self.sent = request
        reply = assistant_reply([ContentBlock(text="Yes.")], "end_turn", usage(1, 1))
        reply.additional_model_response_fields = dict(CITATIONS)
        return reply

    async def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        self.sent = request
        yield [text_delta("Yes.", 0)]
        yield [BlockStop(0), MessageStop("end_turn", additional_model_response_fields=dict(CITATIONS))]

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        self.sent = request
        return 7


def request(*blocks: dict[str, Any], **more: Any) -> ConverseRequest:
    body = {"messages": [{"role": "user", "content": [*blocks]}], **more}
    return msgspec.json.decode(json.dumps(body).encode(), type=ConverseRequest)


def document(kind: str = "pdf", **more: Any) -> dict[str, Any]:
    return {"document": {"name": "d", "format": kind, "source": {"bytes": "aGk="}, **more}}


def asked(
    made: ConverseRequest, dialect: str, *, reads: str | Exception = "its text", how: str = "converse"
) -> tuple[Speaker, Ledger, Any]:
    """What the provider was sent, the ledger, and the answer."""
    speaker, ledger = Speaker(dialect), Ledger()
    target: Any = SimpleNamespace(provider=speaker, model="m", quirks={})
    call: Any = SimpleNamespace(app=SimpleNamespace(documents=Told(reads)))
    attempt = Attempt("m", ledger, 0.0, "id")

    async def all_of() -> list[Any]:
        return [event async for piece in fit.stream(call, target, made, attempt) for event in piece]

    answer = asyncio.run(all_of() if how == "stream" else getattr(fit, how)(call, target, made, attempt))
    return speaker, ledger, answer


def first(speaker: Speaker) -> Any:
    """The first block of what was sent."""
    assert speaker.sent is not None
    assert speaker.sent.messages is not None
    return msgspec.to_builtins(speaker.sent.messages[0].content[0])


@pytest.mark.parametrize(
    ("made", "special"),
    [
        (request({"text": "x"}), False),
        (request({"text": "x"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}), False),
        (request({"text": "x"}, {"cachePoint": {"type": "default"}}), False),
        (request({"text": "x"}, document()), True),
        (request({"toolResult": {"toolUseId": "a", "content": []}}), True),
        (request({"reasoningContent": {"reasoningText": {"text": "x"}}}), True),
        (request({"text": "x"}, outputConfig={"effort": "low"}), True),
        (ConverseRequest(), False),
    ],
)
def test_most_requests_need_no_fitting(made: ConverseRequest, special: bool) -> None:
    """A look at the blocks tells."""
    assert fit.special(made) is special


@pytest.mark.parametrize("how", ["converse", "stream", "count_tokens"])
def test_a_document_becomes_text_whatever_is_asked(how: str) -> None:
    """Whole, in a stream, and where tokens are counted. The caller's request stays as it was."""
    made = request(document(), {"text": "x"})
    speaker, ledger, _ = asked(made, "openai.chat", how=how)
    assert first(speaker) == {"document": {"name": "d", "source": {"text": "its text"}}}
    assert ledger.emulated == ["messages.0.content.0.document"]
    assert made.messages is not None
    assert made.messages[0].content[0].document is not None
    assert made.messages[0].content[0].document.source.bytes == b"hi"


def test_a_document_in_a_tools_result_becomes_text_too() -> None:
    """By its own path."""
    result = {"toolUseId": "a", "content": [document("xlsx"), {"text": "x"}]}
    speaker, ledger, _ = asked(request({"toolResult": result}), "anthropic.messages")
    assert first(speaker)["toolResult"]["content"][0]["document"]["source"] == {"text": "its text"}
    assert ledger.emulated == ["messages.0.content.0.toolResult.content.0.document"]


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [("anthropic.messages", "pdf"), ("amazon.nova", "docx"), ("amazon.converse", "html"), ("openai.chat", "csv")],
)
def test_what_a_target_reads_itself_is_not_touched(dialect: str, kind: str) -> None:
    """Bytes for those who take them, and text formats for everybody."""
    speaker, ledger, _ = asked(request(document(kind), {"text": "x"}), dialect)
    assert "bytes" in first(speaker)["document"]["source"]
    assert not ledger.emulated


def test_a_bad_file_is_named() -> None:
    """The caller's mistake, not the model's."""
    with pytest.raises(Fault, match=r'The document "d" at messages\.0\.content\.0 is encrypted\.') as caught:
        asked(request(document(), {"text": "x"}), "openai.chat", reads=UnreadableError("is encrypted"))
    assert caught.value.name == "ValidationException"


def test_without_the_readers_the_dialect_decides() -> None:
    """It enters what it cannot carry."""
    speaker, ledger, _ = asked(request(document(), {"text": "x"}), "openai.chat", reads=UnsupportedError())
    assert "bytes" in first(speaker)["document"]["source"]
    assert not ledger.emulated


@pytest.mark.parametrize(
    ("dialect", "kept"),
    [("anthropic.messages", True), ("cohere.chat-v2", True), ("amazon.nova", False), ("openai.chat", False)],
)
def test_the_wish_for_citations_goes_to_those_who_cite(dialect: str, kept: bool) -> None:
    """Others get the document without it, and the ledger says so."""
    made = request(document("txt", citations={"enabled": True}), {"text": "x"})
    speaker, ledger, _ = asked(made, dialect)
    assert ("citations" in first(speaker)["document"]) is kept
    assert ledger.dropped == ([] if kept else ["messages.0.content.0.document.citations"])


def test_citations_in_fields_come_back_as_blocks() -> None:
    """For whom they were asked; another caller's fields are left alone."""
    wish = request(document("txt", citations={"enabled": True}), {"text": "x"})
    _, _, reply = asked(wish, "cohere.command-r")
    assert [block.kind for block in reply.output.message.content] == ["citationsContent", "text"]
    _, _, events = asked(wish, "cohere.command-r", how="stream")
    assert [event.delta.citation is not None for event in events if hasattr(event, "delta")] == [False, True]
    _, _, plain = asked(request(document("txt"), {"text": "x"}), "cohere.command-r")
    assert plain.additional_model_response_fields == CITATIONS


def test_a_target_without_any_way_to_a_schema_refuses() -> None:
    """Before it is asked."""
    wanted = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": '{"type":"object"}'}}}}
    for dialect in ("meta.llama", "ai21.jamba", "unheard.of"):
        with pytest.raises(Fault, match=r"cannot carry outputConfig\.textFormat"):
            asked(request({"text": "x"}, outputConfig=wanted), dialect)
    speaker, ledger, _ = asked(request({"text": "x"}, outputConfig=wanted), "amazon.nova")
    assert speaker.sent is not None
    assert speaker.sent.tool_config is not None
    assert ledger.emulated == ["outputConfig.textFormat"]
