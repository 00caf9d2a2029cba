"""Provider `container`: anything that answers `GET /ping` and `POST /invocations`, as SageMaker's containers do.

Bodies are shaped like OpenAI's chat completions, streams come as server-sent events (vLLM, DJL's LMI and TGI serve
that on `/invocations`). `base_url` names the host alone; a key, if there is one, is sent as a bearer token. A
container says by `/ping` that it has loaded: it is asked before the first inference and again after it could not be
reached, and until it says yes the model is not ready. Source: AWS's "Custom inference code with hosting services".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from craton.aws.wire.faults import model_not_ready
from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.dial import open_transport
from craton.models.providers.exchange import json_headers
from craton.models.providers.native import OpenAIChunks
from craton.models.providers.openai import bearer
from craton.models.providers.posting import PostingProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import ConnectError, Headers, Limits, Response, Transport, Whole

Got = TypeVar("Got")

PING = b"/ping"
INVOCATIONS = b"/invocations"
_LOADING = 503
_WAIT_S = 1.0  # how long a caller should wait for a container that loads


class ContainerProvider(PostingProvider):
    """One container. Quirks are those of the dialect `openai.chat`, and `head_tag` as for the provider `openai`.

    Whoever gives a `transport` knows that there is a container that serves: it is not pinged.
    """

    name = "container"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        limits = Limits(connect_timeout_s=upstream.connect_timeout_s)
        reached = transport or PingedTransport(open_transport(upstream.base_url, limits))
        super().__init__(upstream, OpenAIChat(head_tag=str(upstream.quirks.get("head_tag", ""))), reached)
        self._fixed = json_headers(*bearer(upstream.api_key))
        self._spoken = str(upstream.quirks.get("schema", ""))

    @property
    def image_schema(self) -> str:
        """By the quirk `schema`; without it, native bodies pass through as they are."""
        return self._spoken or "*"

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """Pictures in the schema of the target's model. Raises Fault."""
        from craton.models.providers.native_images import paint_by_schema

        out = self._exchange.outgoing(attempt, stream=False)
        return await paint_by_schema(self.image_schema, self.paint_native, request, attempt, out)

    async def paint_native(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body, as it is, to the native reply."""
        path = self._path(attempt, stream=False)
        return await self._exchange.post(path, self._headers(path, body), body, attempt)

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """Vectors of a container that speaks the schema of the quirk `schema` (`openai.embeddings`). Raises Fault."""
        return await self._embedded(self._spoken or "openai.embeddings", INVOCATIONS, request, attempt)

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """A ranking of a container that speaks the schema of the quirk `schema` (`jina.rerank`). Raises Fault."""
        return await self._ranked(self._spoken or "jina.rerank", INVOCATIONS, request, attempt)

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        return INVOCATIONS

    def _headers(self, path: bytes, body: bytes) -> Headers:
        return self._fixed

    def _chunks(self, attempt: Attempt) -> OpenAIChunks:
        return OpenAIChunks(attempt.model, self._secret)


class PingedTransport:
    """A transport that sends nothing before the other side has said that it is ready.

    Raises what `Transport` raises, and ModelNotReadyException.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ready = False

    async def request(
        self, method: bytes, path: bytes, headers: Headers = (), body: bytes = b"", *, deadline: float
    ) -> Response:
        """Send and wait for the answer's head."""
        response = await self._once_ready(
            lambda: self._transport.request(method, path, headers, body, deadline=deadline), deadline
        )
        if response.status == _LOADING:
            response.abort()
            self._loads()
        return response

    async def fetch(
        self,
        method: bytes,
        path: bytes,
        headers: Headers = (),
        body: bytes = b"",
        *,
        deadline: float,
        limit: int | None = None,
    ) -> Whole:
        """Send and wait for the whole answer."""
        whole = await self._once_ready(
            lambda: self._transport.fetch(method, path, headers, body, deadline=deadline, limit=limit), deadline
        )
        if whole.status == _LOADING:
            self._loads()
        return whole

    async def close(self) -> None:
        await self._transport.close()

    async def _once_ready(self, send: Callable[[], Awaitable[Got]], deadline: float) -> Got:
        if not self._ready:
            ping = await self._transport.fetch(b"GET", PING, deadline=deadline)
            if ping.status != 200:
                self._loads()
            self._ready = True
        try:
            return await send()
        except ConnectError:
            self._ready = False
            raise

    def _loads(self) -> None:
        self._ready = False
        raise model_not_ready(retry_after_s=_WAIT_S)
