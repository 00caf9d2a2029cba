"""Schemas of reranking: bodies that come in, bodies that go out, and replies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.rerank import Ranked, RerankReply, RerankRequest
from craton.models.catalog.rows import load
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.rerank.all import SCHEMAS, rerank_dialect
from craton.models.dialects.rerank.dialect import RerankDialect

BODY = {"query": "cats", "documents": ["a cat", "a dog"], "top_n": 1}


def named(name: str) -> RerankDialect:
    found = rerank_dialect(name)
    assert found is not None
    return found


def body_of(name: str, **members: Any) -> bytes:
    further = {"api_version": 2} if name == "cohere.rerank" else {}
    return json.dumps({**BODY, **further, **members}).encode()


def written(name: str, request: RerankRequest, ledger: Ledger | None = None) -> dict[str, Any]:
    out = Outgoing("up", stream=False, ledger=ledger or Ledger())
    body: dict[str, Any] = json.loads(named(name).write_request(request, out))
    return body


def test_every_reranking_model_of_the_catalog_has_a_schema() -> None:
    """The catalog's name of the schema is in the table."""
    models = [model for model in load().models() if model.family == "rerank"]
    assert {model.dialect for model in models} == {"amazon.rerank", "cohere.rerank"} <= set(SCHEMAS)


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_a_body_is_read_written_and_read_again(name: str) -> None:
    """Query, documents and how many are wanted."""
    request = named(name).read_request(body_of(name))
    assert (request.query, request.documents, request.top_n) == ("cats", ["a cat", "a dog"], 1)
    again = named(name).read_request(json.dumps(written(name, request)).encode())
    assert again == request


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_a_reply_is_written_and_read_again(name: str) -> None:
    """Best first, whatever the order in which the upstream gave them."""
    reply = RerankReply(results=[Ranked(1, 0.2), Ranked(0, 0.9)])
    native = named(name).write_reply(reply)
    assert json.loads(native) == {
        "results": [{"index": 1, "relevance_score": 0.2}, {"index": 0, "relevance_score": 0.9}]
    }
    assert named(name).read_reply(native).results == [Ranked(0, 0.9), Ranked(1, 0.2)]


@pytest.mark.parametrize("name", list(SCHEMAS))
@pytest.mark.parametrize("body", [b"", b"[]", b'{"query": "x"}', b'{"query": "x", "documents": []}'])
def test_rubbish_is_refused(name: str, body: bytes) -> None:
    """In Bedrock's words."""
    with pytest.raises(Fault, match="Malformed input request"):
        named(name).read_request(body)


def test_cohere_on_bedrock_needs_its_version() -> None:
    """`api_version`, 2 or later."""
    with pytest.raises(Fault, match=r"#: required key \[api_version\] not found"):
        named("cohere.rerank").read_request(json.dumps(BODY).encode())
    with pytest.raises(Fault, match="#/api_version: 1 is not greater or equal to 2"):
        named("cohere.rerank").read_request(body_of("cohere.rerank", api_version=1))


def test_objects_go_to_the_vendor_as_lines() -> None:
    """Whose second version takes texts alone."""
    request = named("cohere.rerank").read_request(body_of("cohere.rerank", documents=[{"title": "Cats", "n": 1}]))
    assert written("cohere.rerank", request)["documents"] == [{"title": "Cats", "n": 1}]
    assert written("cohere.rerank-api", request)["documents"] == ["title: Cats\nn: 1"]
    assert written("cohere.rerank-api", request)["model"] == "up"


def test_what_the_target_cannot_limit_is_dropped_by_name() -> None:
    """As are fields that nobody knows; those that the schema has are kept."""
    request = RerankRequest(query="q", documents=["d"], extras={"max_tokens_per_doc": 10, "mood": "good"})
    kept = Ledger()
    assert written("cohere.rerank", request, kept)["max_tokens_per_doc"] == 10
    assert kept.dropped == ["additionalModelRequestFields.mood"]
    lost = Ledger()
    assert "max_tokens_per_doc" not in written("amazon.rerank", request, lost)
    assert lost.dropped == ["additionalModelRequestFields.max_tokens_per_doc", "additionalModelRequestFields.mood"]
