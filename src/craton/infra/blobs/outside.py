"""The port over an outside S3: AWS's, or any that speaks its protocol.

    s3://BUCKET/PREFIX/ID

Owns the client (obstore: one pool of connections, its own threads) and what its errors mean here. A blob is one object;
a large one is sent in parts while it comes, and given up if its writer is: a process that dies in the middle leaves
parts that only the bucket's own rule for unfinished uploads removes. That what is read is what was written is the
outside's word, checked on the way in (SHA-256); what is sealed shows it besides. It must not know sheets or files.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from craton.config import secret
from craton.config_tables import BlobsTable
from craton.infra.blobs.port import Blob, BlobsUnavailable, Checked, NoSuchBlob

if TYPE_CHECKING:
    from obstore.store import S3Store

PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes for a part; 10,000 of them bound a blob at 48 GiB."""
_PARTS_AT_ONCE = 2
_PIECE_BYTES = 512 * 1024
_PATIENCE = timedelta(seconds=30)
_RETRIES = 4
_PAGE = 1000
_ID = re.compile(r"[0-9a-f]{32}")


class Place(msgspec.Struct, frozen=True):
    """Where, and with whose keys; without any the client finds those of the environment or of the machine."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""

    @classmethod
    def of(cls, table: BlobsTable) -> Place:
        """As configured. Raises ConfigError for a key that is not where the configuration says."""
        url = urlsplit(table.url)
        region = table.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return cls(
            bucket=url.netloc,
            prefix=unquote(url.path).strip("/"),
            # Always named: the environment's AWS_ENDPOINT_URL may well be this server's own.
            endpoint=table.endpoint_url.rstrip("/") or f"https://s3.{region}.amazonaws.com",
            region=region,
            access_key=secret(table.access_key),
            secret_key=secret(table.secret_key),
            session_token=secret(table.session_token),
        )

    def __repr__(self) -> str:
        return f"Place(s3://{self.bucket}/{self.prefix} at {self.endpoint})"


class OutsideBlobs:
    """`port.Blobs`. The client is loaded and made at the first call."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @cached_property
    def _store(self) -> S3Store:
        from obstore.store import S3Store

        place = self._place
        config: dict[str, Any] = {
            "endpoint": place.endpoint, "region": place.region, "checksum_algorithm": "sha256",
            "virtual_hosted_style_request": False,
        }  # fmt: skip
        keys = {"access_key_id": place.access_key, "secret_access_key": place.secret_key, "token": place.session_token}
        config.update({name: value for name, value in keys.items() if value})
        return S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config=config,  # type: ignore[arg-type]
            client_options={"allow_http": place.endpoint.startswith("http://")},
            retry_config={"max_retries": _RETRIES, "retry_timeout": _PATIENCE},
        )

    async def write(self, pieces: AsyncIterable[bytes]) -> Blob:
        import obstore

        ident, size = secrets.token_hex(16), 0
        writer = obstore.open_writer_async(self._store, ident, buffer_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        try:
            async for piece in pieces:
                size += len(piece)
                with self._placing():
                    await writer.write(piece)
            with self._placing():
                await writer.close()
        except BaseException as error:
            with suppress(*_errors()):  # so an upload in parts is given up
                await writer.__aexit__(type(error), error, None)
            raise
        return Blob(ident, size)

    async def read(self, ident: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        import obstore
        from obstore.exceptions import GenericError

        if not _ID.fullmatch(ident):
            raise NoSuchBlob(ident)
        with _words(ident):
            if stop is not None and stop <= start:
                await obstore.head_async(self._store, ident)
                return
            asked: Any = {} if stop is None and not start else {"range": (start, stop) if stop else {"offset": start}}
            try:
                found = await obstore.get_async(self._store, ident, options=asked)
            except GenericError:
                if not start or (await obstore.head_async(self._store, ident))["size"] > start:
                    raise
                return  # a range behind the end is an error to S3 (416), and an empty one here
            async for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)

    async def delete(self, *idents: str) -> None:
        import obstore

        known = [ident for ident in idents if _ID.fullmatch(ident)]
        for first in range(0, len(known), _PAGE):
            with self._placing():
                await obstore.delete_async(self._store, known[first : first + _PAGE])

    async def ids(self) -> AsyncGenerator[tuple[str, datetime]]:
        async for ident, _, at in self._listed():
            yield ident, at

    async def scrub(self) -> AsyncGenerator[Checked]:
        """Whether each blob can be read to its end with the size that the listing has."""
        async for ident, size, _ in self._listed():
            read = 0
            try:
                async for piece in self.read(ident):
                    read += len(piece)
            except NoSuchBlob:
                continue  # deleted meanwhile
            yield Checked(ident, read, "" if read == size else f"{read} bytes can be read of {size}")

    async def tidy(self, before: datetime) -> int:
        """Nothing: unfinished uploads show to the bucket's owner alone, whose lifecycle rule removes them."""
        return 0

    async def close(self) -> None:
        """The client goes with the object."""

    async def _listed(self) -> AsyncGenerator[tuple[str, int, datetime]]:
        import obstore

        with self._placing():
            async for page in obstore.list(self._store, chunk_size=_PAGE):
                for found in page:
                    if _ID.fullmatch(found["path"]):
                        yield found["path"], found["size"], found["last_modified"]

    def _placing(self) -> AbstractContextManager[None]:
        """For calls that need the bucket alone."""
        return _words("", BlobsUnavailable(f"there is no bucket {self._place.bucket!r}"))


def _errors() -> tuple[type[Exception], ...]:
    """The client raises errors of its own, and the system's for what it reads and writes as a file."""
    from obstore.exceptions import BaseError

    return BaseError, OSError


@contextmanager
def _words(ident: str, missing: BlobsUnavailable | None = None) -> Iterator[None]:
    """The port's errors for the client's. `missing` is raised where the outside says that it finds nothing."""
    try:
        yield
    except FileNotFoundError as error:
        if missing is None and "NoSuchBucket" not in str(error):
            raise NoSuchBlob(ident) from None
        raise missing or BlobsUnavailable("the bucket of blobs is gone") from error
    except _errors() as error:
        # Its text holds addresses and the other side's words, which are for the server's own log.
        raise BlobsUnavailable(f"the outside S3 cannot be used ({type(error).__name__})") from error
