"""Provider `gemini`: Google's Gemini API, or a server that speaks it.

`base_url` names the host alone, such as `https://generativelanguage.googleapis.com`. Owns the paths, the header, and
how Google tells what went wrong: a wrong key is a 400, and how long to wait stands in the body. Source, from memory:
Google's Gemini API reference (v1beta), "Generating content", "Embeddings", "Counting tokens", "Troubleshooting".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from craton.aws.wire.faults import Fault
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.gemini.dialect import Gemini
from craton.models.providers import faults
from craton.models.providers.exchange import json_headers
from craton.models.providers.native import read_members, write_members
from craton.models.providers.posting import GUARDRAIL, Chunks, PostingProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Transport

_VERSION = b"/v1beta"
_FINISH = re.compile(rb'"(?:finishReason|blockReason)"\s*:\s*"')
_RETRY = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"')
_COUNT_WITHIN_S = 2.0  # a count is not worth more, once the vectors are here
_BAD_KEY = (b"API_KEY_INVALID", b"API_KEY_EXPIRED")


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


class GeminiProvider(PostingProvider):
    """One upstream."""

    name = "gemini"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        super().__init__(upstream, Gemini(), transport, end_data=b"", refusal=refusal)
        key = [(b"x-goog-api-key", upstream.api_key.encode())] if upstream.api_key else []
        self._fixed = json_headers(*key)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Input tokens as the vendor counts them, tools and system prompt included."""
        members: dict[str, object] = dict(read_members(self._written(request, attempt, stream=False)))
        sent = msgspec.json.encode({"generateContentRequest": {"model": _model(attempt), **members}})
        path = _method(attempt, b"countTokens")
        answer = await self._exchange.post(path, self._headers(path, sent), sent, attempt)
        try:
            return _COUNT.decode(answer).total_tokens
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise faults.unreadable(attempt.model) from error

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors by `batchEmbedContents`; the vendor's own count of the texts' tokens, if it gives one. Raises Fault."""
        path = _method(attempt, b"batchEmbedContents")
        counting = asyncio.ensure_future(self._counted(request, attempt))
        try:
            reply = await self._embedded("google.gemini-embed", path, request, attempt)
            done, _ = await asyncio.wait((counting,), timeout=_COUNT_WITHIN_S)
            reply.input_tokens = counting.result() if done else None
        finally:
            counting.cancel()
        return reply

    async def _counted(self, request: EmbedRequest, attempt: Attempt) -> int | None:
        contents = [{"parts": [{"text": item.text or ""}]} for item in request.items]
        path, body = _method(attempt, b"countTokens"), msgspec.json.encode({"contents": contents})
        try:
            answer = await self._exchange.post(path, self._headers(path, body), body, attempt)
            return _COUNT.decode(answer).total_tokens
        except (Fault, msgspec.DecodeError, UnicodeDecodeError):
            return None  # not every model that embeds can count

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        return _method(attempt, b"streamGenerateContent?alt=sse" if stream else b"generateContent")

    def _headers(self, path: bytes, body: bytes) -> Headers:
        return self._fixed

    def _chunks(self, attempt: Attempt) -> Chunks:
        return Chunks(_FINISH, attempt.model, self._secret)

    def _sent(self, body: bytes, attempt: Attempt, *, stream: bool) -> bytes:
        return write_members(read_members(body), change={}, leave_out=(GUARDRAIL,))


def refusal(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    model: str,
    secret: str = "",
    now_s: float | None = None,
) -> Fault:
    """The Fault of an answer that is no success."""
    if status == 400 and any(mark in body for mark in _BAD_KEY):
        status = 401
    wait = _RETRY.search(body)
    if wait is not None and b"retry-after" not in headers:
        headers = {**headers, b"retry-after": wait[1]}
    return faults.from_status(status, headers, body, model=model, secret=secret, now_s=now_s)


def _model(attempt: Attempt) -> str:
    """The resource's name: `tunedModels/…` as it is, anything plain among `models/`."""
    return attempt.model if "/" in attempt.model else f"models/{attempt.model}"


def _method(attempt: Attempt, name: bytes) -> bytes:
    return b"%b/%b:%b" % (_VERSION, quote(_model(attempt), safe="/").encode(), name)
