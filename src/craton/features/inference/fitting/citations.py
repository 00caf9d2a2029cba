"""Citations that a vendor gives beside the text, put where Converse has them: around what they are for.

Cohere tells them as fields of the reply: where in the text a claim stands and which documents back it. A caller who
enabled citations on a document gets blocks of `citationsContent` in a whole reply, and `citation` deltas at the end of
the text in a stream. Nobody who did not ask sees any. Source, from memory: Cohere's API reference, "Chat" (v1, v2).
"""

from __future__ import annotations

import re
from typing import Any

from craton.models.canon.content import (
    Citation,
    CitationLocation,
    CitationsContent,
    ContentBlock,
    DocumentLocation,
    TextPart,
)
from craton.models.canon.events import (
    BlockDelta,
    BlockStop,
    CitationDelta,
    Delta,
    MessageStop,
    SourceText,
    StreamEvent,
)
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest

# Cohere's first API numbers the documents itself, from 0 (`doc_0`); to its second we give ids, from 1 (`document-1`).
_NUMBERED = re.compile(r"(doc_|document-)(\d{1,4})(?:\D.*)?\Z")
_FIRST = {"doc_": 0, "document-": 1}


def asked(request: ConverseRequest) -> list[str] | None:
    """The documents' names in their order, or None if citations are enabled on none of them."""
    documents = [
        block.document for message in request.messages or () for block in message.content if block.document is not None
    ]
    if not any(document.citations is not None and document.citations.enabled for document in documents):
        return None
    return [document.name for document in documents]


class Citing:
    """Cohere's citations → Converse's (`fit.Change`). `names`: the documents' names in their order."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def reply(self, reply: ConverseReply) -> None:
        found = taken(reply.additional_model_response_fields)
        reply.additional_model_response_fields = None
        content: list[ContentBlock] = []
        for block in reply.output.message.content:
            if block.text is None or not found:
                content.append(block)
            else:
                content += self.cited(block.text, found)
                found = []
        reply.output.message.content = content

    def cited(self, text: str, found: list[dict[str, Any]]) -> list[ContentBlock]:
        """The text in pieces, those that are cited with what backs them."""
        blocks: list[ContentBlock] = []
        at = 0
        for one in sorted(found, key=lambda one: span(one)[0]):
            start, end = span(one)
            if not at <= start < end <= len(text):
                continue  # overlaps another, or lies outside: Converse has no place for it
            if text[at:start]:
                blocks.append(ContentBlock(text=text[at:start]))
            cited = CitationsContent([TextPart(text[start:end])], self.citations(one))
            blocks.append(ContentBlock(citations_content=cited))
            at = end
        if text[at:] or not blocks:
            blocks.append(ContentBlock(text=text[at:]))
        return blocks

    def citations(self, one: dict[str, Any]) -> list[Citation]:
        """One citation per source."""
        given: list[Any] = one.get("sources") or one.get("document_ids") or []
        return [self._citation(source) for source in given]

    def _citation(self, source: Any) -> Citation:
        ident = source.get("id") if isinstance(source, dict) else source
        document = source.get("document") if isinstance(source, dict) else None
        body = document if isinstance(document, dict) else {}
        match = _NUMBERED.match(ident) if isinstance(ident, str) else None
        number = int(match[2]) - _FIRST[match[1]] if match is not None else -1
        known = 0 <= number < len(self._names)
        title = self._names[number] if known else body.get("title")
        snippet = body.get("snippet")
        return Citation(
            title=title if isinstance(title, str) else None,
            source_content=[TextPart(snippet)] if isinstance(snippet, str) else None,
            location=CitationLocation(document_char=DocumentLocation(number)) if known else None,
        )

    def window(self) -> CitedStream:
        return CitedStream(self)


def taken(fields: Any) -> list[dict[str, Any]]:
    """The citations among the fields of a reply."""
    found = fields.get("citations") if isinstance(fields, dict) else None
    flat: list[Any] = []
    for one in found if isinstance(found, list) else ():
        flat += one if isinstance(one, list) else [one]
    return [one for one in flat if isinstance(one, dict)]


def span(one: dict[str, Any]) -> tuple[int, int]:
    start, end = one.get("start"), one.get("end")
    return (start, end) if isinstance(start, int) and isinstance(end, int) else (-1, -1)


class CitedStream:
    """The same for a stream (`stream.Window`): the end of a block of text waits for what is told of it."""

    def __init__(self, citing: Citing) -> None:
        self._citing = citing
        self._text: int | None = None  # the last block of text
        self._waiting: BlockStop | None = None

    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        for event in events:
            if isinstance(event, MessageStop):
                self._end(event, out)
            elif self._waiting is not None:
                out.append(self._waiting)
                self._waiting = None
            if isinstance(event, BlockStop) and event.content_block_index == self._text:
                self._waiting = event
                continue
            if isinstance(event, BlockDelta) and event.delta.text is not None:
                self._text = event.content_block_index
            out.append(event)
        return out

    def close(self) -> list[StreamEvent]:
        return []

    def _end(self, event: MessageStop, out: list[StreamEvent]) -> None:
        found, event.additional_model_response_fields = taken(event.additional_model_response_fields), None
        if self._waiting is None:
            return
        for one in found:
            out += [
                BlockDelta(_delta(cited), self._waiting.content_block_index) for cited in self._citing.citations(one)
            ]
        out.append(self._waiting)
        self._waiting = None


def _delta(cited: Citation) -> Delta:
    source = [SourceText(part.text) for part in cited.source_content] if cited.source_content else None
    return Delta(citation=CitationDelta(cited.title, cited.source, source, cited.location))
