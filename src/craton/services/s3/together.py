"""Small objects by the dozen: one request, one look at the store, each object judged as GetObject is.

Of a small object, what a request costs by itself is most of what reading it costs; jobs read tens of thousands. Owns
which objects are answered so: those whose sealed bytes lie in their rows, under keys that need no asking. Of all others
nothing is said, not even why: whoever wants one asks GetObject for it, which tells. It must not know HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from craton.aws.wire.faults import Fault, missing_token, validation
from craton.aws.wire.json_body import read_body
from craton.context import Call
from craton.infra.objects import index
from craton.infra.objects.record import Version
from craton.infra.store.port import Reader, Resource
from craton.services.s3 import contents, gate
from craton.services.s3.bucket_record import Bucket
from craton.services.s3.condition_keys import of_connection
from craton.services.s3.faults import access_denied
from craton.services.s3.gate import Opened
from craton.services.s3.sealing import Way
from craton.services.s3.trouble import as_s3

MOST: Final = 64
"""Objects in one request."""
TOO_MANY: Final = "One request can ask for {most} objects at most, and there are {given}."
MOST_BODY: Final = MOST * (1024 * 6 + 256)
"""Bytes of a request: a byte of a key may stand as \\u00ff."""


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """An object in a certain state of it; `etag` without quotes, "" for whatever state it is in."""

    key: str
    etag: str = ""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`owner` is the account that the bucket is expected to belong to, "" for any."""

    bucket: str
    objects: list[Wanted]
    owner: str = ""


class Found(msgspec.Struct, frozen=True, array_like=True):
    """An object's whole bytes, and the state that they are."""

    etag: str
    data: bytes


async def small_objects(call: Call, body: bytes) -> bytes:
    """`Asked` in JSON to MessagePack: for each object, in the order of the request, `Found` or nil.

    Raises MissingAuthenticationToken for a Bedrock API key, which opens no bucket, NoSuchBucket, AccessDenied for another
    owner than the expected one, ValidationException, SerializationException.
    """
    if call.caller.auth != "sigv4":
        raise missing_token()
    asked = read_body(body, Asked)
    if len(asked.objects) > MOST:
        raise validation(TOO_MANY.format(most=MOST, given=len(asked.objects)))
    return msgspec.msgpack.encode(await _found(call, asked))


async def _found(call: Call, asked: Asked) -> list[Found | None]:
    def look(store: Reader) -> tuple[Resource, list[Version | None]]:
        keys = [one.key.encode() for one in asked.objects]
        row = gate.find(store, asked.bucket)
        return row, store.run(lambda connection: [index.newest(connection, asked.bucket, key) for key in keys])

    with as_s3():
        row, versions = await call.app.storage.read(look)
    if asked.owner and asked.owner != row.account:
        raise access_denied()
    if call.app.settings.file.audit.data_events:  # each reading has a record of its own: they are asked for one by one
        return [None] * len(asked.objects)
    bucket = Opened(row, row.read(Bucket))
    found: list[Found | None] = []
    for wanted, version in zip(asked.objects, versions, strict=True):
        found.append(await _one(call, bucket, wanted, version))
        await asyncio.sleep(0)  # others come between: together these may take as long as many requests
    return found


async def _one(call: Call, bucket: Opened, wanted: Wanted, version: Version | None) -> Found | None:
    if version is None or version.marker or (wanted.etag and wanted.etag != version.etag):
        return None
    sealing = version.detail.sealing
    if version.blobs or sealing.key is not None or sealing.customer_md5 is not None:
        return None
    given = of_connection(call)
    if wanted.etag:
        given["s3:if-match"] = f'"{wanted.etag}"'
    seen = msgspec.structs.replace(bucket, seen=version)
    if gate.refusal(call, seen, "s3:GetObject", wanted.key, given) is not None:
        return None
    try:
        return Found(version.etag, await contents.read(call, bucket, Way(sealing), version))
    except Fault:
        return None
