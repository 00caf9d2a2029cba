"""Documents for targets that cannot read them, and citations for those that tell none: text, or a word in the ledger.

Owns: which documents of a request are turned into text for one target, and how a bad file is told to its sender. The
files are read by the port `infra.documents`; how text stands in a prompt is the dialects' business.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import validation
from craton.infra.documents.port import FORMATS, Documents, UnreadableError, UnsupportedError
from craton.models.canon.content import (
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    Message,
    SearchResultBlock,
    ToolResultBlock,
    ToolResultContent,
)
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.traits import Traits

_SHOWN_NAME = 100


class Reading:
    """The documents of one request for one target."""

    def __init__(self, documents: Documents, traits: Traits, ledger: Ledger) -> None:
        self._documents = documents
        self._traits = traits
        self._ledger = ledger

    async def messages(self, messages: list[Message]) -> list[Message]:
        """The messages as the target can take them. Raises ValidationException for a file that cannot be read."""
        written: list[Message] = []
        for turn, message in enumerate(messages):
            blocks = [
                block if block.text is not None else await self._block(block, f"messages.{turn}.content.{position}")
                for position, block in enumerate(message.content)
            ]
            written.append(msgspec.structs.replace(message, content=blocks))
        return written

    async def _block(self, block: ContentBlock, at: str) -> ContentBlock:
        if block.document is not None:
            return ContentBlock(document=await self._document(block.document, f"{at}.document"))
        if block.search_result is not None:
            return ContentBlock(search_result=self._search_result(block.search_result, f"{at}.searchResult"))
        if block.tool_result is not None:
            return ContentBlock(tool_result=await self._result(block.tool_result, f"{at}.toolResult"))
        return block

    async def _result(self, result: ToolResultBlock, at: str) -> ToolResultBlock:
        parts: list[ToolResultContent] = []
        for position, part in enumerate(result.content):
            if part.document is None:
                parts.append(part)
                continue
            document = await self._document(part.document, f"{at}.content.{position}.document")
            parts.append(ToolResultContent(document=document))
        return msgspec.structs.replace(result, content=parts)

    async def _document(self, document: DocumentBlock, at: str) -> DocumentBlock:
        """The same document with its text as its source, if its bytes say nothing to the target."""
        if document.citations is not None and document.citations.enabled and not self._traits.citations:
            self._ledger.drop(f"{at}.citations")
            document = msgspec.structs.replace(document, citations=None)
        data, given = document.source.bytes, document.format
        if data is None or given not in FORMATS or given in self._traits.documents:
            return document
        try:
            text = await self._documents.text(data, given)
        except UnsupportedError:
            return document  # the dialect enters it as dropped
        except UnreadableError as error:
            shown = document.name[:_SHOWN_NAME]
            raise validation(
                f'The document "{shown}" at {at.removesuffix(".document")} {error}. '
                "Check the file and retry your request."
            ) from None
        self._ledger.emulate(at)
        return msgspec.structs.replace(document, source=DocumentSource(text=text), format=None)

    def _search_result(self, result: SearchResultBlock, at: str) -> SearchResultBlock:
        if result.citations is None or not result.citations.enabled or self._traits.citations == "blocks":
            return result
        self._ledger.drop(f"{at}.citations")
        return msgspec.structs.replace(result, citations=None)
