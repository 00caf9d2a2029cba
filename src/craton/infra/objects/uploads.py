"""Uploads in parts: begun, filled part by part, listed, then made into an object or given up.

Owns the rows of uploads and parts; what runs here runs in a transaction that the caller holds, as in `index`. A part
that is sent again replaces the one before. It must not know which parts make a valid object, nor HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from craton.infra.objects import index
from craton.infra.objects.listing import Place, Shown, bounds, rolled
from craton.infra.objects.record import Detail, Part, Upload
from craton.infra.objects.tables import PARTS, UPLOADS

_U, _P = UPLOADS.c, PARTS.c
_ONE = select(UPLOADS).where(
    _U.bucket == bindparam("of_bucket"), _U.key == bindparam("of_key"), _U.upload_id == bindparam("of_id")
)
_PART = select(_P.blob).where(_P.upload_id == bindparam("of_id"), _P.number == bindparam("of_number"))


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """The detail's column of an upload."""

    detail: Detail
    storage_class: str
    algorithm: str = ""
    checksum_type: str = ""
    initiator: str = ""


def begin(connection: Connection, upload: Upload) -> None:
    """Keep a new upload."""
    kept = _Kept(upload.detail, upload.storage_class, upload.algorithm, upload.checksum_type, upload.initiator)
    row = {
        "bucket": upload.bucket,
        "key": upload.key,
        "upload_id": upload.upload_id,
        "started_at": upload.started_at,
        "detail": msgspec.msgpack.encode(kept),
    }
    connection.execute(insert(UPLOADS), row)


def find(connection: Connection, bucket: str, key: bytes, upload_id: str) -> Upload | None:
    """The upload with this id, if it is of this key."""
    found = connection.execute(_ONE, {"of_bucket": bucket, "of_key": key, "of_id": upload_id}).one_or_none()
    return None if found is None else _upload_of(found)


def put_part(connection: Connection, upload_id: str, part: Part, freed: list[str]) -> None:
    """Keep a part, in place of one with the same number."""
    before = connection.execute(_PART, {"of_id": upload_id, "of_number": part.number}).scalar_one_or_none()
    if before is not None:
        connection.execute(delete(PARTS).where(_P.upload_id == upload_id, _P.number == part.number))
        index.release(connection, [before], freed)
    row = {
        "upload_id": upload_id,
        "number": part.number,
        "size": part.size,
        "etag": part.etag,
        "modified_at": part.modified_at,
        "blob": part.blob,
        "detail": msgspec.msgpack.encode(part.checksums),
    }
    connection.execute(insert(PARTS), row)
    index.take(connection, [part.blob])


def parts(connection: Connection, upload_id: str, behind: int = 0, limit: int | None = None) -> list[Part]:
    """The parts in the order of their numbers, those behind a number."""
    statement = select(PARTS).where(_P.upload_id == upload_id, _P.number > behind).order_by(_P.number).limit(limit)
    return [_part_of(row) for row in connection.execute(statement)]


def finish(connection: Connection, upload: Upload, used: Iterable[str], freed: list[str]) -> None:
    """Take the upload and its parts away, but for the blobs in `used`, which an object holds from now on."""
    kept = set(used)
    blobs = connection.execute(select(_P.blob).where(_P.upload_id == upload.upload_id)).scalars()
    spare = [blob for blob in blobs if blob not in kept]
    connection.execute(delete(PARTS).where(_P.upload_id == upload.upload_id))
    connection.execute(delete(UPLOADS).where(
        _U.bucket == upload.bucket, _U.key == upload.key, _U.upload_id == upload.upload_id
    ))  # fmt: skip
    if spare:
        index.release(connection, spare, freed)


def forget_bucket(connection: Connection, bucket: str, freed: list[str]) -> None:
    """Take away all uploads of a bucket that is deleted."""
    for row in connection.execute(select(UPLOADS).where(_U.bucket == bucket)).all():
        finish(connection, _upload_of(row), (), freed)


def listing(
    connection: Connection, bucket: str, prefix: bytes, delimiter: bytes, start: Place | None, limit: int
) -> Shown:
    """A page of uploads under way, by key and id; `start.within` is an id."""

    def fetch(place: Place, most: int) -> list[Upload]:
        limits = bounds(prefix, place, _U.key, _U.upload_id)
        statement = select(UPLOADS).where(_U.bucket == bucket, *limits).order_by(_U.key, _U.upload_id).limit(most)
        return [_upload_of(row) for row in connection.execute(statement)]

    return rolled(fetch, prefix, delimiter, start, limit)


def _upload_of(row: Row[Any]) -> Upload:
    bucket, key, ident, started_at, detail = tuple(row)
    kept = msgspec.msgpack.decode(detail, type=_Kept)
    return Upload(
        bucket=bucket,
        key=bytes(key),
        upload_id=ident,
        started_at=started_at,
        detail=kept.detail,
        storage_class=kept.storage_class,
        algorithm=kept.algorithm,
        checksum_type=kept.checksum_type,
        initiator=kept.initiator,
    )


def _part_of(row: Row[Any]) -> Part:
    _, number, size, etag, modified_at, blob, detail = tuple(row)
    return Part(
        number=number,
        size=size,
        etag=etag,
        modified_at=modified_at,
        blob=blob,
        checksums=msgspec.msgpack.decode(detail, type=dict[str, str]),
    )
