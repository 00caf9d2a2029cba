"""The files of an invocation in S3, written and read with the rights of whoever started it.

Owns every call to the S3 that results go to, and the names' place in it. boto3 blocks, so each call runs in a thread.
It must not know what the files say.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from craton.features.async_invoke.invocation import Place
from craton.workflows.workflow import JobFailed

MANIFEST = "manifest.json"
JSON, LINES, VIDEO = "application/json", "application/jsonl", "video/mp4"


class Output:
    """The folder of one invocation. `client` is boto3's."""

    def __init__(self, client: Any, place: Place, ident: str) -> None:
        self._client = client
        self._place = place
        self._folder = place.folder(ident)
        self._terms: dict[str, str] = {}
        if place.owner is not None:
            self._terms["ExpectedBucketOwner"] = place.owner
        self._sealing: dict[str, str] = {}
        if place.kms_key is not None:
            self._sealing = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.kms_key}

    def uri(self, name: str) -> str:
        return f"s3://{self._place.bucket}/{self._folder}{name}"

    async def put(self, name: str, data: bytes, kind: str) -> None:
        """Write a file whole. Raises botocore's errors, which say what S3 refused."""
        given = {**self._terms, **self._sealing, "ContentType": kind}
        where = {"Bucket": self._place.bucket, "Key": self._folder + name}
        await asyncio.to_thread(self._client.put_object, **where, Body=data, **given)

    async def stream(self, name: str, source: Any, kind: str) -> None:
        """Write a file from an open one, a few parts of 8 MiB at a time."""
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        extra = {**self._terms, **self._sealing, "ContentType": kind}

        def send() -> None:
            with create_transfer_manager(self._client, TransferConfig()) as manager:
                manager.upload(source, self._place.bucket, self._folder + name, extra_args=extra).result()

        await asyncio.to_thread(send)

    async def manifest(self, told: dict[str, Any]) -> None:
        """Write what the folder is; the first write shows as well that the caller may write there."""
        await self.put(MANIFEST, msgspec.json.encode({"schemaVersion": "1.0", **told}), JSON)

    async def fetched(self, uri: str, owner: str | None, limit: int) -> bytes:
        """An object of the caller's that the input names. Raises JobFailed for one that is too large."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        terms = {} if owner is None else {"ExpectedBucketOwner": owner}

        def read() -> bytes:
            found = self._client.get_object(Bucket=bucket, Key=key, **terms)
            with found["Body"] as body:
                if found["ContentLength"] > limit:
                    raise JobFailed(f"The object {uri} has {found['ContentLength']} bytes; {limit} are the most.")
                data: bytes = body.read()
            return data

        return await asyncio.to_thread(read)
