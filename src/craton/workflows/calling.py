"""The gateway's models and functions as a job asks them: our own pool, each request signed with the job's credentials of the moment.

Owns paths and signing. It must not know what bodies mean, nor when a call is worth another try.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

import msgspec

from craton.aws.wire.sign import Keys, Signer
from craton.models.providers.transport import Address, Transport, parse_address
from craton.workflows.tools import Answer, JobCredentials

_JSON = ((b"content-type", b"application/json"), (b"accept", b"application/json"))
_AGENT = (b"user-agent", b"craton-jobs")
_TOGETHER, _GOOD = b"/craton/objects", 200
_several = msgspec.msgpack.Decoder(list[tuple[str, bytes] | None]).decode
_NOTHING = hashlib.sha256(b"").hexdigest().encode()


class _Gateway:
    """A service of the gateway, by the name that its requests are signed with. The transport is not closed here."""

    service: str

    def __init__(
        self, transport: Transport, base_url: str, credentials: JobCredentials, now: Callable[[], datetime]
    ) -> None:
        self._transport = transport
        self._address: Address = parse_address(base_url)
        self._credentials = credentials
        self._now = now
        self._keys: Keys | None = None
        self._signers: dict[str, Signer] = {}

    async def _post(
        self, path: bytes, body: bytes, headers: Sequence[tuple[bytes, bytes]], timeout_s: float, service: str = ""
    ) -> Answer:
        sent = (*_JSON, *headers)
        signer = await self._current(service or self.service)
        signed = signer.sign(b"POST", self._address.prefix + path, body, self._now(), headers=sent)
        deadline = asyncio.get_running_loop().time() + timeout_s
        whole = await self._transport.fetch(b"POST", path, (*sent, _AGENT, *signed), body, deadline=deadline)
        return whole.status, whole.headers, whole.body

    async def _current(self, service: str) -> Signer:
        keys = await self._credentials.fresh()
        if keys is not self._keys:
            self._keys, self._signers = keys, {}
        signer = self._signers.get(service)
        if signer is None:
            region, authority = self._credentials.region, self._address.authority
            signer = self._signers[service] = Signer(keys, service=service, region=region, authority=authority)
        return signer


class GatewayModels(_Gateway):
    """`tools.ModelCaller`."""

    service = "bedrock"

    async def invoke(
        self, model_id: str, body: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 3600.0
    ) -> Answer:
        return await self._post(path_of(model_id, "invoke"), body, headers, timeout_s)

    async def converse(
        self, model_id: str, body: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 3600.0
    ) -> Answer:
        return await self._post(path_of(model_id, "converse"), body, headers, timeout_s)


class GatewayFunctions(_Gateway):
    """`tools.FunctionCaller`."""

    service = "lambda"

    async def invoke(
        self, function: str, payload: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 960.0
    ) -> Answer:
        path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations".encode()
        return await self._post(path, payload, headers, timeout_s)


class GatewayObjects(_Gateway):
    """`tools.ObjectReader`."""

    service = "s3"

    async def get(
        self,
        bucket: str,
        key: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        limit: int,
        timeout_s: float = 120.0,
    ) -> Answer:
        path = f"/{quote(bucket, safe='')}/{quote(key, safe='/-_.~')}".encode()
        sent = (*headers, (b"x-amz-content-sha256", _NOTHING))
        signer = await self._current(self.service)
        signed = signer.sign(b"GET", self._address.prefix + path, b"", self._now(), headers=sent)
        deadline = asyncio.get_running_loop().time() + timeout_s
        whole = await self._transport.fetch(
            b"GET", path, (*sent, _AGENT, *signed), deadline=deadline, limit=limit
        )  # fmt: skip
        return whole.status, whole.headers, whole.body

    async def small(
        self, bucket: str, owner: str, wanted: Sequence[tuple[str, str]], *, timeout_s: float = 120.0
    ) -> list[tuple[str, bytes] | None]:
        body = msgspec.json.encode({"bucket": bucket, "owner": owner, "objects": wanted})
        status, _, found = await self._post(_TOGETHER, body, (), timeout_s, "bedrock")
        return _several(found) if status == _GOOD else [None] * len(wanted)


@lru_cache(maxsize=256)
def path_of(model_id: str, action: str) -> bytes:
    """The path as SDKs send it: an ARN's slashes and colons escaped."""
    return f"/model/{quote(model_id, safe='')}/{action}".encode()
