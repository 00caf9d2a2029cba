"""What every dialect of reranking offers. It holds no state and does no I/O."""

from __future__ import annotations

from typing import Protocol

from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Outgoing


class RerankDialect(Protocol):
    @property
    def name(self) -> str:
        """Such as `cohere.rerank`."""
        ...

    def read_request(self, body: bytes) -> RerankRequest:
        """A native body → canon. Raises ValidationException in Bedrock's words ("Malformed input request: …")."""
        ...

    def write_request(self, request: RerankRequest, out: Outgoing) -> bytes:
        """Canon → a native body; what cannot be carried goes to `out.ledger`."""
        ...

    def read_reply(self, body: bytes) -> RerankReply:
        """A native reply → canon. Raises ModelErrorException if it cannot be read."""
        ...

    def write_reply(self, reply: RerankReply) -> bytes:
        """Canon → the native reply."""
        ...
