"""Provider `container` without an address: containers that Craton runs, each request at one of a deployment's replicas.

Owns nothing but the way there; what is said to a container is `container`'s. The host of models pings them, so they are
not pinged again.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import msgspec

from craton.models.canon.embedding import EmbedReply, EmbedRequest
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Dialect
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from craton.models.providers.container import ContainerProvider
from craton.models.providers.deployed import Deployed, named
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.seats import Replicas, SeatedTransport


class ContainersProvider(Deployed[ContainerProvider]):
    """Containers of our own. Quirks are the provider `container`'s."""

    name = "container"

    def __init__(self, upstream: Upstream, replicas: Replicas) -> None:
        super().__init__(replicas)
        self.dialect: Dialect = OpenAIChat(head_tag=str(upstream.quirks.get("head_tag", "")))
        self._upstream = upstream

    @property
    def image_schema(self) -> str:
        """By the quirk `schema`; without it, native bodies pass through as they are."""
        return str(self._upstream.quirks.get("schema", "")) or "*"

    def embed(self, request: EmbedRequest, attempt: Attempt) -> Coroutine[Any, Any, EmbedReply]:
        """Vectors. Raises Fault."""
        return self._reached(attempt).embed(request, named(attempt))

    def paint(self, request: ImageRequest, attempt: Attempt) -> Coroutine[Any, Any, ImageReply]:
        """Pictures. Raises Fault."""
        return self._reached(attempt).paint(request, named(attempt))

    def paint_native(self, body: bytes, attempt: Attempt) -> Coroutine[Any, Any, bytes]:
        """A native body to the native reply. Raises Fault."""
        return self._reached(attempt).paint_native(body, named(attempt))

    def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> Coroutine[Any, Any, int]:
        """Raises ValidationException: containers have no call for it."""
        return self._reached(attempt).count_tokens(request, attempt)

    def _asking(self, transport: SeatedTransport, attempt: Attempt) -> ContainerProvider:
        upstream = self._upstream
        schema = attempt.quirks.get("schema")
        if schema is not None:
            upstream = msgspec.structs.replace(upstream, quirks={**upstream.quirks, "schema": schema})
        return ContainerProvider(upstream, transport)
