"""One answer in its two forms: a whole reply as the events of a stream, and a stream's events as a whole reply.

Pure. Needed wherever an answer that is known already is given in the other form than it came in: a recording, a script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from craton.aws.wire.faults import model_error
from craton.models.canon import events as stream
from craton.models.canon.content import (
    Citation,
    CitationsContent,
    ContentBlock,
    ImageBlock,
    MediaSource,
    ReasoningContent,
    ReasoningText,
    TextPart,
    ToolUseBlock,
)
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, Start, StreamEvent
from craton.models.canon.reply import ConverseReply, assistant_reply

Cut = Callable[[str], Iterable[str]]


def in_one(text: str) -> Iterable[str]:
    """A text as a single delta."""
    return (text,)


def events_of(reply: ConverseReply, cut: Cut = in_one) -> Iterator[StreamEvent]:
    """The events that tell this reply; `cut` divides a text into its deltas."""
    yield stream.MessageStart(reply.output.message.role)
    for index, block in enumerate(reply.output.message.content):
        for part in _parts(block, cut):
            if isinstance(part, Start):
                yield BlockStart(part, index)
            else:
                yield BlockDelta(part, index)
        yield BlockStop(index)
    yield stream.MessageStop(reply.stop_reason, reply.additional_model_response_fields, reply.stop_sequence)
    yield stream.StreamMetadata(reply.usage, reply.metrics)


def _parts(block: ContentBlock, cut: Cut) -> Iterator[Start | Delta]:
    if block.text is not None:
        for piece in cut(block.text):
            yield Delta(piece)
    elif block.tool_use is not None:
        use = block.tool_use
        yield Start(tool_use=stream.ToolUseStart(use.tool_use_id, use.name, use.type))
        yield Delta(tool_use=stream.ToolUseDelta(bytes(use.input).decode()))
    elif block.reasoning_content is not None:
        yield from _reasoning(block.reasoning_content)
    elif block.citations_content is not None:
        for text in block.citations_content.content or ():
            yield Delta(text.text or "")
        for found in block.citations_content.citations or ():
            sources = [stream.SourceText(text.text) for text in found.source_content or ()]
            yield Delta(citation=stream.CitationDelta(found.title, found.source, sources or None, found.location))
    elif block.image is not None:
        yield Start(image=stream.ImageStart(block.image.format))
        yield Delta(image=stream.ImageDelta(block.image.source, block.image.error))


def _reasoning(block: ReasoningContent) -> Iterator[Delta]:
    if block.redacted_content is not None:
        yield Delta(reasoning_content=stream.ReasoningDelta(redacted_content=block.redacted_content))
    if block.reasoning_text is not None:
        yield Delta(reasoning_content=stream.ReasoningDelta(text=block.reasoning_text.text))
        if block.reasoning_text.signature:
            yield Delta(reasoning_content=stream.ReasoningDelta(signature=block.reasoning_text.signature))


class _Block:
    """A content block as it grows."""

    def __init__(self) -> None:
        self.start: Start | None = None
        self.text: list[str] = []
        self.input: list[str] = []
        self.reasoning: list[str] = []
        self.signature: str | None = None
        self.redacted: bytes | None = None
        self.citations: list[Citation] = []
        self.image: MediaSource | None = None

    def add(self, delta: Delta) -> None:
        if delta.text is not None:
            self.text.append(delta.text)
        if delta.tool_use is not None:
            self.input.append(delta.tool_use.input)
        if delta.reasoning_content is not None:
            told = delta.reasoning_content
            if told.text is not None:
                self.reasoning.append(told.text)
            self.signature = told.signature or self.signature
            self.redacted = told.redacted_content or self.redacted
        if delta.citation is not None:
            told_of = delta.citation
            sources = [TextPart(text=part.text) for part in told_of.source_content or () if part.text is not None]
            self.citations.append(Citation(told_of.title, told_of.source, sources or None, told_of.location))
        if delta.image is not None:
            self.image = delta.image.source or self.image

    def whole(self) -> ContentBlock:
        use = self.start.tool_use if self.start is not None else None
        if use is not None:
            arguments = msgspec.Raw("".join(self.input).encode() or b"{}")
            return ContentBlock(tool_use=ToolUseBlock(use.tool_use_id, use.name, arguments))
        if self.redacted is not None:
            return ContentBlock(reasoning_content=ReasoningContent(redacted_content=self.redacted))
        if self.reasoning:
            text = ReasoningText("".join(self.reasoning), self.signature)
            return ContentBlock(reasoning_content=ReasoningContent(reasoning_text=text))
        if self.citations:
            content = [TextPart(text="".join(self.text))]
            return ContentBlock(citations_content=CitationsContent(content, self.citations))
        if self.image is not None and self.start is not None and self.start.image is not None:
            return ContentBlock(image=ImageBlock(self.start.image.format, self.image))
        return ContentBlock(text="".join(self.text))


def reply_of(events: Iterable[StreamEvent]) -> ConverseReply:
    """The reply that a complete stream tells. Raises ModelErrorException for one that is not complete."""
    blocks: dict[int, _Block] = {}
    stop: stream.MessageStop | None = None
    told: stream.StreamMetadata | None = None
    for event in events:
        if isinstance(event, BlockStart):
            blocks.setdefault(event.content_block_index, _Block()).start = event.start
        elif isinstance(event, BlockDelta):
            blocks.setdefault(event.content_block_index, _Block()).add(event.delta)
        elif isinstance(event, stream.MessageStop):
            stop = event
        elif isinstance(event, stream.StreamMetadata):
            told = event
    if stop is None or told is None:
        raise model_error()
    content = [blocks[index].whole() for index in sorted(blocks)]
    reply = assistant_reply(content, stop.stop_reason, told.usage, stop.stop_sequence)
    reply.additional_model_response_fields = stop.additional_model_response_fields
    return reply
