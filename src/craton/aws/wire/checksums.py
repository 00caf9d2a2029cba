"""The checksums that S3 knows: their names, their headers, and how each is computed piece by piece.

One table, so that an algorithm is known in one place. Those of the standard library cost nothing to have; the others
are C of the AWS Common Runtime (90 ms), imported when one is first asked for. How the checksums of parts become that of
the whole is here too: a CRC is combined as if the parts had been read as one, any digest is composed as a digest of
digests. Pure; knows no request.
Source: botocore's `s3` model for the names, "Checking object integrity" of the S3 user guide for the text forms.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HEADER_PREFIX: Final = "x-amz-checksum-"


class Sum(Protocol):
    """A checksum in the making."""

    def update(self, piece: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A CRC; `advance(piece, before)` is the step of the algorithm, `size` the digest's in bytes."""

    __slots__ = ("_advance", "_size", "_value")

    def __init__(self, advance: Callable[[bytes, int], int], size: int) -> None:
        self._advance = advance
        self._size = size
        self._value = 0

    def update(self, piece: bytes, /) -> None:
        self._value = self._advance(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """One of the xxHash family; the runtime's object ends by `finalize`, and takes no writable buffer."""

    __slots__ = ("_digest", "_hash")

    def __init__(self, kind: str) -> None:
        self._hash: Any = getattr(_toolkit().XXHash, f"new_{kind}")()
        self._digest = b""

    def update(self, piece: bytes, /) -> None:
        self._hash.update(bytes(piece))

    def digest(self) -> bytes:
        self._digest = self._digest or bytes(self._hash.finalize())
        return self._digest


def _toolkit() -> Any:
    """`awscrt.checksums`, which has no types."""
    return import_module("awscrt.checksums")


ALGORITHMS: Final[Mapping[str, Callable[[], Sum]]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "CRC32C": lambda: _Crc(_toolkit().crc32c, 4),
    "CRC64NVME": lambda: _Crc(_toolkit().crc64nvme, 8),
    "SHA1": partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "XXHASH64": partial(_XxHash, "xxhash64"),
    "XXHASH3": partial(_XxHash, "xxhash3_64"),
    "XXHASH128": partial(_XxHash, "xxhash3_128"),
}
"""By the name that the API gives the algorithm (`ChecksumAlgorithm`)."""

HEADERS: Final[Mapping[str, str]] = {HEADER_PREFIX + name.lower(): name for name in ALGORITHMS}
"""The algorithm by the name of the header, or trailer, that carries its value."""

SIZES: Final[Mapping[str, int]] = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}
"""The length of each digest in bytes."""


def text(digest: bytes) -> str:
    """The form that headers and members carry."""
    return base64.b64encode(digest).decode()


def parsed(algorithm: str, value: str) -> bytes | None:
    """The digest that a header states; None where it is no digest of this algorithm."""
    try:
        found = base64.b64decode(value.encode("latin-1", "replace"), validate=True)
    except ValueError:
        return None
    return found if len(found) == SIZES[algorithm] else None


COMBINES: Final[Mapping[str, str]] = {
    "CRC32": "combine_crc32",
    "CRC32C": "combine_crc32c",
    "CRC64NVME": "combine_crc64nvme",
}
"""Those whose checksum of the whole follows from the parts' (S3's type FULL_OBJECT), and the runtime's name for it."""


class Checksum:
    """One checksum of a body that passes by.

    Args:
        algorithm: a name of `ALGORITHMS`. Raises KeyError for any other.
    """

    __slots__ = ("_sum", "algorithm", "update")

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._sum = ALGORITHMS[algorithm]()
        self.update: Callable[[bytes], object] = self._sum.update

    def digest(self) -> bytes:
        return self._sum.digest()

    def base64(self) -> str:
        return text(self.digest())


def combined(algorithm: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """The digest of parts in a row, each given by its digest and its size in bytes. Raises KeyError: no CRC."""
    combine, value = getattr(_toolkit(), COMBINES[algorithm]), 0
    for digest, size in parts:
        value = combine(value, int.from_bytes(digest, "big"), size)
    return int(value).to_bytes(SIZES[algorithm], "big")


def composed(algorithm: str, digests: Iterable[bytes]) -> bytes:
    """The digest of digests (S3's type COMPOSITE, and the ETag of parts); the caller adds how many they were."""
    whole = Checksum(algorithm)
    for digest in digests:
        whole.update(digest)
    return whole.digest()
