"""Pictures and scanned pages to text by a model, asked through the gateway as the knowledge base's role.

Owns the request and what of the reply is the text. It must not know documents.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from craton.features.rag.pieces import Unreadable
from craton.workflows.batch.asking import Asking, message_of
from craton.workflows.evaluate.asking import text_of
from craton.workflows.ingest.recipe import Parsing

_GOOD = 200
_MOST_TOKENS = 4096
REFUSED = "The parsing model could not read a picture: {why}"


class Pictures:
    """`parsing.ReadImage` of one data source."""

    def __init__(self, asking: Asking, parsing: Parsing) -> None:
        self._asking = asking
        self._parsing = parsing

    async def read(self, data: bytes, media_type: str) -> str:
        """What the picture says. Raises Unreadable, NotAllowed."""
        status, _, reply = await self._asking.answer(msgspec.json.encode(self._asked(data, media_type)))
        if status != _GOOD:
            raise Unreadable(REFUSED.format(why=message_of(reply)))
        return text_of(reply).strip()

    def _asked(self, data: bytes, media_type: str) -> dict[str, Any]:
        picture = {"format": media_type.rpartition("/")[2], "source": {"bytes": base64.b64encode(data).decode()}}
        content = [{"image": picture}, {"text": self._parsing.prompt}]
        return {
            "messages": [{"role": "user", "content": content}],
            "inferenceConfig": {"maxTokens": _MOST_TOKENS, "temperature": 0.0},
        }
