"""What whoever keeps bytes of any size asks for: write, read a range, delete, list, look for damage.

Owns the Protocol, what a blob is, and the errors. A blob is written once, whole or not at all, under an id that is made
here and tells nothing; who names the blob in a row does so after it was written, and deletes it after the row has gone.
So a crash leaves at worst blobs that no row names, which a sweep removes (`orphans`): whoever keeps blobs notes them in
the index of those in use (`infra.objects.index.take`), or loses them. Bytes arrive sealed. It must not
know what they are, whose, or how they are sealed.

Errors::

    BlobError
    ├── NoSuchBlob         nothing lies under this id
    ├── BlobDamaged        what lies there is not what was written; no wrong byte was handed out
    ├── BlobsFull          no room: nothing of the blob was kept
    └── BlobsUnavailable   the place cannot be used now, or refuses us
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from datetime import datetime
from typing import Protocol

import msgspec


class BlobError(Exception):
    """Bytes cannot be kept or had; the text names ids and places, never content."""


class NoSuchBlob(BlobError):
    """Nothing lies under `id`."""

    def __init__(self, ident: str) -> None:
        super().__init__(f"there is no blob {ident[:64]!r}")
        self.id = ident


class BlobDamaged(BlobError):
    """What lies under `id` is not what was written: `how` says where."""

    def __init__(self, ident: str, how: str) -> None:
        super().__init__(f"the blob {ident!r} is damaged: {how}")
        self.id = ident
        self.how = how


class BlobsFull(BlobError):
    """There is no room left, or not for us."""


class BlobsUnavailable(BlobError):
    """The place where blobs lie cannot be used."""


class Blob(msgspec.Struct, frozen=True):
    """What was written. `size` in bytes."""

    id: str
    size: int


class Checked(msgspec.Struct, frozen=True):
    """One blob that was looked through. `damage` is "" for a sound one."""

    id: str
    size: int
    damage: str = ""


class Blobs(Protocol):
    """A place for blobs. One object serves one event loop."""

    async def write(self, pieces: AsyncIterable[bytes]) -> Blob:
        """Keep what comes, in bounded memory; durable when it returns.

        When it raises, what `pieces` raised, BlobsFull or BlobsUnavailable, or is cancelled, nothing is kept.
        """
        ...

    def read(self, ident: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes from `start` to before `stop` (None: the end), in pieces; what lies behind the end is left out.

        Raises NoSuchBlob, BlobDamaged, BlobsUnavailable; bytes that came before a fault are those that were written.
        """
        ...

    async def delete(self, *idents: str) -> None:
        """Remove blobs; one that is not there is no error. Who is reading one may be cut off. Raises BlobsUnavailable."""
        ...

    def ids(self) -> AsyncGenerator[tuple[str, datetime]]:
        """Every blob and when it was written, in no order. Raises BlobsUnavailable."""
        ...

    def scrub(self) -> AsyncGenerator[Checked]:
        """Read every blob and tell of each whether it is whole, as far as that shows without keys."""
        ...

    async def tidy(self, before: datetime) -> int:
        """Remove what writers that died left unfinished before a moment; how many."""
        ...

    async def close(self) -> None:
        """Let threads and connections go."""
        ...
