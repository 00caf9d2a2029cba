"""Provider `anthropic`: Anthropic's own Messages API, or a server that speaks it.

`base_url` names the host alone. Owns paths and headers, and how a body in Bedrock's form becomes the vendor's: the
version is a header there, `anthropic_beta` too, and model and stream stand in the body. Source: Anthropic's API
reference (Messages, Count tokens, Errors, Versioning).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable

import msgspec

from craton.aws.wire.faults import validation
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.anthropic_messages.dialect import AnthropicMessages, beta_header, vendor_body
from craton.models.dialects.dialect import Dialect
from craton.models.providers import faults
from craton.models.providers.dial import open_transport
from craton.models.providers.exchange import Exchange, json_headers
from craton.models.providers.native import AnthropicChunks, read_members, write_members
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Limits, Transport

VERSION = b"2023-06-01"

_PATH = b"/v1/messages"
_COUNT_PATH = b"/v1/messages/count_tokens"

# What Messages takes and its token counting refuses ("Extra inputs are not permitted").
_NOT_COUNTED = (
    "max_tokens", "metadata", "service_tier", "stop_sequences", "stream", "temperature", "top_k", "top_p",
)  # fmt: skip

_BETA = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")


class _Count(msgspec.Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


class AnthropicProvider:
    """One upstream. `transport` is opened by its address unless one is given."""

    name = "anthropic"

    def __init__(self, upstream: Upstream, transport: Transport | None = None) -> None:
        self.dialect: Dialect = AnthropicMessages(vendor=True)
        self._secret = upstream.api_key
        limits = Limits(connect_timeout_s=upstream.connect_timeout_s)
        self._transport = transport or open_transport(upstream.base_url, limits)
        self._exchange = Exchange(self._transport, upstream, end_data=b"", end_event="message_stop")
        key = [(b"x-api-key", upstream.api_key.encode("utf-8"))] if upstream.api_key else []
        self._headers = json_headers((b"anthropic-version", VERSION), *key)

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        """A whole reply. Raises Fault."""
        body = self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=False))
        headers = self._with_beta(beta_header(request))
        return await self._exchange.converse(self.dialect, _PATH, headers, body, attempt)

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per read of the socket. Raises Fault."""
        body = self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=True))
        headers = self._with_beta(beta_header(request))
        return self._exchange.stream(_PATH, headers, body, attempt, self.dialect.reader())

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """A body in Bedrock's or the vendor's form to a native reply."""
        if b'"stream"' in body:  # InvokeModel never streams, whatever its body says
            body = write_members(read_members(body), change={}, leave_out=("stream",))
        sent, betas = vendor_body(body, attempt.model, stream=False)
        return await self._exchange.post(_PATH, self._with_beta(betas), sent, attempt)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A body in Bedrock's or the vendor's form to native events, without pings."""
        sent, betas = vendor_body(body, attempt.model, stream=True)
        sink = AnthropicChunks(attempt.model, self._secret)
        return self._exchange.stream(_PATH, self._with_beta(betas), sent, attempt, sink)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Input tokens as the vendor counts them."""
        body = self.dialect.write_request(request, self._exchange.outgoing(attempt, stream=False))
        sent = write_members(read_members(body), change={}, leave_out=_NOT_COUNTED)
        answer = await self._exchange.post(_COUNT_PATH, self._with_beta(beta_header(request)), sent, attempt)
        try:
            return _COUNT.decode(answer).input_tokens
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise faults.unreadable(attempt.model) from error

    async def close(self) -> None:
        await self._transport.close()

    def _with_beta(self, names: Iterable[str]) -> Headers:
        """The headers, with the betas that the body named; a name that could break out of its line is refused."""
        betas = list(names)
        if not betas:
            return self._headers
        if not all(_BETA.match(name) for name in betas):
            raise validation(faults.RETURNED + "invalid beta flag")
        return (*self._headers, (b"anthropic-beta", ",".join(betas).encode("ascii")))
