"""What a row of an object, an upload or a part holds, as values.

Owns the records, the form of version ids, and how checksums are written in one column. It must not know SQL or HTTP.
"""

from __future__ import annotations

import base64
import binascii
import secrets

import msgspec

NULL = "null"
"""The version id of what was written while the bucket kept no versions."""
MOST_INLINE = 8192
"""Up to this size in bytes an object lies in its row."""
CURRENT, MARKED, OLDER = 1, 2, 0
"""What `state` says: seen by a request that names no version; the same, but a delete marker; neither."""

_PLACE_BYTES, _RANDOM_BYTES = 8, 16


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """One blob of an object: `size` in bytes before sealing; `number` of the part it came as, 0 for a whole object.

    `checksum` is the part's own in base64, of the algorithm that the object's checksums name first. A small object has
    its sealed bytes here, and no blob ("").
    """

    blob: str
    size: int
    number: int = 0
    checksum: str = ""
    sealed: bytes = b""


class Sealing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Under what the bytes lie: `algorithm` is AES256, aws:kms, aws:kms:dsse, or "" for the requester's own key.

    `key` is a KMS key's ARN, `account` whom the data was sealed for, `customer_md5` the MD5 (base64) of the
    requester's key, `context` the KMS encryption context as the requester gave it.
    """

    account: str
    algorithm: str = "AES256"
    key: str | None = None
    bucket_key: bool = False
    customer_md5: str | None = None
    context: str | None = None


class Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    """What only reads of one object ask for. `headers` are those kept and given back, by their member in the API.

    `upload_id` names the upload that made the object, so that completing it again finds what was made.
    """

    sealing: Sealing
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    upload_id: str | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an object, or a delete marker. Times in µs since 1970.

    `etag` without quotes; `checksums` as `written` gives them. `place`, `version_id` and `state` are set by the index.
    """

    bucket: str
    key: bytes
    modified_at: int
    detail: Detail
    size: int = 0
    etag: str = ""
    storage_class: str = "STANDARD"
    checksums: str = ""
    pieces: tuple[Piece, ...] = ()
    marker: bool = False
    place: int = 0
    version_id: str = NULL
    state: int = CURRENT

    @property
    def is_latest(self) -> bool:
        return self.state != OLDER

    @property
    def blobs(self) -> list[str]:
        return [piece.blob for piece in self.pieces if piece.blob]

    @property
    def in_parts(self) -> bool:
        return bool(self.pieces) and self.pieces[0].number > 0


class Entry(msgspec.Struct, frozen=True):
    """A version as listings show it."""

    key: bytes
    place: int
    version_id: str
    state: int
    marker: bool
    size: int
    etag: str
    modified_at: int
    storage_class: str
    checksums: str

    @property
    def order(self) -> int:
        return self.place


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A multipart upload under way. `algorithm` and `checksum_type` as asked for at its start, "" for neither."""

    bucket: str
    key: bytes
    upload_id: str
    started_at: int
    detail: Detail
    storage_class: str = "STANDARD"
    algorithm: str = ""
    checksum_type: str = ""
    initiator: str = ""

    @property
    def order(self) -> str:
        return self.upload_id


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an upload. `checksums`: algorithm → base64."""

    number: int
    size: int
    etag: str
    modified_at: int
    blob: str
    checksums: dict[str, str]


def new_version_id(place: int) -> str:
    """An opaque id of 32 characters, which holds the row's place: so one is found without an index of its own."""
    raw = place.to_bytes(_PLACE_BYTES, "big", signed=True) + secrets.token_bytes(_RANDOM_BYTES)
    return base64.b64encode(raw, b"._").decode()


def place_of(version_id: str) -> int | None:
    """The place in a version id; None for what is no id of ours."""
    try:
        raw = base64.b64decode(version_id, b"._", validate=True)
    except (binascii.Error, ValueError):
        return None
    whole = len(raw) == _PLACE_BYTES + _RANDOM_BYTES
    return int.from_bytes(raw[:_PLACE_BYTES], "big", signed=True) if whole else None


def new_upload_id() -> str:
    """Names an upload; nothing can be told from it."""
    return base64.b64encode(secrets.token_bytes(48), b"._").decode()


FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


def written(values: dict[str, str], kind: str = FULL) -> str:
    """Checksums (algorithm → base64) in one text: `FULL_OBJECT CRC32:…`."""
    return " ".join([kind, *(f"{name}:{value}" for name, value in values.items())]) if values else ""


def checksums_of(text: str) -> tuple[str, dict[str, str]]:
    """The type and the values of such a text; ("", {}) where there are none."""
    kind, _, rest = text.partition(" ")
    return kind, dict(word.split(":", 1) for word in rest.split())
