"""The documents of an S3 source, each with the mark of its state and of its metadata's, by pages of a listing.

Owns what counts as a document and what as a metadata file. A listing comes in the order of keys within a prefix, but a
document and its metadata file may lie on different pages, so all of it is read before anything is decided.
"""

from __future__ import annotations

from craton.features.rag.sidecar import ENDING
from craton.workflows.ingest.buckets import Buckets, Object
from craton.workflows.ingest.difference import Listed
from craton.workflows.ingest.sources import Place


class Listing:
    """What lies in a source. `files` are the objects of documents, by identifier."""

    def __init__(self) -> None:
        self.documents: list[Listed] = []
        self.files: dict[str, Object] = {}
        self.sidecars: dict[str, Object] = {}
        self.too_large: list[str] = []


async def listing_of(buckets: Buckets, place: Place, most: int) -> Listing:
    """The whole source; documents of more than `most` bytes are named apart. Raises JobRefused."""
    found = Listing()
    objects: dict[str, Object] = {}
    async for page in buckets.listed(place):
        objects.update((one.key, one) for one in page)
    beside = await _sidecars(buckets, place, objects)
    for key, one in objects.items():
        if not _is_document(place, one, objects) or not place.takes(key):
            continue
        identifier, sidecar = place.uri(key), beside.get(place.sidecar(key))
        if sidecar is not None:
            found.sidecars[identifier] = sidecar
        if one.size > min(most, place.most_bytes or most):
            found.too_large.append(identifier)
        else:
            found.files[identifier] = one
            found.documents.append(Listed(identifier, one.mark, sidecar.mark if sidecar is not None else ""))
    return found


async def _sidecars(buckets: Buckets, place: Place, objects: dict[str, Object]) -> dict[str, Object]:
    """The metadata files by key: beside the documents, or below a prefix of their own."""
    if not place.sidecars:
        return objects
    found: dict[str, Object] = {}
    async for page in buckets.listed(Place(bucket=place.bucket, owner=place.owner, prefixes=(place.sidecars,))):
        found.update((one.key, one) for one in page)
    return found


def _is_document(place: Place, one: Object, objects: dict[str, Object]) -> bool:
    """Whether an object is one: neither a folder's mark nor a metadata file."""
    if one.key.endswith("/") and not one.size:
        return False
    if place.sidecars and one.key.startswith(place.sidecars):
        return False
    return not one.key.endswith(ENDING)
