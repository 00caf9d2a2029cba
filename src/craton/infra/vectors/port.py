"""The port of the vector store: chunks of documents, found by vector, by words or by both, under a filter.

Owns the names, and what a filter means (`matches` in `filters.py` is the reference that every implementation is held
against). It must not know knowledge bases' resources, models, or who asks.

An index is written by one draft at a time. A draft begins from the version that is visible and throws away what a draft
before it left unfinished; what it wrote is seen by nobody until somebody keeps the `Version` that `finish` returned and
opens that. Shelves of an older version stay readable for as long as `keep_s`, so that a request under way ends in peace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:  # numpy is loaded by those who have vectors in hand
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32] | NDArray[np.uint8]
else:
    Vector = Any
"""Floats of any length (distance is cosine), or for a binary index bits packed into bytes (distance is Hamming's)."""

Value = str | float | bool | tuple[str, ...]
"""A metadata attribute. Whole numbers are floats too, as AWS's are."""

VectorKind = Literal["float", "binary"]


class VectorsError(Exception):
    """The store cannot do it now: files away, disk full, S3 refusing. The message says what, and no text of a chunk."""


class Gone(VectorsError):
    """The version is not there any more."""


class Shape(msgspec.Struct, frozen=True):
    """What all vectors of an index are."""

    dimensions: int
    kind: VectorKind = "float"


class Version(msgspec.Struct, frozen=True):
    """A state of an index that can be opened: small, and kept by whoever decides that it is the visible one.

    `index` is the index's name, `number` the store's own. `chunks` counts what is in it. `earlier` are numbers of those
    that were visible before it and may still be read.
    """

    index: str
    number: int
    shape: Shape
    chunks: int = 0
    earlier: tuple[int, ...] = ()


class Access(msgspec.Struct, frozen=True):
    """Who may see a document that has an access list: the users' names that are allowed and denied. A denial wins."""

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk. `id` is unique in the index; `document` is the key of the document it is of, `source` its data source's id.

    `text` is what is searched and returned, `heading` what is searched with it and returned beside it; `start` and `end` are its offsets, in characters, in the document's text.
    `parent` is the larger chunk that is returned instead of this one, `parent_id` what is the same for all of its children
    ("" for none). `location` is where the document lies, as the API shows it (JSON). `content` is a hash of the text that
    was embedded, by which a vector can be found again. Without `access` everybody may see it.
    """

    id: str
    document: str
    source: str
    text: str
    vector: Vector
    location: bytes
    start: int = 0
    end: int = 0
    page: int | None = None
    parent: str = ""
    parent_id: str = ""
    content: str = ""
    heading: str = ""
    metadata: Mapping[str, Value] = {}
    access: Access | None = None


OWN_ID, OWN_SOURCE, OWN_DOCUMENT = "\0id", "\0source", "\0document"
"""Keys by which a filter compares what every chunk has of its own: its id, its source, and what follows the first slash in
its document's key. No attribute has such a name."""


class Compare(msgspec.Struct, frozen=True, tag="compare"):
    """One attribute held against a value.

    Of another type than the attribute, or without the attribute, only `notEquals` and `notIn` hold.
    """

    op: Literal[
        "equals", "notEquals", "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals", "in", "notIn",
        "startsWith", "stringContains", "listContains",
    ]  # fmt: skip
    key: str
    value: str | float | bool | tuple[str | float | bool, ...]


class Both(msgspec.Struct, frozen=True, tag="and"):
    """All members hold."""

    members: tuple[Filter, ...]


class Either(msgspec.Struct, frozen=True, tag="or"):
    """Some member holds."""

    members: tuple[Filter, ...]


Filter = Compare | Both | Either


class Reach(msgspec.Struct, frozen=True):
    """What a search may see. `sources` are data sources' ids (None: all).

    Chunks with an access list are seen by `user` alone, if it is allowed and not denied; without a user by nobody. This holds inside
    the search, so that no other chunk takes a place among the results.
    """

    where: Filter | None = None
    sources: tuple[str, ...] | None = None
    user: str | None = None


class Found(msgspec.Struct, frozen=True):
    """A chunk that was found, without its vector, and how well it fits: from 0 to 1, the better the higher.

    By vector: (1 + cosine) / 2, or 1 - Hamming distance / bits. By words: BM25 / (BM25 + 1).
    Of both: the fused rank, scaled to 1 for a chunk that is first in both.
    """

    score: float
    id: str
    document: str
    source: str
    text: str
    location: bytes
    start: int
    end: int
    page: int | None
    parent: str
    parent_id: str
    metadata: Mapping[str, Value]
    heading: str = ""


class Draft(Protocol):
    """The next version of an index while it is written."""

    async def put(self, entries: Sequence[Entry]) -> None:
        """Add chunks, whose documents were not there or have been removed in this draft. Raises VectorsError."""
        ...

    async def remove(self, documents: Sequence[str]) -> None:
        """Take all chunks of these documents (keys)."""
        ...

    async def remove_source(self, source: str) -> None:
        """Take all chunks of a data source."""
        ...

    async def retag(self, document: str, metadata: Mapping[str, Value], access: Access | None) -> None:
        """Give all chunks of a document other metadata and another access list; texts and vectors stay."""
        ...

    async def move(self, document: str, key: str, location: bytes) -> None:
        """The same document under another key and location."""
        ...

    async def vectors_of(self, contents: Sequence[str]) -> Mapping[str, Vector]:
        """Vectors that are known already, by the hash of what was embedded."""
        ...

    async def finish(self) -> Version:
        """All of it kept, with its search structures; the draft is over."""
        ...

    async def abandon(self) -> None:
        """Nothing of it is kept."""
        ...


class Shelf(Protocol):
    """A version of an index, opened for reading. Every method raises VectorsError, Gone."""

    @property
    def version(self) -> Version: ...

    async def nearest(self, vector: Vector, limit: int, reach: Reach) -> list[Found]:
        """The chunks nearest to a vector, best first."""
        ...

    async def matching(self, text: str, limit: int, reach: Reach) -> list[Found]:
        """The chunks whose words fit best."""
        ...

    async def hybrid(self, vector: Vector, text: str, limit: int, reach: Reach) -> list[Found]:
        """Both, fused by reciprocal rank."""
        ...

    async def document(self, key: str) -> list[Found]:
        """All chunks of a document in their order; scores are 0."""
        ...

    async def access(self, key: str) -> Access | None:
        """The access list of a document; None where everybody may see it, or it has no chunks."""
        ...


class Vectors(Protocol):
    """The indices of all knowledge bases. Indices' names are letters, digits and hyphens."""

    async def prepare(self) -> None:
        """Load what the other methods need, which takes seconds of one core the first time: beside other work.

        Raises VectorsError, as the other methods do.
        """
        ...

    async def draft(self, index: str, shape: Shape, visible: Version | None) -> Draft:
        """Begin the next version, from the visible one or (None, or of another shape) from nothing."""
        ...

    async def open(self, version: Version) -> Shelf:
        """A version for reading; the same object for the same version while it is in use."""
        ...

    async def drop(self, index: str) -> None:
        """Delete an index with all of its versions. Not an error if it is not there."""
        ...

    async def close(self) -> None: ...
