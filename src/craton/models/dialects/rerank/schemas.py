"""The schemas of reranking, which differ in few words: Amazon's and Cohere's as Bedrock has them, Cohere's own API
(version 2 of `/rerank`), and the form of Jina that vLLM, other gateways and Craton's own engine speak.

Cohere's API takes texts alone, so documents that are objects go there as lines of `name: value`. Sources: reference
invoke-bodies.md; the vendors' API references, from memory.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from craton.models.canon.rerank import Document, Ranked, RerankReply, RerankRequest
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.malformed import decode_native, decode_reply

ROOT = "additionalModelRequestFields"
_LIMIT = "max_tokens_per_doc"

Query = Annotated[str, Meta(min_length=1)]
Documents = Annotated[list[Document], Meta(min_length=1, max_length=1000)]
Texts = Annotated[list[str], Meta(min_length=1, max_length=1000)]
Count = Annotated[int, Meta(ge=1)]


class AmazonBody(msgspec.Struct, forbid_unknown_fields=True):
    query: Query
    documents: Documents
    top_n: Count | None = None


class CohereBody(msgspec.Struct, forbid_unknown_fields=True):
    query: Query
    documents: Documents
    api_version: Annotated[int, Meta(ge=2)]
    top_n: Count | None = None
    max_tokens_per_doc: Count | None = None


class VendorBody(msgspec.Struct, forbid_unknown_fields=True):
    query: Query
    documents: Texts
    model: str = ""
    top_n: Count | None = None
    max_tokens_per_doc: Count | None = None
    return_documents: bool = False


class Result(msgspec.Struct):
    index: int
    relevance_score: float


class Used(msgspec.Struct):
    total_tokens: int | None = None


class Billed(msgspec.Struct, frozen=True):
    input_tokens: int | None = None


class BilledMeta(msgspec.Struct):
    billed_units: Billed = Billed()


class Reply(msgspec.Struct):
    results: list[Result]
    usage: Used | None = None
    meta: BilledMeta | None = None


_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class AmazonRerank:
    name = "amazon.rerank"
    body: ClassVar[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(AmazonBody)
    further: ClassVar[dict[str, Any]] = {}  # members that every body has
    limits: ClassVar[bool] = False  # whether the schema can shorten documents
    objects: ClassVar[bool] = True  # whether a document may be an object
    models: ClassVar[bool] = False  # whether the model stands in the body

    def read_request(self, body: bytes) -> RerankRequest:
        native = decode_native(self.body, body)
        return RerankRequest(
            query=native.query,
            documents=native.documents,
            top_n=native.top_n,
            max_tokens_per_document=getattr(native, _LIMIT, None),
        )

    def write_request(self, request: RerankRequest, out: Outgoing) -> bytes:
        documents = request.documents if self.objects else request.texts()
        body: dict[str, Any] = {**self.further, "query": request.query, "documents": documents}
        if self.models:
            body["model"] = out.model
        if request.top_n is not None:
            body["top_n"] = min(request.top_n, len(documents))
        self._limit(request.max_tokens_per_document, request.names.max_tokens_per_document, body, out)
        for name, value in request.extras.items():
            if name == _LIMIT:
                self._limit(value, f"{ROOT}.{name}", body, out)
            elif name not in self.further:
                out.ledger.drop(f"{ROOT}.{name}")
        return _encode(body)

    def _limit(self, tokens: int | None, path: str, body: dict[str, Any], out: Outgoing) -> None:
        if tokens is not None and self.limits:
            body[_LIMIT] = tokens
        elif tokens is not None:
            out.ledger.drop(path)

    def read_reply(self, body: bytes) -> RerankReply:
        native = decode_reply(_REPLY, body)
        results = sorted(native.results, key=lambda one: -one.relevance_score)
        tokens = native.usage.total_tokens if native.usage is not None else None
        if tokens is None and native.meta is not None:
            tokens = native.meta.billed_units.input_tokens
        return RerankReply(results=[Ranked(one.index, one.relevance_score) for one in results], input_tokens=tokens)

    def write_reply(self, reply: RerankReply) -> bytes:
        return _encode({"results": reply.results})


class CohereRerank(AmazonRerank):
    name = "cohere.rerank"
    body = msgspec.json.Decoder(CohereBody)
    further: ClassVar[dict[str, Any]] = {"api_version": 2}
    limits = True


class CohereRerankApi(AmazonRerank):
    name = "cohere.rerank-api"
    body = msgspec.json.Decoder(VendorBody)
    limits = True
    objects = False
    models = True


class JinaRerank(AmazonRerank):
    name = "jina.rerank"
    body = msgspec.json.Decoder(VendorBody)
    objects = False
    models = True
