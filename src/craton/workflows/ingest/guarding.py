"""Who may see the documents of an S3 source with access lists: the bucket's one file, and each document's own.

Owns how the two go together. What neither names is seen by nobody. Source: Bedrock's user guide on document-level access
controls for S3.
"""

from __future__ import annotations

from craton.features.rag.access import MAX_GLOBAL_BYTES, BadMetadata, GlobalAccess, read_global_access
from craton.features.rag.sidecar import Sidecar
from craton.infra.store.port import fingerprint
from craton.infra.vectors.port import Access
from craton.workflows.ingest.buckets import Buckets, Restless, TooLarge, Withheld
from craton.workflows.ingest.sources import Source, split
from craton.workflows.workflow import JobFailed

UNUSABLE = "The access control file {uri} cannot be used: {why}"


class Guard:
    """`lists` None: there is no such file."""

    def __init__(self, guarded: bool, lists: GlobalAccess | None) -> None:  # noqa: FBT001 - as the source says
        self._guarded = guarded
        self._lists = lists

    def access(self, identifier: str, sidecar: Sidecar) -> Access | None:
        """A document's list; None where everybody may see it. Its own allows before its folders', all of them deny."""
        if not self._guarded:
            return None
        own, around = sidecar.access, self._around(identifier)
        if own is None or around is None:
            return own or around or Access()
        return Access(own.allowed, tuple(dict.fromkeys((*own.denied, *around.denied))))

    def mark(self, identifier: str) -> str:
        """What tells one state of the bucket's file from another, for this document; "" where nothing is guarded."""
        return fingerprint(self._around(identifier))[:12] if self._guarded else ""

    def _around(self, identifier: str) -> Access | None:
        return self._lists.of(identifier) if self._lists is not None else None


async def guard_of(source: Source, buckets: Buckets) -> Guard:
    """Of a data source, with the file as it is now. Raises JobFailed: without it, nobody knows who may see what."""
    place = source.place
    if not source.guarded or place is None or not place.lists:
        return Guard(source.guarded, None)
    bucket, key = split(place.lists)
    try:
        there = await buckets.read(bucket, key, place.owner, most=MAX_GLOBAL_BYTES)
        if there is None:
            raise JobFailed(UNUSABLE.format(uri=place.lists, why="it does not exist."))
        return Guard(True, read_global_access(there[1]))
    except (BadMetadata, TooLarge, Restless, Withheld) as error:
        why = str(error) or "it is too large, or changes all the time."
        raise JobFailed(UNUSABLE.format(uri=place.lists, why=why)) from None
