"""The gateway's models as a job asks them: our own pool, each request signed with the job's credentials of the moment.

Owns paths and signing. It must not know what bodies mean, nor when a call is worth another try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from craton.aws.wire.sign import Keys, Signer
from craton.models.providers.transport import Address, Transport, parse_address
from craton.workflows.tools import Answer, JobCredentials

_JSON = ((b"content-type", b"application/json"), (b"accept", b"application/json"))
_AGENT = (b"user-agent", b"craton-jobs")


class GatewayModels:
    """`tools.ModelCaller`. The transport is shared and not closed here."""

    def __init__(
        self, transport: Transport, base_url: str, credentials: JobCredentials, now: Callable[[], datetime]
    ) -> None:
        self._transport = transport
        self._address: Address = parse_address(base_url)
        self._credentials = credentials
        self._now = now
        self._keys: Keys | None = None
        self._signer: Signer | None = None

    async def invoke(
        self, model_id: str, body: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 3600.0
    ) -> Answer:
        return await self._post(path_of(model_id, "invoke"), body, headers, timeout_s)

    async def converse(
        self, model_id: str, body: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 3600.0
    ) -> Answer:
        return await self._post(path_of(model_id, "converse"), body, headers, timeout_s)

    async def _post(self, path: bytes, body: bytes, headers: Sequence[tuple[bytes, bytes]], timeout_s: float) -> Answer:
        sent = (*_JSON, *headers)
        signer = await self._current()
        signed = signer.sign(b"POST", self._address.prefix + path, body, self._now(), headers=sent)
        deadline = asyncio.get_running_loop().time() + timeout_s
        whole = await self._transport.fetch(b"POST", path, (*sent, _AGENT, *signed), body, deadline=deadline)
        return whole.status, whole.headers, whole.body

    async def _current(self) -> Signer:
        keys = await self._credentials.fresh()
        if self._signer is None or keys is not self._keys:
            self._keys = keys
            self._signer = Signer(
                keys, service="bedrock", region=self._credentials.region, authority=self._address.authority
            )
        return self._signer


@lru_cache(maxsize=256)
def path_of(model_id: str, action: str) -> bytes:
    """The path as SDKs send it: an ARN's slashes and colons escaped."""
    return f"/model/{quote(model_id, safe='')}/{action}".encode()
