"""Retrieval behind a real sync: what was put into the bucket is found, what was taken out is not; originals of documents."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.knowledge import Knowledge, client, knowledge
from tests.acceptance.retrieving import Retrieving

PAGE = b"<html><body><p>Tea is brewed \xe2\x80\xa6</p></body></html>"


def test_what_was_ingested_is_found(served: Retrieving) -> None:
    """With its place, its metadata and its text; after it was deleted and synced again it is gone."""
    known = knowledge(served.server, "ingested")
    uri = known.put("tea.txt", "Tea is brewed for three minutes.", {"drink": "tea"})
    known.put("milk.txt", "Milk is kept cold.")
    done = known.sync()
    assert done["status"] == "COMPLETE"
    assert done["startedAt"] <= done["textReadyAt"] <= done["updatedAt"]

    def found() -> list[tuple[str, str | None]]:
        answer = known.runtime.retrieve(knowledgeBaseId=known.base, retrievalQuery={"text": "how long is tea brewed"})
        return [(one["documentId"], one["metadata"].get("drink")) for one in answer["retrievalResults"]]

    assert found()[0] == (uri, "tea")
    assert len(found()) == 2
    s3 = client(served.server, "s3")
    s3.delete_object(Bucket=known.bucket, Key="tea.txt")
    assert known.sync()["status"] == "COMPLETE"
    assert [ident for ident, _ in found()] == [f"s3://{known.bucket}/milk.txt"]


def content(known: Knowledge, ident: str) -> dict[str, Any]:
    answer: dict[str, Any] = known.runtime.get_document_content(**known.here, documentId=ident)
    return answer


def inline(ident: str, mime: str, data: bytes) -> dict[str, Any]:
    given = {"type": "BYTE", "byteContent": {"mimeType": mime, "data": data}}
    custom = {"customDocumentIdentifier": {"id": ident}, "sourceType": "IN_LINE", "inlineContent": given}
    return {"content": {"dataSourceType": "CUSTOM", "custom": custom}}


def test_originals_that_came_with_requests(served: Retrieving) -> None:
    """Byte for byte, of the type that they had, for saving; what lay in S3 comes from there; none of what is not indexed."""
    known = knowledge(served.server, "originals", kind="CUSTOM")
    uri = known.put("notes.txt", "Milk is kept cold.")
    where = {"customDocumentIdentifier": {"id": "there"}, "sourceType": "S3_LOCATION", "s3Location": {"uri": uri}}
    there = {"content": {"dataSourceType": "CUSTOM", "custom": where}}
    known.agent.ingest_knowledge_base_documents(**known.here, documents=[inline("page", "text/html", PAGE), there])
    known.ingest("note é/?", "A cat.")
    known.settled("note é/?")
    older = content(known, "note é/?")["presignedUrl"]
    known.ingest("note é/?", "Two cats.")
    known.ingest("empty", " ")
    assert [one["status"] for one in known.settled("page", "there", "note é/?", "empty")] == ["INDEXED"] * 3 + [
        "FAILED"
    ]

    answer = content(known, "page")
    assert (answer["mimeType"], answer["documentContentLength"]) == ("text/html", len(PAGE))
    with urllib.request.urlopen(answer["presignedUrl"]) as got:
        assert got.read() == PAGE
        assert (got.headers["content-type"], got.headers["content-disposition"]) == ("text/html", "attachment")
    for ident, text in (("note é/?", b"Two cats."), ("there", b"Milk is kept cold.")):
        with urllib.request.urlopen(content(known, ident)["presignedUrl"]) as got:
            assert got.read() == text

    named = [{"dataSourceType": "CUSTOM", "custom": {"id": "page"}}]
    known.agent.delete_knowledge_base_documents(**known.here, documentIdentifiers=named)
    known.settled("page")
    for gone in (older, answer["presignedUrl"]):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(gone)
        assert caught.value.code == 404
    with pytest.raises(ClientError, match="does not exist"):
        content(known, "page")
