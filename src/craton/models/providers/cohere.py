"""Provider `cohere`: Cohere's own chat, embeddings and reranking, version 2, or a server that speaks them.

`base_url` names the host alone. Owns the paths and the header. On Bedrock Cohere's models speak the first version of
the schema, so bodies of InvokeModel are translated, and only ids of one's own pass native bodies through. Source,
from memory: Cohere's API reference, "Chat" (v2); errors are `{"message": …}`, 498 and 499 its own statuses.
"""

from __future__ import annotations

import re

from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.cohere_chat_v2.dialect import CohereChatV2
from craton.models.providers.exchange import json_headers
from craton.models.providers.native import read_members, write_members
from craton.models.providers.openai import bearer
from craton.models.providers.posting import GUARDRAIL, Chunks, PostingProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Transport

_FINISH = re.compile(rb'"type"\s*:\s*"message-end"')


class CohereProvider(PostingProvider):
    """One upstream."""

    name = "cohere"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        super().__init__(upstream, CohereChatV2(), transport, end_event="message-end")
        self._fixed = json_headers(*bearer(upstream.api_key))

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors by `/v2/embed`. Raises Fault."""
        return await self._embedded("cohere.embed-api", b"/v2/embed", request, attempt)

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """A ranking by `/v2/rerank`. Raises Fault."""
        return await self._ranked("cohere.rerank-api", b"/v2/rerank", request, attempt)

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        return b"/v2/chat"

    def _headers(self, path: bytes, body: bytes) -> Headers:
        return self._fixed

    def _chunks(self, attempt: Attempt) -> Chunks:
        return Chunks(_FINISH, attempt.model, self._secret)

    def _sent(self, body: bytes, attempt: Attempt, *, stream: bool) -> bytes:
        change = {"model": attempt.model, "stream": stream}
        return write_members(read_members(body), change=change, leave_out=(GUARDRAIL,))
