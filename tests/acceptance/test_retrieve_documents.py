"""One document of a knowledge base: its content by a link, and who may see it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton.infra.vectors.port import Access
from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.knowledge import Knowledge, knowledge
from tests.acceptance.retrieving import Chunk, Retrieving

NAME = "été & 1+1 #2.txt"
TEXT = "The mill turns slowly. It grinds wheat and rye."


@pytest.fixture(scope="module")
def library(served: Retrieving) -> Knowledge:
    known = knowledge(served.server, "documents-library")
    uri = known.put(NAME, TEXT)
    lists = Access(("ann@example.com",), ("bob@example.com",))
    served.fill(
        known,
        [
            Chunk(uri, TEXT[:30], {"year": 1831.0}, page=1),
            Chunk(uri, TEXT[23:], {"year": 1831.0}, start=23, page=2),
            Chunk("s3://a/secret.txt", "The key is under the mat.", access=lists),
            Chunk("note-1", "Given in line.", kind="CUSTOM"),
        ],
    )
    return known


def content(known: Knowledge, ident: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = known.runtime.get_document_content(**known.here, documentId=ident, **more)
    return answer


def read(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        body: bytes = answer.read()
        return body


def refused(known: Knowledge, ident: str, **more: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        content(known, ident, **more)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_the_original(library: Knowledge) -> None:
    """A link to the object as it lies in S3, good without credentials and with any name."""
    answer = content(library, f"s3://{library.bucket}/{NAME}")
    assert answer["mimeType"] == "text/plain"
    assert read(answer["presignedUrl"]) == TEXT.encode()


def test_what_was_read_of_it(library: Knowledge) -> None:
    """A link to JSON: the text whole although its passages overlap, their places, and the document's attributes."""
    uri = f"s3://{library.bucket}/{NAME}"
    answer = content(library, uri, outputFormat="EXTRACTED")
    body = read(answer["presignedUrl"])
    assert (answer["mimeType"], answer["documentContentLength"]) == ("application/json", len(body))
    found = json.loads(body)
    assert (found["documentId"], found["dataSourceId"], found["text"]) == (uri, library.source, TEXT)
    assert [(one["start"], one["end"], one["page"]) for one in found["passages"]] == [(0, 30, 1), (23, len(TEXT), 2)]
    assert found["metadata"]["year"] == 1831


def test_a_link_that_somebody_changed(library: Knowledge) -> None:
    """It opens nothing."""
    url = content(library, "note-1", outputFormat="EXTRACTED")["presignedUrl"]
    for other in (url[:-2] + "AA", url.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as caught:
            read(other)
        assert caught.value.code == 403


def test_a_document_without_its_original(library: Knowledge) -> None:
    """One that an older server took in has its text alone, which the answer says."""
    url = content(library, "note-1", outputFormat="EXTRACTED")["presignedUrl"]
    assert json.loads(read(url))["text"] == "Given in line."
    code, _, message = refused(library, "note-1")
    assert (code, "Ingest it again" in message) == ("ValidationException", True)


def test_content_by_access_list(library: Knowledge) -> None:
    """Who is not allowed gets no link."""
    secret = {"ident": "s3://a/secret.txt", "outputFormat": "EXTRACTED"}
    assert content(library, **secret, userContext={"userId": "ann@example.com"})["presignedUrl"]
    for user in ({}, {"userContext": {"userId": "bob@example.com"}}):
        assert refused(library, **secret, **user)[:2] == ("AccessDeniedException", 403)


def test_content_that_is_not_there(library: Knowledge) -> None:
    """An unknown document, an unknown data source: ResourceNotFoundException."""
    assert refused(library, "nobody")[:2] == ("ResourceNotFoundException", 404)
    with pytest.raises(ClientError) as caught:
        library.runtime.get_document_content(knowledgeBaseId=library.base, dataSourceId="AAAAAAAAAA", documentId="x")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_both_rights_are_needed(library: Knowledge) -> None:
    """bedrock:Retrieve and bedrock:GetDocumentContent on the knowledge base."""
    arn = f"arn:aws:bedrock:us-east-1:000000000000:knowledge-base/{library.base}"
    key = user_key(library.server, "documents-half", document(allow("bedrock:GetDocumentContent", arn)))
    with pytest.raises(ClientError, match="bedrock:Retrieve"):
        with_key(library.server, key, "bedrock-agent-runtime").get_document_content(**library.here, documentId="note-1")


def test_who_may_see_a_document(library: Knowledge) -> None:
    """As its list says; one without a list is everybody's."""

    def may(ident: str, user: str) -> bool:
        answer = library.runtime.check_ingested_document_acl(
            **library.here, documentId=ident, userContext={"userId": user}
        )
        return bool(answer["hasAccess"])

    secret = "s3://a/secret.txt"
    users = ["ann@example.com", "bob@example.com", "eve@example.com"]
    assert [may(secret, user) for user in users] == [True, False, False]
    assert may("note-1", "eve@example.com")


def test_the_list_itself(library: Knowledge) -> None:
    """Users that are allowed, and users that are denied."""
    found = library.runtime.get_ingested_document_acl(**library.here, documentId="s3://a/secret.txt")["documentAcl"]
    assert [user["id"] for one in found["allowList"]["conditions"] for user in one["users"]] == ["ann@example.com"]
    assert [user["id"] for one in found["denyList"]["conditions"] for user in one["users"]] == ["bob@example.com"]
    assert library.runtime.get_ingested_document_acl(**library.here, documentId="note-1")["documentAcl"] == {}
