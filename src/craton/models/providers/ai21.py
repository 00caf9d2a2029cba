"""Provider `ai21`: AI21's own chat completions (Jamba), or a server that speaks them.

`base_url` ends in `/studio/v1`. Owns the path, the header and the two members that Bedrock's form of the body lacks
(`model`, `stream`). Source, from memory: AI21's API reference, "Jamba chat completions"; errors are FastAPI's
(`{"detail": …}`).
"""

from __future__ import annotations

from craton.models.dialects.ai21_jamba import AI21Jamba
from craton.models.providers.exchange import json_headers
from craton.models.providers.native import OpenAIChunks
from craton.models.providers.openai import bearer
from craton.models.providers.posting import PostingProvider, with_quirks
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Transport


class AI21Provider(PostingProvider):
    """One upstream."""

    name = "ai21"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        super().__init__(with_quirks(upstream, form="vendor", usage=False), AI21Jamba(), transport)
        self._fixed = json_headers(*bearer(upstream.api_key))

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        return b"/chat/completions"

    def _headers(self, path: bytes, body: bytes) -> Headers:
        return self._fixed

    def _chunks(self, attempt: Attempt) -> OpenAIChunks:
        return OpenAIChunks(attempt.model, self._secret)
