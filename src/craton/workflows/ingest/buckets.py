"""S3 as the knowledge base's role sees it: what there is, and single objects as they were listed.

Owns every call to S3 and how its refusals read. boto3 blocks, so each call runs in a thread. An object is read with the
ETag that was seen (If-Match); one that changes while it is read is looked at again, a few times. It must not know documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError

from craton.infra.objects.record import MOST_INLINE
from craton.models.providers.transport import TransportError
from craton.workflows.batch.files import JobRefused, code_of, refused
from craton.workflows.ingest.gathering import Gathering
from craton.workflows.ingest.sources import Place
from craton.workflows.tools import ObjectReader

TRIES = 5
SEATS = 4
"""Objects that are read at once from the gateway, which is near: more would only make others wait there."""
_CHANGED = frozenset({"412", "PreconditionFailed"})
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_GOOD = 200
_NO_BUCKET = "NoSuchBucket"
_PAUSE_S = 0.1


class Object(msgspec.Struct, frozen=True):
    """An object as a listing tells of it; `etag` without its quotes."""

    key: str
    etag: str
    size: int

    @property
    def mark(self) -> str:
        """What tells one state of the object from another."""
        return f"{self.etag}/{self.size}"


class Restless(Exception):
    """The object changed each time while it was read."""


class TooLarge(Exception):
    """The object is larger than was asked for."""


class Withheld(Exception):
    """The role may not read this object; the message says so."""


class Buckets:
    """`client` is boto3's, with the rights of `role`, which stands in messages. `reader`, where there is one, reads
    objects more cheaply; whatever it cannot answer is asked again of the client.
    """

    def __init__(self, client: Any, role: str, reader: ObjectReader | None = None) -> None:
        self._client = client
        self._role = role
        self._reader = reader
        self._gathering = Gathering(reader) if reader is not None else None
        self._seats = asyncio.Semaphore(SEATS)

    async def listed(self, place: Place) -> AsyncGenerator[list[Object]]:
        """What lies there by pages, in no order across prefixes. Raises JobRefused."""
        for prefix in _widest(place.prefixes):
            more: dict[str, str] = _owned(place.owner)
            while True:
                page = await self._ask(place.bucket, prefix, self._client.list_objects_v2, Prefix=prefix, **more)
                yield [Object(one["Key"], one["ETag"].strip('"'), one["Size"]) for one in page.get("Contents", ())]
                if not page.get("IsTruncated"):
                    break
                more["ContinuationToken"] = page["NextContinuationToken"]

    async def read(
        self, bucket: str, key: str, owner: str = "", *, most: int, listed: Object | None = None
    ) -> tuple[Object, bytes] | None:
        """An object as it is now, if it is there: read in the state that was listed first, then in newer ones.

        Raises TooLarge, Restless, Withheld, JobRefused.
        """
        etag = listed.etag if listed is not None else ""
        if self._gathering is not None and listed is not None and listed.size <= min(MOST_INLINE, most):
            held = await self._gathering.read(bucket, owner, key, etag)
            if held is not None:
                return listed, held[1]
        quick = await self._quickly(bucket, key, owner, most, etag) if self._reader is not None else None
        if quick is not None:
            return quick
        for attempt in range(TRIES):
            wanted = {"IfMatch": f'"{etag}"'} if etag else {}
            try:
                return await asyncio.to_thread(self._get, bucket, key, most, {**_owned(owner), **wanted})
            except (IncompleteReadError, ReadTimeoutError):
                etag = ""
            except ClientError as error:
                code = code_of(error)
                if code in _GONE:
                    return None
                if code not in _CHANGED:
                    why = self._refused(error, "GetObject", bucket, key)
                    raise (Withheld(str(why)) if isinstance(why, JobRefused) and code != _NO_BUCKET else why) from None
                etag = ""
            await asyncio.sleep(_PAUSE_S * attempt)
        raise Restless

    async def _quickly(self, bucket: str, key: str, owner: str, most: int, etag: str) -> tuple[Object, bytes] | None:
        """The object if nothing is the matter with it."""
        assert self._reader is not None  # noqa: S101 - the caller has looked
        headers = [(b"if-match", f'"{etag}"'.encode())] if etag else []
        if owner:
            headers.append((b"x-amz-expected-bucket-owner", owner.encode()))
        try:
            async with self._seats:
                status, found, data = await self._reader.get(bucket, key, headers=headers, limit=most)
        except TransportError:
            return None
        if status != _GOOD:
            return None
        return Object(key, found[b"etag"].decode().strip('"'), len(data)), data

    def _get(self, bucket: str, key: str, most: int, given: dict[str, str]) -> tuple[Object, bytes]:
        found = self._client.get_object(Bucket=bucket, Key=key, **given)
        with found["Body"] as body:
            if found["ContentLength"] > most:
                raise TooLarge
            data = body.read()
        return Object(key, found["ETag"].strip('"'), len(data)), data

    async def write(self, bucket: str, key: str, data: bytes) -> None:
        """Raises JobRefused."""
        await self._ask(bucket, key, self._client.put_object, "PutObject", Key=key, Body=data)

    async def delete(self, bucket: str, key: str) -> None:
        """Raises JobRefused."""
        await self._ask(bucket, key, self._client.delete_object, "DeleteObject", Key=key)

    async def _ask(self, bucket: str, key: str, method: Any, right: str = "ListBucket", **given: Any) -> Any:
        try:
            return await asyncio.to_thread(method, Bucket=bucket, **given)
        except ClientError as error:
            raise self._refused(error, right, bucket, key) from None

    def _refused(self, error: ClientError, right: str, bucket: str, key: str) -> Exception:
        return refused(error, right, bucket, key, self._role) or error


def _owned(owner: str) -> dict[str, str]:
    return {"ExpectedBucketOwner": owner} if owner else {}


def _widest(prefixes: tuple[str, ...]) -> list[str]:
    """The prefixes that are not below others, so that nothing is listed twice; all of the bucket for none."""
    found: list[str] = []
    for prefix in sorted(set(prefixes)) or [""]:
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found
