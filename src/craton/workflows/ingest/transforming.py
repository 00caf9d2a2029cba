"""Chunks through a Lambda function of the knowledge base's owner, by way of files in a bucket.

Owns the files' form, the event and the answer. The function is invoked through the gateway as the knowledge base's role;
one that fails for a document fails that document. Source: Bedrock's user guide, "Use a custom transformation Lambda
function to define how your data is ingested".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from craton.features.rag.documents import location_of, place_of
from craton.features.rag.pieces import Piece, Unreadable
from craton.infra.vectors.port import Value
from craton.workflows.batch.files import JobRefused, code_of
from craton.workflows.ingest.buckets import Buckets, Restless, TooLarge, Withheld
from craton.workflows.ingest.material import Chunk, Material
from craton.workflows.ingest.recipe import Transformation
from craton.workflows.ingest.sources import split
from craton.workflows.workflow import JobFailed

BATCH = 500
"""Chunks in one file."""
_MOST_BYTES = 64 * 1024 * 1024
_FORBIDDEN = frozenset({"AccessDeniedException", "ResourceNotFoundException", "InvalidParameterValueException"})
FAILED = "The transformation function failed: {why}"
BAD = "The transformation function's output cannot be used: {why}"
REFUSED = "The transformation function {function} cannot be invoked: {why}"


class _Content(msgspec.Struct):
    body: str = msgspec.field(name="contentBody")
    metadata: dict[str, Any] = msgspec.field(name="contentMetadata", default_factory=dict)


class _Contents(msgspec.Struct):
    contents: list[_Content] = msgspec.field(name="fileContents")


class _Batch(msgspec.Struct):
    key: str


class _Output(msgspec.Struct):
    batches: list[_Batch] = msgspec.field(name="contentBatches")
    metadata: dict[str, Any] = msgspec.field(name="fileMetadata", default_factory=dict)


class _Answer(msgspec.Struct):
    files: list[_Output] = msgspec.field(name="outputFiles")


class Transforming:
    """For one run: `job` is its id. `client` is boto3's for Lambda."""

    def __init__(
        self, transformation: Transformation, buckets: Buckets, client: Any, base: str, source: str, job: str
    ) -> None:
        self._function = transformation.function
        self._bucket, self._prefix = split(transformation.uri)
        self._buckets = buckets
        self._client = client
        self._base = base
        self._source = source
        self._job = job

    async def through(self, material: Material, chunks: Sequence[Chunk]) -> list[Chunk]:
        """What the function makes of a document's chunks. Raises Unreadable, JobFailed."""
        keys = [self._key(material, number) for number in range((len(chunks) + BATCH - 1) // BATCH)]
        try:
            for number, key in enumerate(keys):
                data = written(chunks[number * BATCH : (number + 1) * BATCH])
                await self._buckets.write(self._bucket, key, data)
            answer = await asyncio.to_thread(self._invoke, self._event(material, keys))
            before = {chunk.piece.text: chunk for chunk in chunks}
            return [one for file in answer.files for one in await self._read(file, before)]
        finally:
            for key in keys:
                await self._buckets.delete(self._bucket, key)

    def _key(self, material: Material, number: int) -> str:
        folder = f"{self._prefix.rstrip('/')}/" if self._prefix else ""
        name = place_of(material.identifier).hex()[:32]
        return f"{folder}aws/bedrock/knowledge_bases/{self._base}/{self._source}/{self._job}/{name}_{number + 1}.JSON"

    def _event(self, material: Material, keys: Sequence[str]) -> dict[str, Any]:
        return {
            "version": "1.0",
            "knowledgeBaseId": self._base,
            "dataSourceId": self._source,
            "ingestionJobId": self._job,
            "bucketName": self._bucket,
            "priorTask": "CHUNKING",
            "inputFiles": [
                {
                    "originalFileLocation": lambda_location(material),
                    "fileMetadata": dict(material.sidecar.attributes),
                    "contentBatches": [{"key": key} for key in keys],
                }
            ],
        }

    def _invoke(self, event: dict[str, Any]) -> _Answer:
        from botocore.exceptions import ClientError

        try:
            found = self._client.invoke(FunctionName=self._function, Payload=msgspec.json.encode(event))
        except ClientError as error:
            if code_of(error) not in _FORBIDDEN:
                raise
            why = error.response["Error"].get("Message", code_of(error))
            raise JobFailed(REFUSED.format(function=self._function, why=why)) from None
        payload = found["Payload"].read()
        if found.get("FunctionError"):
            raise Unreadable(FAILED.format(why=_said(payload)))
        try:
            return msgspec.json.decode(payload, type=_Answer)
        except msgspec.DecodeError as error:
            raise Unreadable(BAD.format(why=str(error))) from None

    async def _read(self, file: _Output, before: Mapping[str, Chunk]) -> list[Chunk]:
        """The chunks of one output file, its metadata with each."""
        found: list[Chunk] = []
        for batch in file.batches:
            try:
                there = await self._buckets.read(self._bucket, batch.key, most=_MOST_BYTES)
                if there is None:
                    raise Unreadable(BAD.format(why=f"there is no object {batch.key}"))
                contents = msgspec.json.decode(there[1], type=_Contents).contents
            except (msgspec.DecodeError, TooLarge, Restless, Withheld, JobRefused) as error:
                raise Unreadable(BAD.format(why=f"{batch.key}: {error or type(error).__name__}")) from None
            found += [_chunk(one, file.metadata, before) for one in contents if one.body.strip()]
        return found


def lambda_location(material: Material) -> dict[str, Any]:
    """Where the original lies, in the spelling of the event."""
    if material.kind == "S3":
        return {"type": "S3", "s3_location": {"uri": material.identifier}}
    return location_of(material.kind, material.identifier)


def written(chunks: Sequence[Chunk]) -> bytes:
    """A file of chunks."""
    contents = [
        {"contentBody": chunk.piece.text, "contentType": "TEXT", "contentMetadata": dict(chunk.own)} for chunk in chunks
    ]
    return msgspec.json.encode({"fileContents": contents})


def _chunk(content: _Content, shared: Mapping[str, Any], before: Mapping[str, Chunk]) -> Chunk:
    """One that was left as it was keeps its place in the document."""
    own = {key: value for key, told in {**shared, **content.metadata}.items() if (value := _value(told)) is not None}
    old = before.get(content.body)
    piece = old.piece if old is not None else Piece(0, len(content.body), content.body)
    return Chunk(piece, old.parent, own, old.heading) if old is not None else Chunk(piece, own=own)


def _value(told: Any) -> Value | None:
    """An attribute as the index keeps it; what it cannot keep is left out."""
    if isinstance(told, bool | str):
        return told
    if isinstance(told, int | float):
        return float(told)
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        return tuple(told)
    return None


def _said(payload: bytes) -> str:
    try:
        return str(msgspec.json.decode(payload, type=dict[str, Any]).get("errorMessage", "it gave no message"))[:300]
    except msgspec.DecodeError:
        return "it gave no message"
