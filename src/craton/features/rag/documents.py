"""What is known of a document of a data source: its row in the ledger, its states, and what was asked for it.

Owns the records and names. It must not know SQL (`ledger.py`), HTTP, S3, nor how a document becomes chunks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from craton.features.rag.resources import DATA_SOURCE, KNOWLEDGE_BASE
from craton.infra.vectors.port import Access

if TYPE_CHECKING:
    from craton.infra.cipher.port import Cipher

INGESTION_RUN = "ingestion-job"
"""Run kind of an ingestion job, whose ARN is the job's row's (`resources.job_arn`)."""
DOCUMENTS_RUN = "knowledge-base-documents"
"""Run kind of what IngestKnowledgeBaseDocuments and DeleteKnowledgeBaseDocuments asked; its ARN is `documents_run`."""
SOURCE_DELETION_RUN = "data-source-deletion"
"""Run kind whose ARN is the data source's row's; that row is DELETING until the run removes it."""
BASE_DELETION_RUN = "knowledge-base-deletion"
"""Run kind whose ARN is the knowledge base's; its row is DELETING until the run removes it."""

Status = Literal[
    "INDEXED", "PARTIALLY_INDEXED", "PENDING", "FAILED", "METADATA_PARTIALLY_INDEXED", "METADATA_UPDATE_FAILED",
    "IGNORED", "NOT_FOUND", "STARTING", "IN_PROGRESS", "DELETING", "DELETE_IN_PROGRESS",
]  # fmt: skip
ASKED: frozenset[str] = frozenset({"PENDING", "STARTING", "IN_PROGRESS"})
"""Somebody asked for the document to be taken in, and it is not yet."""
LEAVING: frozenset[str] = frozenset({"DELETING", "DELETE_IN_PROGRESS"})

Kind = Literal["S3", "CUSTOM", "WEB"]
PURPOSE = "knowledge base document"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger.

    `base` is the knowledge base's ARN, `source` the data source's id, `identifier` an `s3://` URI, a web address or a
    custom id. `turn` rises each time somebody asks something for the document. Of what is in the index: `etag` and
    `tag_etag` are how the source told the state of the document and of its metadata, `content` and `tags` hashes of
    what was read, `recipe` the hash of how it was parsed, cut and embedded, `prefix` the attributes that were embedded
    with each piece, `chunks` how many pieces there are, `access` who may see them (None: everybody). `updated_at` is in
    µs since 1970. `asked` is sealed.
    """

    base: str
    source: str
    identifier: str
    kind: Kind
    status: Status
    reason: str = ""
    turn: int = 0
    etag: str = ""
    tag_etag: str = ""
    content: str = ""
    tags: str = ""
    recipe: str = ""
    prefix: str = ""
    chunks: int = 0
    access: Access | None = None
    updated_at: int = 0
    asked: bytes = b""

    @property
    def place(self) -> bytes:
        return place_of(self.identifier)

    @property
    def key(self) -> str:
        return key_of(self.source, self.identifier)


class Attribute(msgspec.Struct, frozen=True):
    """A metadata attribute that was given with the document."""

    key: str
    value: str | float | bool | tuple[str, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What IngestKnowledgeBaseDocuments was given for one document.

    Content is in `data` with its media type in `mime`, or lies at `uri` (of `owner`, an account id or ""). Metadata is in
    `attributes`, or lies at `metadata_uri`. Without `access` everybody may see the document.
    """

    data: bytes = b""
    mime: str = ""
    uri: str = ""
    owner: str = ""
    attributes: tuple[Attribute, ...] = ()
    metadata_uri: str = ""
    metadata_owner: str = ""
    access: Access | None = None


def place_of(identifier: str) -> bytes:
    """Where a document stands in the ledger: identifiers are too long, and of too many characters, for databases' keys."""
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).digest()


def key_of(source: str, identifier: str) -> str:
    """The document's key in the index, where all data sources of the knowledge base lie together."""
    return f"{source}/{identifier}"


def identifier_of(key: str) -> str:
    """The other way round."""
    return key.partition("/")[2]


def documents_run(source_arn: str) -> str:
    """The run that does what is asked for documents of a data source, by the ARN of the source's row."""
    return f"{source_arn}/documents"


def location_of(kind: Kind, identifier: str) -> dict[str, Any]:
    """Where the document lies, as the API's RetrievalResultLocation."""
    if kind == "S3":
        return {"type": "S3", "s3Location": {"uri": identifier}}
    if kind == "WEB":
        return {"type": "WEB", "webLocation": {"url": identifier}}
    return {"type": "CUSTOM", "customDocumentLocation": {"id": identifier}}


async def sealed(
    cipher: Cipher, account: str, region: str, base: str, source: str, identifier: str, asked: Asked, key: str | None
) -> bytes:
    """`Document.asked`, under the data source's KMS key or (None) the account's own. Raises CipherError."""
    plain = msgspec.msgpack.encode(asked)
    return await cipher.seal(account, PURPOSE, key, plain, _bound(base, source, place_of(identifier)), region=region)


async def opened(cipher: Cipher, account: str, document: Document) -> Asked:
    """What `sealed` closed. Raises CipherError."""
    return await unsealed(cipher, account, document.base, document.source, document.place, document.asked)


async def unsealed(cipher: Cipher, account: str, base: str, source: str, place: bytes, kept: bytes) -> Asked:
    """The same of a document of which only the place is known. Raises CipherError."""
    plain = await cipher.open(account, PURPOSE, kept, _bound(base, source, place))
    return msgspec.msgpack.decode(plain, type=Asked)


def _bound(base: str, source: str, place: bytes) -> dict[str, str]:
    return {KNOWLEDGE_BASE: base, DATA_SOURCE: source, "document": place.hex()}
