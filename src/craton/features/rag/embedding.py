"""A knowledge base's embedding model as its documents meet it: which it is, how texts become bodies, replies vectors.

Owns what follows from the knowledge base's configuration and the model's native schema; all of it is pure. It must not
know who asks the model, how often, nor what the texts are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.features.rag.resources import KnowledgeBase, embedding_model, embedding_options
from craton.infra.vectors.port import Vector, VectorKind
from craton.models.canon.embedding import EmbedRequest, Encoding, Item
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.embeddings.all import embed_dialect
from craton.models.dialects.embeddings.dialect import EmbedDialect

if TYPE_CHECKING:
    from craton.models.catalog.rows import Catalog

OWN_SCHEMA = "openai.embeddings"
"""What models speak that the catalog does not know."""
MOST_TEXTS = 48
"""In one body. More would only make others wait: the gateway reads and writes their vectors between two other requests."""
# Characters of a text beyond which a schema refuses the request; what is behind them is not embedded.
_LONGEST = {"cohere.embed": 2048, "amazon.titan-embed-text": 50_000, "amazon.titan-embed-text-v2": 50_000}
_PACKED: dict[str, Encoding] = {"amazon.titan-embed-text-v2": "bits"}


class NotVectors(Exception):
    """The model's reply is not what was asked for; the message is shown to the job's owner."""


class Embedding(msgspec.Struct, frozen=True):
    """`model` as the knowledge base names it, `schema` its native one; `dimensions` None: the model's own."""

    model: str
    schema: str
    dimensions: int | None = None
    kind: VectorKind = "float"

    @property
    def per_call(self) -> int:
        """How many texts one body holds."""
        return min(MOST_TEXTS, self._dialect.per_call(self._request(("",))))

    def body(self, texts: Sequence[str]) -> bytes:
        """The native body for these texts, at most `per_call`."""
        longest = _LONGEST.get(self.schema)
        cut = texts if longest is None else [text[:longest] for text in texts]
        # The reader of this body is the gateway, which packs vectors whatever the target can.
        quirks: dict[str, object] = {"packs": True, **({"dimensions": True} if self.dimensions else {})}
        out = Outgoing(model=self.model, stream=False, ledger=Ledger(), quirks=quirks)
        return self._dialect.write_request(self._request(cut), out)

    def vectors(self, reply: bytes, count: int) -> list[Vector]:
        """The vectors of a reply to `count` texts. Raises NotVectors."""
        import numpy as np

        try:
            found = self._dialect.read_reply(reply).vectors
        except Fault as fault:
            raise NotVectors(f"The embedding model's reply could not be read: {fault.message}") from None
        for encoding, make in _READ[self.kind]:
            rows = found.get(encoding)
            if rows is not None and len(rows) == count:
                return [make(np, row) for row in rows]
        raise NotVectors("The embedding model's reply does not have one vector for each text.")

    @property
    def _dialect(self) -> EmbedDialect:
        dialect = embed_dialect(self.schema)
        assert dialect is not None  # noqa: S101 - `embedding_of` has looked
        return dialect

    def _request(self, texts: Sequence[str]) -> EmbedRequest:
        encoding: Encoding = "float" if self.kind == "float" else _PACKED.get(self.schema, "ubinary")
        return EmbedRequest(
            items=[Item(text) for text in texts], model_id=self.model, purpose="document",
            dimensions=self.dimensions or self._dialect.dimensions, normalize=True, encodings=(encoding,),
            typed=encoding != "float", truncate="end",
        )  # fmt: skip


def _floats(np: Any, row: Sequence[float]) -> Vector:
    return np.asarray(row, dtype=np.float32)  # type: ignore[no-any-return]


# What of a reply makes a vector of each kind, the best first. The sign of a float is its bit.
_READ: dict[VectorKind, tuple[tuple[Encoding, Callable[[Any, Sequence[float]], Vector]], ...]] = {
    "float": (("float", _floats),),
    "binary": (
        ("bits", lambda np, row: np.packbits(np.asarray(row, dtype=np.uint8))),
        ("ubinary", lambda np, row: np.asarray(row, dtype=np.uint8)),
        ("float", lambda np, row: np.packbits(np.asarray(row) > 0)),
    ),
}


def dimensions_of(vector: Vector, kind: VectorKind) -> int:
    """How many dimensions a vector has; a binary one has eight to a byte."""
    return len(vector) * (1 if kind == "float" else 8)


def embedding_of(base: KnowledgeBase, catalog: Catalog, dialects: dict[str, str]) -> Embedding:
    """How a knowledge base's documents are embedded; `dialects` are the native schemas of configured models, by id."""
    model, wish = embedding_model(base), embedding_options(base)
    kind: VectorKind = "binary" if wish.get("embeddingDataType") == "BINARY" else "float"
    return Embedding(model, schema_of(model, catalog, dialects), wish.get("dimensions"), kind)


def schema_of(model: str, catalog: Catalog, dialects: dict[str, str]) -> str:
    """The native schema of a model by id, ARN or profile."""
    ident = ident_of(model)
    known = catalog.find(ident) or catalog.find(ident.partition(".")[2])
    schema = dialects.get(ident) or (known.dialect if known is not None else OWN_SCHEMA)
    return schema if embed_dialect(schema) is not None else OWN_SCHEMA


def ident_of(model: str) -> str:
    """A model's id, out of an ARN where it is one."""
    return model.rpartition("/")[2] if model.startswith("arn:") else model
