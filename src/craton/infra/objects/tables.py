"""The tables of objects: versions, uploads in parts, and which blobs are in use.

Owns names and types of columns; `infra.store.migrate` makes the tables. A key is bytes (UTF-8) because it may hold what
no database's text holds, NUL for one, and because S3 lists keys in the order of their bytes. It must not know how rows
are found or changed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from craton.infra.store.tables import METADATA, Text

# Rows of a key are ordered by `place`: 0 for its first version, one less for each newer, so that the newest comes
# first in a listing, whatever the clock said. `state` is 1 for what a request without a version sees, 2 if that is a
# delete marker, 0 for all older. `size` of a marker is 0. `blobs` is a list of pieces in msgpack (blob id, size, …, or
# the sealed bytes of a small object), `detail`
# what only reads of the one object need.
OBJECTS = Table(
    "objects",
    METADATA,
    Column("bucket", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("version_id", Text, nullable=False),
    Column("state", BigInteger, nullable=False),
    Column("marker", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("storage_class", Text, nullable=False),
    Column("checksums", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("blobs", LargeBinary, nullable=False),
)

UPLOADS = Table(
    "object_uploads",
    METADATA,
    Column("bucket", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("upload_id", Text, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("detail", LargeBinary, nullable=False),
)

PARTS = Table(
    "object_parts",
    METADATA,
    Column("upload_id", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("blob", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
)

# One row for each blob that an object or a part holds: what has none is an orphan, and may be swept.
BLOBS_IN_USE = Table("object_blobs", METADATA, Column("blob", Text, primary_key=True))
