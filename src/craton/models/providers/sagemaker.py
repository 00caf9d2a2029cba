"""Provider `sagemaker`: InvokeEndpoint, whole and with a response stream, signed with the target's own credentials.

`base_url` names the host alone, such as `https://runtime.sagemaker.us-east-1.amazonaws.com`; `model` is the
endpoint's name. Bodies are shaped like OpenAI's chat completions, as LMI, TGI and vLLM containers take them; the
quirk `body_model` is what such a body says under `model` (nothing, if it is empty), `component` names an inference
component. Source: botocore's model of sagemaker-runtime.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from craton.models.canon.request import ConverseRequest
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.aws_answers import PartFrames, sagemaker_refusal
from craton.models.providers.native import OpenAIChunks, read_members, write_members
from craton.models.providers.posting import PostingProvider
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.signed import Signing, secret_sent
from craton.models.providers.transport import Headers, Transport

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
        self._body_model = str(quirks.get("body_model", ""))
        component = str(quirks.get("component", ""))
        self._further = (_ACCEPT, *(((_COMPONENT, component.encode()),) if component else ()))

    def _path(self, attempt: Attempt, *, stream: bool) -> bytes:
        operation = b"invocations-response-stream" if stream else b"invocations"
        return b"/endpoints/%b/%b" % (quote(attempt.model, safe="").encode(), operation)

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


_COMPONENT = b"x-amzn-sagemaker-inference-component"
