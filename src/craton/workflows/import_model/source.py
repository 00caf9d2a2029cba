"""The folder in S3 as the job's role sees it: which files there are, ranges of them, and each brought to the disk.

Owns every call to S3. boto3 blocks, so each runs in a thread. What is read is held to the ETag that was listed: a file
that changes meanwhile ends the job. It must not know what files are for.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from craton.features.importing.listing import File
from craton.workflows.batch.files import JobRefused, refused

PIECE_BYTES = 8 * 1024 * 1024
_MAX_LISTED = 10_000


class Place(Protocol):
    """Where the files lie, and as whom they are read; what the keys of a folder's files begin with is its `prefix`."""

    @property
    def bucket(self) -> str: ...

    @property
    def prefix(self) -> str: ...

    @property
    def uri(self) -> str: ...

    @property
    def role_arn(self) -> str: ...


class Source:
    """S3 for one job. `client` is boto3's."""

    def __init__(self, client: Any, job: Place) -> None:
        self._client = client
        self._job = job

    async def files(self) -> list[File]:
        """Every file of the folder, also deeper ones. Raises JobRefused where there are none or the role may not look."""
        prefix, found = self._job.prefix, list[File]()
        more: dict[str, str] = {}
        while True:
            page = await self._call("ListBucket", prefix, self._client.list_objects_v2, Prefix=prefix, **more)
            for one in page.get("Contents", ()):
                if one["Key"] != prefix:
                    found.append(File(one["Key"].removeprefix(prefix), one["Size"], one["Key"], one["ETag"]))
            if len(found) > _MAX_LISTED:
                raise JobRefused(
                    f"More than {_MAX_LISTED} files were found at {self._job.uri}: it is no model's folder."
                )
            if not page.get("IsTruncated"):
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        if not found:
            raise JobRefused(f"No file was found at the model data source {self._job.uri}.")
        return found

    async def one(self, key: str) -> File:
        """The file of this key. Raises JobRefused where there is none or the role may not read it."""
        found = await self._call("GetObject", key, self._client.head_object, Key=key)
        return File(key.rpartition("/")[2], found["ContentLength"], key, found["ETag"])

    async def read(self, file: File, start: int = 0, size: int | None = None) -> bytes:
        """A range of a file; no more than there is."""
        last = (file.size if size is None else min(file.size, start + size)) - 1
        if last < start:
            return b""

        def fetch(**asked: Any) -> bytes:
            data: bytes = self._client.get_object(**asked)["Body"].read()
            return data

        wanted = {"Key": file.key, "Range": f"bytes={start}-{last}", "IfMatch": file.etag}
        data: bytes = await self._call("GetObject", file.key, fetch, **wanted)
        if len(data) != last + 1 - start:
            raise JobRefused(f"The file {file.name} changed while the job was running.")
        return data

    async def fetch(self, file: File, into: Path, came: Callable[[int], None]) -> str:
        """Write a file to the disk, whole and synced; its SHA-256. `came` is told how many bytes came."""
        digest, drafted = hashlib.sha256(), into.with_name(f".{into.name}.part")
        handle = os.open(drafted, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        ahead = asyncio.ensure_future(self.read(file, 0, PIECE_BYTES))
        try:
            at = 0
            while at < file.size:
                data = await ahead
                at += len(data)
                # The next piece comes while this one is written.
                ahead = asyncio.ensure_future(self.read(file, at, PIECE_BYTES))
                await asyncio.to_thread(_kept, handle, data, digest.update)
                came(len(data))
            await asyncio.to_thread(os.fsync, handle)
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            os.close(handle)
        drafted.rename(into)
        return digest.hexdigest()

    async def _call(self, right: str, key: str, method: Any, **given: Any) -> Any:
        try:
            return await asyncio.to_thread(method, Bucket=self._job.bucket, **given)
        except ClientError as error:
            refusal = refused(error, right, self._job.bucket, key, self._job.role_arn)
            if refusal is None:
                raise
            raise refusal from None


def _kept(handle: int, data: bytes, digested: Callable[[bytes], None]) -> None:
    digested(data)
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
