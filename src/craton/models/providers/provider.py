"""What every provider offers: one upstream, spoken to in its own dialect.

A provider turns a canonical request into an HTTP exchange and its failures into Faults. It neither retries nor
chooses between upstreams (`features/inference/balance` does) and it never looks at IAM, quotas or guardrails.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol, runtime_checkable

import msgspec

from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.events import StreamEvent
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.dialects.dialect import Dialect, Ledger
from craton.models.providers.cassettes.taping import Taping


class Upstream(msgspec.Struct, frozen=True):
    """Where a target is and how it is reached; the secrets are already resolved.

    `region` and the three keys after it are for upstreams that want signed requests. `native` names the schema that
    the model itself speaks, where the provider alone does not tell it (the real Bedrock, a cassette). `taping` and
    `rules` are for the providers that ask nobody.
    """

    provider: str
    base_url: str
    model: str
    api_key: str = ""
    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0
    quirks: dict[str, object] = {}
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    native: str = ""
    taping: Taping | None = None
    rules: str = ""


def _nobodys() -> Dialect | None:
    return None


class Attempt(msgspec.Struct):
    """One try at one upstream.

    `deadline` is in seconds of the loop's clock (`loop.time()`). `max_tokens` is what to ask for where the vendor's
    schema demands a number and the caller gave none. `speaks` names the schema of the caller's native body; "" is
    Converse, whose extra fields are those of the model that was called: its schema is what `family` gives. `headers` are
    the caller's, names in lower case, for who must know how urgent it is; `carried` are further headers for the upstream.
    """

    model: str
    ledger: Ledger
    deadline: float
    request_id: str
    max_tokens: int = 4096
    quirks: dict[str, object] = {}
    speaks: str = ""
    family: Callable[[], Dialect | None] = _nobodys
    headers: Mapping[bytes, bytes] = {}
    carried: tuple[tuple[bytes, bytes], ...] = ()


class Provider(Protocol):
    """Every method raises Fault: before the first byte any of them, in a stream also later.

    Leaving a generator early (`aclose`) must close the upstream connection at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def dialect(self) -> Dialect: ...

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply: ...

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """One list per read of the upstream's socket, so that each delta leaves when it arrives."""
        ...

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        """Pass a native body through; the native reply comes back as it is."""
        ...

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """Pass a native body through; native JSON chunks come back, one list per read."""
        ...

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        """Input tokens. Raises ValidationException where the upstream cannot count."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Embeds(Protocol):
    """A provider whose upstream makes embeddings."""

    async def embed(self, request: EmbedRequest, attempt: Attempt) -> EmbedReply:
        """One vector per item, in the items' order. Raises Fault."""
        ...


@runtime_checkable
class Reranks(Protocol):
    """A provider whose upstream ranks documents."""

    async def rerank(self, request: RerankRequest, attempt: Attempt) -> RerankReply:
        """The documents' places and scores, best first. Raises Fault."""
        ...


@runtime_checkable
class Paints(Protocol):
    """A provider whose upstream makes pictures."""

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        """The pictures, in the order in which they were made. Raises Fault."""
        ...


@runtime_checkable
class PaintsNative(Protocol):
    """A provider whose upstream speaks a native schema of pictures, so that bodies can pass through."""

    @property
    def image_schema(self) -> str:
        """The schema's name; `*`: it takes whatever body comes; "": this upstream makes no pictures."""
        ...

    async def paint_native(self, body: bytes, attempt: Attempt) -> bytes:
        """A native body to a native reply. Raises Fault."""
        ...
