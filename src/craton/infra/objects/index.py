"""The index of objects: the versions of a key, which of them is the current one, and the blobs that they hold.

Everything here runs in a transaction that the caller holds; writers exclude each other, so what is read decides what is
written. Which version is newest follows from its place in the order of writes, never from a clock. Functions that take
something away add the blobs that nobody needs any more to `freed`; deleting them after the commit is the caller's. It
must not know HTTP, AWS's errors, or who may do what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from craton.infra.objects.record import CURRENT, MARKED, NULL, OLDER, Detail, Piece, Version, new_version_id, place_of
from craton.infra.objects.tables import BLOBS_IN_USE, OBJECTS
from craton.infra.store import statements
from craton.infra.store.tables import RESOURCES

_O = OBJECTS.c
_MINE = (_O.bucket == bindparam("of_bucket"), _O.key == bindparam("of_key"))
_AT = (*_MINE, _O.place == bindparam("of_place"))
# Statements that every request runs are built once: building one costs more than running it.
_NEWEST = select(OBJECTS).where(*_MINE).order_by(_O.place).limit(1)
_PLACED = select(OBJECTS).where(*_AT)
_UNVERSIONED = select(OBJECTS).where(*_MINE, _O.version_id == NULL)
_INSERT = insert(OBJECTS)
_R = RESOURCES.c
_BUCKET = select(_R.version, _R.created_at, _R.account).where(_R.arn == bindparam("of_arn"))
_DELETE = delete(OBJECTS).where(*_AT)
_STATE = update(OBJECTS).where(*_AT).values(state=bindparam("new_state"))
_DETAIL = update(OBJECTS).where(*_AT).values(detail=bindparam("new_detail"))
_USE = insert(BLOBS_IN_USE)
_UNUSE = delete(BLOBS_IN_USE).where(BLOBS_IN_USE.c.blob == bindparam("of_blob"))

Mark = tuple[int, int, str]
"""A bucket's row: its version, when it was made (µs since 1970), whose it is."""

_details = msgspec.msgpack.Decoder(Detail)
_pieces = msgspec.msgpack.Decoder(tuple[Piece, ...])


def bucket_mark(connection: Connection, arn: str) -> Mark | None:
    """What tells a bucket's row from an earlier state of it, and from another bucket's of the same name."""
    found = statements.row(connection, _BUCKET, {"of_arn": arn})
    return None if found is None else (found[0], found[1], found[2])


def newest(connection: Connection, bucket: str, key: bytes) -> Version | None:
    """What a request sees that names no version: an object or a delete marker."""
    row = statements.row(connection, _NEWEST, {"of_bucket": bucket, "of_key": key})
    return None if row is None else version_of(row)


def version(connection: Connection, bucket: str, key: bytes, version_id: str) -> Version | None:
    """The version with this id."""
    if version_id == NULL:
        row = statements.row(connection, _UNVERSIONED, {"of_bucket": bucket, "of_key": key})
        return None if row is None else version_of(row)
    place = place_of(version_id)
    if place is None:
        return None
    row = statements.row(connection, _PLACED, {"of_bucket": bucket, "of_key": key, "of_place": place})
    found = None if row is None else version_of(row)
    return found if found is not None and found.version_id == version_id else None


def store(
    connection: Connection, new: Version, before: Version | None, freed: list[str], *, keeps: bool, held: bool = False
) -> Version:
    """Make `new` the current version of its key, and return it as stored. `before` is the newest until now.

    `keeps`: the bucket keeps versions, so it gets an id of its own; else it takes the place of the null version.
    `held`: its blobs are in use already (as parts).
    """
    place = 0
    if before is not None:
        place = before.place - 1
        replaced = None if keeps else before
        if replaced is not None and replaced.version_id != NULL:
            replaced = version(connection, new.bucket, new.key, NULL)
        if replaced is not None:
            _drop(connection, replaced, freed)
        if replaced is None or replaced.place != before.place:
            _set_state(connection, before, OLDER)
    stored = msgspec.structs.replace(
        new,
        place=place,
        version_id=new_version_id(place) if keeps else NULL,
        state=MARKED if new.marker else CURRENT,
    )
    statements.rows(connection, _INSERT, _row(stored))
    if not held:
        take(connection, stored.blobs)
    return stored


