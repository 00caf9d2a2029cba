"""Bodies that stream: `Incoming`, a request's body that is checked as it comes, and `Reply`, an answer with a status.

This file owns what is true of a body when its iteration ends: so many bytes as were announced, with the digests that
were announced. Where a digest was announced (header, trailer, signature) is for who makes the `Checks`; how the bytes
come off the wire is for who makes the pieces. It must not know HTTP, nor what a body is for.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire import checksums, s3_faults

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping

    from craton.aws.wire.checksums import Sum

# Pieces from this size on are hashed in a thread: MD5, which is every object's ETag, takes 1.6 ns a byte.
THREAD_BYTES = 64 * 1024


class Reply(msgspec.Struct, frozen=True):
    """A handler's answer with a status other than its operation's: 206, 304, 204 …; `members` as AWS names them."""

    status: int
    members: dict[str, Any]


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about its body.

    `length` counts decoded bytes and is None where it is not known before the end. `checksums` are by algorithm, in base64;
    `announced` names the algorithms of those that come in trailers, after the body.
    """

    length: int | None = None
    sha256: str | None = None
    md5: bytes | None = None
    checksums: Mapping[str, str] = {}
    announced: tuple[str, ...] = ()


class Incoming:
    """The body of an upload: an async iterable of its bytes, to be iterated once.

    Every piece is checked as it passes; what can be told only at the end (digests, the length) is told by a Fault from
    the iteration after the last piece, so nothing may be kept of a body whose iteration did not end by itself.

    Attributes:
        length: the number of bytes, if it was announced.
        md5: the MD5 of all bytes, after the end.
        checksums: base64 by algorithm, after the end: what the client declared and what held, and what was asked for
            by `compute`.
    """

    def __init__(
        self, pieces: AsyncIterator[bytes], checks: Checks | None = None, trailers: Mapping[str, str] | None = None
    ) -> None:
        self._pieces = pieces
        self._checks = checks = checks if checks is not None else Checks()
        self._trailers: Mapping[str, str] = trailers if trailers is not None else {}
        self._sums = {name: checksums.ALGORITHMS[name]() for name in (*checks.checksums, *checks.announced)}
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if checks.sha256 is not None else None
        self.length = checks.length
        self.size = 0
        self.md5 = b""
        self.checksums: dict[str, str] = {}

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that the client declared a value of, or announced a trailer for."""
        return (*self._checks.checksums, *self._checks.announced)

    @property
    def is_digested(self) -> bool:
        """Whether the client states a digest of the body beside the one that its signature may hold."""
        return self._checks.md5 is not None or bool(self.algorithms)

    def compute(self, algorithm: str) -> None:
        """Have a checksum computed that the client did not declare; before the iteration begins."""
        if algorithm not in self._sums:
            self._sums[algorithm] = checksums.ALGORITHMS[algorithm]()

    def __aiter__(self) -> AsyncGenerator[bytes]:
        return self._checked()

    async def _checked(self) -> AsyncGenerator[bytes]:
        length, sums = self.length, [self._md5, *self._sums.values()]
        if self._sha256 is not None:
            sums.append(self._sha256)
        counting: asyncio.Future[None] | None = None
        try:
            async for piece in self._pieces:
                size = len(piece)
                self.size += size
                if length is not None and self.size > length:
                    raise s3_faults.incomplete_body()
                if counting is not None:
                    await counting
                    counting = None
                if size < THREAD_BYTES:
                    _update(sums, piece)
                else:  # hashed while the piece is used, and the next one comes
                    counting = asyncio.get_running_loop().run_in_executor(None, _update, sums, piece)
                yield piece
        finally:
            if counting is not None:
                await counting
        self._finish()

    async def whole(self, most_bytes: int) -> bytes:
        """All of it, if it is not larger than this; raises Fault EntityTooLarge."""
        if self.length is not None and self.length > most_bytes:
            raise s3_faults.too_large(self.length, most_bytes)
        parts = []
        async for piece in self:
            parts.append(piece)
            if self.size > most_bytes:
                raise s3_faults.too_large(self.size, most_bytes)
        return b"".join(parts)

    def _finish(self) -> None:
        """The end has come: is it the one that was announced?"""
        checks = self._checks
        if self.length is not None and self.size != self.length:
            raise s3_faults.incomplete_body()
        if self._sha256 is not None and checks.sha256 is not None:
            computed = self._sha256.hexdigest()
            if not hmac.compare_digest(computed, checks.sha256.lower()):
                raise s3_faults.sha256_mismatch(checks.sha256, computed)
        self.md5 = self._md5.digest()
        if checks.md5 is not None and not hmac.compare_digest(self.md5, checks.md5):
            raise s3_faults.md5_mismatch(checksums.text(checks.md5), self.md5.hex())
        declared = {**checks.checksums, **{name: self._trailer(name) for name in checks.announced}}
        for name, one in self._sums.items():
            digest = one.digest()
            if name in declared and checksums.parsed(name, declared[name]) != digest:
                raise s3_faults.checksum_mismatch(name)
            self.checksums[name] = checksums.text(digest)

    def _trailer(self, algorithm: str) -> str:
        """What the trailer says; a trailer that was announced and did not come is a broken body."""
        found = self._trailers.get(checksums.HEADER_PREFIX + algorithm.lower())
        if found is None:
            raise s3_faults.malformed_trailer()
        if checksums.parsed(algorithm, found) is None:
            raise s3_faults.invalid_checksum(algorithm)
        return found


def _update(sums: Iterable[Sum], piece: bytes) -> None:
    for one in sums:
        one.update(piece)
