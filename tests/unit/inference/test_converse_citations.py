"""Cohere's citations as Converse's, for callers who asked for them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from craton.features.inference.fitting.citations import Citing, asked
from craton.models.canon.content import CitationsConfig, ContentBlock, DocumentBlock, DocumentSource, Message
from craton.models.canon.events import BlockStop, MessageStop, StreamEvent, text_delta
from craton.models.canon.reply import assistant_reply, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.all import dialect_named

TEXT = "Tea costs 2 and coffee 3."
V1 = [{"start": 0, "end": 11, "text": "Tea costs 2", "document_ids": ["doc_1"]}]
V2 = [
    {"start": 16, "end": 24, "text": "coffee 3", "sources": [{"type": "document", "id": "document-1", "document": {"snippet": "coffee: 3"}}]},
    {"start": 0, "end": 11, "text": "Tea costs 2", "sources": [{"type": "document", "id": "document-2"}]},
]  # fmt: skip


def document(name: str, *, cited: bool) -> ContentBlock:
    config = CitationsConfig(enabled=True) if cited else None
    return ContentBlock(document=DocumentBlock(name, DocumentSource(text="x"), citations=config))


def told(citations: list[Any]) -> list[Any]:
    reply = assistant_reply([ContentBlock(text=TEXT)], "end_turn", usage(1, 1))
    reply.additional_model_response_fields = {"citations": citations}
    Citing(["coffee", "tea"]).reply(reply)
    assert reply.additional_model_response_fields is None
    return [msgspec.to_builtins(block) for block in reply.output.message.content]


def test_citations_are_asked_for_by_any_document() -> None:
    """Names of all documents, in their order; None if none is to be cited."""
    turns = [Message("user", [document("a", cited=False), document("b", cited=True)])]
    assert asked(ConverseRequest(messages=turns)) == ["a", "b"]
    assert asked(ConverseRequest(messages=[Message("user", [document("a", cited=False)])])) is None


def test_what_is_cited_becomes_a_block_of_its_own() -> None:
    """The text in its order, whichever order the citations come in; the document by its name and place."""
    assert told(V2) == [
        {
            "citationsContent": {
                "content": [{"text": "Tea costs 2"}],
                "citations": [{"title": "tea", "location": {"documentChar": {"documentIndex": 1}}}],
            }
        },
        {"text": " and "},
        {
            "citationsContent": {
                "content": [{"text": "coffee 3"}],
                "citations": [
                    {
                        "title": "coffee",
                        "sourceContent": [{"text": "coffee: 3"}],
                        "location": {"documentChar": {"documentIndex": 0}},
                    }
                ],
            }
        },
        {"text": "."},
    ]


def test_the_first_api_numbers_from_zero() -> None:
    """And names documents by id alone."""
    assert told(V1)[0]["citationsContent"]["citations"] == [
        {"title": "tea", "location": {"documentChar": {"documentIndex": 1}}}
    ]


def test_what_cannot_be_placed_leaves_the_text_whole() -> None:
    """Overlaps, places outside the text, no places at all."""
    wrong = [{"start": 0, "end": 999}, {"text": "x"}, {"start": 3, "end": 3}]
    assert told(wrong) == [{"text": TEXT}]
    both = told([*V1, {"start": 4, "end": 9, "document_ids": ["doc_0"]}])
    assert [len(block.get("citationsContent", {}).get("citations", [])) for block in both] == [1, 0]


def test_in_a_stream_they_come_before_the_texts_end() -> None:
    """Text passes at once; only the end of its block waits."""
    window = Citing(["coffee", "tea"]).window()
    first: list[StreamEvent] = [text_delta(TEXT, 0)]
    assert window.feed(first) == first
    assert window.feed([BlockStop(0)]) == []
    last = MessageStop("end_turn", additional_model_response_fields={"citations": [V1]})
    events = [msgspec.to_builtins(event) for event in window.feed([last])]
    cited = {"title": "tea", "location": {"documentChar": {"documentIndex": 1}}}
    assert events == [
        {"delta": {"citation": cited}, "contentBlockIndex": 0},
        {"contentBlockIndex": 0},
        {"stopReason": "end_turn"},
    ]


@pytest.mark.parametrize("early", [True, False])
def test_command_rs_stream_tells_them_where_it_can(early: bool) -> None:
    """In events of their own, or in the whole reply at its end."""
    reader = dialect_named("cohere.command-r").reader()  # type: ignore[union-attr]
    chunks: list[dict[str, Any]] = [{"event_type": "text-generation", "text": TEXT}]
    end: dict[str, Any] = {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE"}
    if early:
        chunks.append({"event_type": "citation-generation", "citations": V1})
    else:
        end["response"] = {"text": TEXT, "citations": V1}
    events = [event for chunk in [*chunks, end] for event in reader.feed(msgspec.json.encode(chunk))]
    stop = next(event for event in events if isinstance(event, MessageStop))
    assert stop.additional_model_response_fields == {"citations": V1}


def test_a_stream_with_further_blocks_keeps_their_order() -> None:
    """The end of a text leaves before what follows it."""
    window = Citing([]).window()
    events: list[StreamEvent] = [
        text_delta("a", 0),
        BlockStop(0),
        text_delta("b", 1),
        BlockStop(1),
        MessageStop("end_turn"),
    ]
    assert window.feed(events) == events
