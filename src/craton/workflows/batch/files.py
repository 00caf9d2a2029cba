"""The files of a job in S3, as its role sees them: which there are, their lines, and the output in parts.

Owns every call to S3 and how S3's refusals read in a job's message. boto3 blocks, so each call runs in a thread. What
is read is held to the ETag that was validated: a file that changes meanwhile ends the job. It must not know records.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from craton.features.batch.job import Location
from craton.workflows.workflow import JobFailed

SUFFIX = ".jsonl"
PIECE_BYTES = 2 * 1024 * 1024
_DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_CHANGED = frozenset({"412", "PreconditionFailed"})
# What no further try mends, beside those above.
_LASTING = frozenset({"InvalidBucketName", "PermanentRedirect", "InvalidObjectState", "MethodNotAllowed"})
_PREFIXES = ("KMS.", "Kms")


class JobRefused(JobFailed):
    """What S3 will not let the job do."""


class InputFile(msgspec.Struct, frozen=True, array_like=True):
    """One file of the input as it was validated. `records` is how many lines of it are records."""

    key: str
    etag: str
    size: int
    records: int = 0


class Written(msgspec.Struct, frozen=True, array_like=True):
    """One part of an output."""

    number: int
    etag: str
    size: int


class Files:
    """S3 for one job. `client` is boto3's, `role` stands in messages."""

    def __init__(self, client: Any, source: Location, target: Location, role: str) -> None:
        self._client = client
        self._source = source
        self._target = target
        self._role = role

    # --- the input ---

    async def inputs(self) -> list[InputFile]:
        """The input's files by key. Raises JobRefused where there are none or the role may not look."""
        place = self._source
        if place.key.endswith(SUFFIX):
            found = await self._asked("GetObject", place.key, self._client.head_object, Key=place.key)
            return [InputFile(place.key, found["ETag"], found["ContentLength"])]
        prefix = place.key if not place.key or place.key.endswith("/") else f"{place.key}/"
        files = [one async for one in self._listed(prefix)]
        if not files:
            raise JobRefused(f"No {SUFFIX} file was found at the input location {place.uri}.")
        return files

    async def _listed(self, prefix: str) -> AsyncGenerator[InputFile]:
        more: dict[str, str] = {}
        while True:
            page = await self._asked("ListBucket", prefix, self._client.list_objects_v2, Prefix=prefix, **more)
            for one in page.get("Contents", ()):
                if one["Key"].endswith(SUFFIX):
                    yield InputFile(one["Key"], one["ETag"], one["Size"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def read(self, file: InputFile, start: int = 0) -> AsyncGenerator[bytes]:
        """The file's bytes from `start` on, the next piece being fetched while one is worked on."""

        async def piece(at: int) -> bytes:
            return await self._piece(file, at)

        ahead = asyncio.ensure_future(piece(start)) if start < file.size else None
        try:
            at = start
            while ahead is not None:
                data = await ahead
                at += len(data)
                ahead = asyncio.ensure_future(piece(at)) if at < file.size else None
                yield data
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _piece(self, file: InputFile, at: int) -> bytes:
        def fetch(**asked: Any) -> bytes:
            data: bytes = self._client.get_object(**asked)["Body"].read()
            return data

        last = min(at + PIECE_BYTES, file.size) - 1
        wanted = {"Key": file.key, "Range": f"bytes={at}-{last}", "IfMatch": file.etag}
        data: bytes = await self._asked("GetObject", file.key, fetch, **wanted)
        return data

    # --- the output ---

    def output_key(self, job: str, file: InputFile) -> str:
        """Where the answers to a file go: under the job's id, as the file lies under the input's prefix."""
        base = self._source.key
        folder = base[: base.rfind("/") + 1] if base.endswith(SUFFIX) else base and f"{base.rstrip('/')}/"
        return self.beside(job, file.key.removeprefix(folder) + ".out")

    def beside(self, job: str, name: str) -> str:
        """The key of one of the job's files."""
        base = self._target.key
        return f"{base}{'' if not base or base.endswith('/') else '/'}{job}/{name}"

    async def begin(self, key: str) -> str:
        """The id of a new upload in parts."""
        made = await self._to("PutObject", key, self._client.create_multipart_upload, **self._sealing())
        upload: str = made["UploadId"]
        return upload

    async def part(self, key: str, upload: str, number: int, data: bytes) -> Written:
        """One part, kept. The same number again takes the first one's place."""
        given = {"UploadId": upload, "PartNumber": number, "Body": data}
        made = await self._to("PutObject", key, self._client.upload_part, **given)
        return Written(number, made["ETag"], len(data))

    async def complete(self, key: str, upload: str, parts: list[Written]) -> None:
        """Put the parts together. If that happened already, and only its news was lost, it is done."""
        listed = [{"PartNumber": one.number, "ETag": one.etag} for one in parts]
        try:
            await self._to(
                "PutObject", key, self._client.complete_multipart_upload,
                UploadId=upload, MultipartUpload={"Parts": listed},
            )  # fmt: skip
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise
            found = await self._to("GetObject", key, self._client.head_object)
            if found["ContentLength"] != sum(one.size for one in parts):
                raise JobRefused(
                    f"The output s3://{self._target.bucket}/{key} was given up by somebody else."
                ) from None

    async def give_up(self, key: str, upload: str) -> None:
        """Leave nothing of an upload behind, if the role may do that: it need not have the right to."""
        with suppress(JobRefused, ClientError, BotoCoreError):
            await self._to("AbortMultipartUpload", key, self._client.abort_multipart_upload, UploadId=upload)

    async def write(self, key: str, data: bytes) -> None:
        """An output that is no larger than a part."""
        await self._to("PutObject", key, self._client.put_object, Body=data, **self._sealing())

    def _sealing(self) -> dict[str, str]:
        key = self._target.kms_key
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}

    # --- asking S3 ---

    async def _to(self, right: str, key: str, method: Any, **given: Any) -> Any:
        place = self._target
        if place.owner:
            given["ExpectedBucketOwner"] = place.owner
        return await self._call(right, place, key, method, Key=key, **given)

    async def _asked(self, right: str, key: str, method: Any, **given: Any) -> Any:
        place = self._source
        if place.owner:
            given["ExpectedBucketOwner"] = place.owner
        return await self._call(right, place, key, method, **given)

    async def _call(self, right: str, place: Location, key: str, method: Any, **given: Any) -> Any:
        try:
            return await asyncio.to_thread(method, Bucket=place.bucket, **given)
        except ClientError as error:
            refusal = refused(error, right, place.bucket, key, self._role)
            if refusal is None:
                raise
            raise refusal from None


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def refused(error: ClientError, right: str, bucket: str, key: str, role: str) -> JobRefused | None:
    """The job's message for an answer of S3 that another try would not change; None for all else."""
    code = code_of(error)
    if code in _DENIED or code.startswith(_PREFIXES):
        why = f" ({error.response['Error'].get('Message', code)})" if code.startswith(_PREFIXES) else ""
        return JobRefused(
            f"Could not validate {right} permissions to access Amazon S3 bucket: {bucket} at key {key}"
            f" with the role: {role}{why}"
        )
    if code in _GONE:
        return JobRefused(f"The Amazon S3 location s3://{bucket}/{key} does not exist.")
    if code in _CHANGED:
        return JobRefused(f"The input file s3://{bucket}/{key} changed while the job was running.")
    if code in _LASTING:
        return JobRefused(f"The Amazon S3 location s3://{bucket}/{key} cannot be used: {code}.")
    return None
