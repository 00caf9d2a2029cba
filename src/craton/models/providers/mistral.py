"""Provider `mistral`: Mistral's own chat completions, or a server that speaks them.

`base_url` ends in `/v1`. Owns the path, the header, and the few words in which Bedrock's form of the schema differs
from Mistral's own: `stop_reason` and `message` there, `finish_reason` and `delta` here. Mistral refuses members that
it does not know, so no usage is asked for in a stream; it comes in the last chunk unasked. Source, from memory:
Mistral's API reference, chat completions.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.aws.wire.faults import model_stream_error
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.dialects.mistral_chat import MistralChat
from craton.models.providers import faults
from craton.models.providers.exchange import json_headers
from craton.models.providers.native import OpenAIChunks
from craton.models.providers.openai import bearer
from craton.models.providers.posting import PostingProvider, with_quirks
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Transport

_ANSWER: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHOICES: msgspec.json.Decoder[list[dict[str, msgspec.Raw]]] = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_NAMES = {"finish_reason": "stop_reason", "delta": "message"}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class MistralProvider(PostingProvider):
    """One upstream."""

    name = "mistral"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        super().__init__(
            with_quirks(upstream, form="vendor", usage=False, dimensions_name="output_dimension"),
            MistralChat(),
            transport,
        )
        self._fixed = json_headers(*bearer(upstream.api_key))

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A body in Bedrock's form to a reply in Bedrock's form."""
        answer = await super().invoke(body, attempt)
        try:
            return as_bedrock(answer)
        except _UNREADABLE as error:
            raise faults.unreadable(attempt.model) from error

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors by `/embeddings`, which is OpenAI's. Raises Fault."""
        return await self._embedded("openai.embeddings", b"/embeddings", request, attempt)

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        return b"/chat/completions"

    def _headers(self, path: bytes, body: bytes) -> Headers:
        return self._fixed

    def _chunks(self, attempt: Attempt) -> BedrockChunks:
        return BedrockChunks(attempt.model, self._secret)


class BedrockChunks(OpenAIChunks):
    """Mistral's chunks under the names that Bedrock gives them."""

    def feed(self, data: bytes, event: str = "") -> list[bytes]:
        try:
            return [as_bedrock(chunk) for chunk in super().feed(data, event)]
        except _UNREADABLE as error:
            raise model_stream_error(faults.UNREADABLE) from error


def as_bedrock(answer: bytes) -> bytes:
    """An answer or a chunk with Bedrock's names. Raises msgspec.DecodeError for what is neither."""
    members: dict[str, Any] = dict(_ANSWER.decode(answer))
    if "choices" in members:
        choices = _CHOICES.decode(members["choices"])
        members["choices"] = [{_NAMES.get(name, name): value for name, value in one.items()} for one in choices]
    return msgspec.json.encode(members)