def remove(connection: Connection, found: Version, freed: list[str]) -> None:
    """Take one version away for good; if it was the current one, the next older becomes current."""
    _drop(connection, found, freed)
    if found.is_latest:
        next_one = newest(connection, found.bucket, found.key)
        if next_one is not None:
            _set_state(connection, next_one, MARKED if next_one.marker else CURRENT)


def amend(connection: Connection, found: Version, detail: Detail) -> None:
    """Write another detail (tags) to a version."""
    statements.rows(connection, _DETAIL, {**_where(found), "new_detail": msgspec.msgpack.encode(detail)})


def is_empty(connection: Connection, bucket: str) -> bool:
    """Whether a bucket holds no version of anything, delete markers included."""
    return connection.execute(select(_O.place).where(_O.bucket == bucket).limit(1)).first() is None


def blob_ids(connection: Connection, after: str = "", limit: int = 1000) -> list[str]:
    """The blobs in use, in the order of their ids, by pages."""
    ident = BLOBS_IN_USE.c.blob
    return list(connection.execute(select(ident).where(ident > after).order_by(ident).limit(limit)).scalars())


def in_use(connection: Connection, blobs: Collection[str]) -> set[str]:
    """Which of these blobs an object or a part holds; at most some hundreds at a time."""
    ident = BLOBS_IN_USE.c.blob
    return set(connection.execute(select(ident).where(ident.in_(blobs))).scalars())


def take(connection: Connection, blobs: Iterable[str]) -> None:
    """Note that these blobs are in use."""
    for blob in blobs:
        statements.rows(connection, _USE, {"blob": blob})


def release(connection: Connection, blobs: Sequence[str], freed: list[str]) -> None:
    """Note that these blobs are in use no more."""
    if len(blobs) == 1:
        statements.rows(connection, _UNUSE, {"of_blob": blobs[0]})
        freed += blobs
        return
    for start in range(0, len(blobs), _AT_ONCE):
        some = blobs[start : start + _AT_ONCE]
        connection.execute(delete(BLOBS_IN_USE).where(BLOBS_IN_USE.c.blob.in_(some)))
    freed += blobs


_AT_ONCE = 500


def _drop(connection: Connection, found: Version, freed: list[str]) -> None:
    statements.rows(connection, _DELETE, _where(found))
    if found.pieces:
        release(connection, found.blobs, freed)


def _set_state(connection: Connection, found: Version, state: int) -> None:
    statements.rows(connection, _STATE, {**_where(found), "new_state": state})


def _where(found: Version) -> dict[str, object]:
    return {"of_bucket": found.bucket, "of_key": found.key, "of_place": found.place}


def _row(found: Version) -> dict[str, object]:
    return {
        "bucket": found.bucket,
        "key": found.key,
        "place": found.place,
        "version_id": found.version_id,
        "state": found.state,
        "marker": int(found.marker),
        "size": found.size,
        "etag": found.etag,
        "modified_at": found.modified_at,
        "storage_class": found.storage_class,
        "checksums": found.checksums,
        "detail": msgspec.msgpack.encode(found.detail),
        "blobs": msgspec.msgpack.encode(found.pieces),
    }


def version_of(row: statements.Row) -> Version:
    """The Version of a full row of OBJECTS."""
    bucket, key, place, ident, state, marker, size, etag, modified_at, storage_class, checksums, detail, blobs = row
    return Version(
        bucket=bucket,
        key=bytes(key),
        place=place,
        version_id=ident,
        state=state,
        marker=bool(marker),
        size=size,
        etag=etag,
        modified_at=modified_at,
        storage_class=storage_class,
        checksums=checksums,
        detail=_details.decode(detail),
        pieces=_pieces.decode(blobs),
    )
