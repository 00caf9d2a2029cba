"""Provider `sagemaker`: InvokeEndpoint, whole and with a response stream, signed with the target's own credentials.

`base_url` names the host alone, such as `https://runtime.sagemaker.us-east-1.amazonaws.com`; `model` is the
endpoint's name. Bodies are shaped like OpenAI's chat completions, as LMI, TGI and vLLM containers take them; the
quirk `body_model` is what such a body says under `model` (nothing, if it is empty), `component` names an inference
component. Source: botocore's model of sagemaker-runtime.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.aws_answers import PartFrames, sagemaker_refusal
from craton.models.providers.native import OpenAIChunks, read_members, write_members
from craton.models.providers.posting import PostingProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.signed import Signing, secret_sent
from craton.models.providers.transport import Headers, Transport, Whole

SERVICE = "sagemaker"

_ACCEPT = (b"accept", b"application/json")


class SageMakerProvider(PostingProvider):
    """One region's endpoints. Other quirks are those of the dialect `openai.chat`, and `head_tag`."""

    name = "sagemaker"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        quirks = upstream.quirks
        told = msgspec.structs.replace(upstream, api_key=secret_sent(upstream))
        super().__init__(
            told,
            OpenAIChat(head_tag=str(quirks.get("head_tag", ""))),
            transport,
            framing=PartFrames,
            refusal=sagemaker_refusal,
        )
        self._signing = Signing(upstream, SERVICE)
        self._spoken = str(quirks.get("schema", ""))
        self._body_model = str(quirks.get("body_model", ""))
        component = str(quirks.get("component", ""))
        self._further = (_ACCEPT, *(((_COMPONENT, component.encode()),) if component else ()))

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
        """Vectors of an endpoint that speaks the schema of the quirk `schema` (`openai.embeddings`). Raises Fault."""
        return await self._embedded(self._spoken or "openai.embeddings", _path(attempt), request, attempt)

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """A ranking of an endpoint that speaks the schema of the quirk `schema` (`jina.rerank`). Raises Fault."""
        return await self._ranked(self._spoken or "jina.rerank", _path(attempt), request, attempt)

    async def _whole(self, path: bytes, attempt: Attempt, body: bytes) -> Whole:
        return await super()._whole(path, attempt, body if self._spoken else self._renamed(body))

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        return _path(attempt, b"invocations-response-stream") if stream else _path(attempt)

    def _headers(self, path: bytes, body: bytes) -> Headers:
        return self._signing.headers(path, body, *self._further)

    def _chunks(self, attempt: Attempt) -> OpenAIChunks:
        return OpenAIChunks(attempt.model, self._secret)

    def _written(self, request: ConverseRequest, attempt: Attempt, *, stream: bool) -> bytes:
        return self._renamed(super()._written(request, attempt, stream=stream))

    def _sent(self, body: bytes, attempt: Attempt, *, stream: bool) -> bytes:
        return self._renamed(super()._sent(body, attempt, stream=stream))

    def _renamed(self, body: bytes) -> bytes:
        """The endpoint's name says nothing to the container behind it."""
        members = read_members(body)
        if self._body_model:
            return write_members(members, change={"model": self._body_model})
        return write_members(members, change={}, leave_out=("model",))


def _path(attempt: Attempt, operation: bytes = b"invocations") -> bytes:
    return b"/endpoints/%b/%b" % (quote(attempt.model, safe="").encode(), operation)


_COMPONENT = b"x-amzn-sagemaker-inference-component"
