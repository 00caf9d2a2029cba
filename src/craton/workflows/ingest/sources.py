"""What a data source's configuration means to a sync: which objects of which bucket, and which of them are documents.

Owns the reading of S3 sources in both forms, the plain one and the connector of managed knowledge bases. Pure; it must
not know S3's operations. Everything was judged when the data source was made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from craton.features.rag.documents import Kind
from craton.features.rag.sidecar import ENDING

_MEGABYTE = 1024 * 1024


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where in S3 documents are. `lists` is the URI of the file that says who may see which, of sources with access lists.

    `sidecars`: the prefix below which metadata files lie, in place of beside their documents.
    """

    bucket: str
    owner: str = ""
    prefixes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    without_patterns: tuple[str, ...] = ()
    most_bytes: int | None = None
    sidecars: str = ""
    lists: str = ""

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def takes(self, key: str) -> bool:
        """Whether an object below the prefixes is wanted."""
        if key.startswith(self.without):
            return False
        if any(re.fullmatch(one, key) for one in self.without_patterns):
            return False
        return not self.patterns or any(re.fullmatch(one, key) for one in self.patterns)

    def sidecar(self, key: str) -> str:
        """The key of a document's metadata file."""
        if not self.sidecars:
            return key + ENDING
        return f"{self.sidecars.rstrip('/')}/{key}{ENDING}"


class Source(msgspec.Struct, frozen=True):
    """`place` is None but for S3. `guarded`: only those see a document whom its access list names."""

    kind: Kind
    place: Place | None = None
    guarded: bool = False


def source_of(configuration: Mapping[str, Any]) -> Source:
    """A dataSourceConfiguration as a sync understands it."""
    kind = configuration["type"]
    if kind == "S3":
        return Source("S3", _plain(configuration["s3Configuration"]))
    if kind == "MANAGED_KNOWLEDGE_BASE_CONNECTOR":
        asked = configuration["managedKnowledgeBaseConnectorConfiguration"]["connectorParameters"]
        guarded = bool(asked.get("aclEnabled"))
        return Source("S3", _connected(asked), guarded) if asked["type"] == "S3" else Source("CUSTOM", None, guarded)
    return Source("WEB" if kind == "WEB" else "CUSTOM")


def _plain(asked: Mapping[str, Any]) -> Place:
    return Place(
        bucket=asked["bucketArn"].rpartition(":")[2],
        owner=asked.get("bucketOwnerAccountId", ""),
        prefixes=tuple(asked.get("inclusionPrefixes", ())),
    )


def _connected(asked: Mapping[str, Any]) -> Place:
    where, chosen = asked["connectionConfiguration"], asked.get("filterConfiguration", {})
    size = chosen.get("maxFileSizeInMegaBytes")
    return Place(
        bucket=where["bucketName"],
        owner=where.get("bucketOwnerAccountId", ""),
        prefixes=tuple(chosen.get("inclusionPrefixes", ())),
        without=tuple(chosen.get("exclusionPrefixes", ())),
        patterns=tuple(chosen.get("inclusionPatterns", ())),
        without_patterns=tuple(chosen.get("exclusionPatterns", ())),
        most_bytes=int(size) * _MEGABYTE if size is not None else None,
        sidecars=asked.get("metadataFilesPrefix", ""),
        lists=asked.get("aclConfiguration", {}).get("globalAccessControlListS3Uri", ""),
    )


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
