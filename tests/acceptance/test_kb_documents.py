"""Documents one by one as a program with boto3 asks for them: taken in, looked at, listed, taken out; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.knowledge import Knowledge, custom, inline, knowledge
from tests.acceptance.resources import refused
from tests.running import Running

# Where a document can be while the server works on it, or has.
TAKEN = {"PENDING", "STARTING", "IN_PROGRESS", "INDEXED"}
LEAVING = {"DELETING", "DELETE_IN_PROGRESS"}


@pytest.fixture(scope="module")
def notes(server: Running) -> Knowledge:
    """A knowledge base with a CUSTOM source."""
    return knowledge(server, "kb-notes", kind="CUSTOM")


@pytest.fixture(scope="module")
def files(server: Running) -> Knowledge:
    """One with a source in S3."""
    return knowledge(server, "kb-files")


@pytest.fixture(scope="module")
def guarded(server: Running) -> Knowledge:
    """One whose documents have access lists."""
    parameters = {"type": "CUSTOM", "version": "1", "aclEnabled": True}
    config = {
        "type": "MANAGED_KNOWLEDGE_BASE_CONNECTOR",
        "managedKnowledgeBaseConnectorConfiguration": {"connectorParameters": parameters},
    }
    return knowledge(server, "kb-guarded", config={"type": "MANAGED"}, source={"dataSourceConfiguration": config})


def named(*idents: str) -> list[dict[str, Any]]:
    return [{"dataSourceType": "CUSTOM", "custom": {"id": one}} for one in idents]


def in_s3(uri: str, **metadata: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri}}}}
    return document | ({"metadata": metadata} if metadata else {})


def ingest(where: Knowledge, *documents: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    told = where.agent.ingest_knowledge_base_documents(**where.here, documents=list(documents), **more)
    return list(told["documentDetails"])


def test_life_of_a_document(notes: Knowledge) -> None:
    """It is PENDING when it was asked for, and shown and listed by its identifier; nobody knows others."""
    said = notes.ingest("life é/?", "Cats sleep a lot.", topic="cats", year=2024, wild=False, tags=["a", "b"])
    assert said["status"] == "PENDING"
    assert said["identifier"] == {"dataSourceType": "CUSTOM", "custom": {"id": "life é/?"}}
    assert {"knowledgeBaseId": said["knowledgeBaseId"], "dataSourceId": said["dataSourceId"]} == notes.here
    ids = named("nobody", "life é/?")
    got = notes.agent.get_knowledge_base_documents(**notes.here, documentIdentifiers=ids)["documentDetails"]
    assert [one["identifier"]["custom"]["id"] for one in got] == ["nobody", "life é/?"]
    assert got[0]["status"] == "NOT_FOUND"
    assert got[1]["status"] in TAKEN
    listed = notes.agent.list_knowledge_base_documents(**notes.here)["documentDetails"]
    assert "life é/?" in {one["identifier"]["custom"]["id"] for one in listed}
    gone = notes.agent.delete_knowledge_base_documents(**notes.here, documentIdentifiers=ids)["documentDetails"]
    assert [one["status"] for one in gone] == ["NOT_FOUND", "DELETING"]


def test_bytes_and_places(notes: Knowledge) -> None:
    """Content may be bytes of a type, or lie in S3 with its metadata."""
    data = {"type": "BYTE", "byteContent": {"mimeType": "text/html", "data": b"<p>Dogs bark.</p>"}}
    identifier = {"customDocumentIdentifier": {"id": "bytes"}}
    first = {"dataSourceType": "CUSTOM", "custom": {**identifier, "sourceType": "IN_LINE", "inlineContent": data}}
    place = {"uri": notes.put("elsewhere.txt", "Birds sing.")}
    identifier = {"customDocumentIdentifier": {"id": "place"}}
    second = {"dataSourceType": "CUSTOM", "custom": {**identifier, "sourceType": "S3_LOCATION", "s3Location": place}}
    sidecar = {"type": "S3_LOCATION", "s3Location": {"uri": f"{place['uri']}.metadata.json"}}
    said = ingest(notes, {"content": first}, {"content": second, "metadata": sidecar})
    assert [one["status"] for one in said] == ["PENDING", "PENDING"]


def test_pages_of_the_list(notes: Knowledge) -> None:
    """Every document is on one page."""
    ids = {f"page-{count}" for count in range(20)}
    for some in (sorted(ids)[:10], sorted(ids)[10:]):
        ingest(notes, *({"content": custom(one, "text")} for one in some))
    found, token = [], None
    while token != "":
        page = notes.agent.list_knowledge_base_documents(
            **notes.here, maxResults=7, **({"nextToken": token} if token else {})
        )
        assert len(page["documentDetails"]) <= 7
        found += [one["identifier"]["custom"]["id"] for one in page["documentDetails"]]
        token = page.get("nextToken", "")
    assert sorted(one for one in found if one in ids) == sorted(ids)
    with refused("ValidationException", 400, "nextToken is invalid"):
        notes.agent.list_knowledge_base_documents(**notes.here, nextToken="made-up")


def test_a_token_asks_once(notes: Knowledge) -> None:
    """The same request with its token changes nothing more; another request with it is refused."""
    token = "d" * 40
    ingest(notes, {"content": custom("once", "one")}, clientToken=token)
    notes.agent.delete_knowledge_base_documents(**notes.here, documentIdentifiers=named("once"))
    again = ingest(notes, {"content": custom("once", "one")}, clientToken=token)
    assert {one["status"] for one in again} <= LEAVING
    with refused("ValidationException", 400, "token was already used"):
        ingest(notes, {"content": custom("once", "two")}, clientToken=token)


def test_documents_of_s3(files: Knowledge) -> None:
    """They are named by their URIs in the source's bucket, and their metadata lies in S3 too."""
    uri = files.put("a b/ü+%.txt", "Fish swim.")
    (said,) = ingest(files, in_s3(uri))
    assert (said["status"], said["identifier"]) == ("PENDING", {"dataSourceType": "S3", "s3": {"uri": uri}})
    for document, words in (
        (in_s3("s3://other-bucket/a.txt"), "not in the bucket of the data source"),
        (in_s3(uri, **inline({"a": 1})), "use the type S3_LOCATION"),
        ({"content": custom("a", "b")}, "dataSourceType CUSTOM is not that of the data source, which is S3"),
    ):
        with refused("ValidationException", 400, words):
            ingest(files, document)
    with refused("ValidationException", 400, "is not that of the data source"):
        files.agent.get_knowledge_base_documents(**files.here, documentIdentifiers=named("a"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"content": {"dataSourceType": "CUSTOM"}}, "needs the member custom"),
        ({"content": {"dataSourceType": "CUSTOM", "custom": {"customDocumentIdentifier": {"id": "a"}, "sourceType": "IN_LINE"}}}, "needs the member inlineContent"),
        ({"content": {"dataSourceType": "CUSTOM", "custom": {"customDocumentIdentifier": {"id": "a"}, "sourceType": "IN_LINE", "inlineContent": {"type": "BYTE"}}}}, "needs the member byteContent"),
        ({"content": custom("a", "b"), "metadata": {"type": "S3_LOCATION"}}, "needs the member s3Location"),
        ({"content": custom("a", "b"), "metadata": {"type": "IN_LINE_ATTRIBUTE"}}, "needs the member inlineAttributes"),
        ({"content": custom("a", "b"), "metadata": {"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": [{"key": "k", "value": {"type": "NUMBER", "stringValue": "1"}}]}}, "needs the member numberValue"),
        ({"content": custom("a", "b"), "metadata": {"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": [{"key": "k", "value": {"type": "NUMBER", "numberValue": n}} for n in (1, 2)]}}, "k is given more than once"),
        ({"content": custom("a", "b"), "metadata": {**inline({"k": 1}), "accessControlList": [{"name": "u", "type": "USER", "access": "ALLOW"}]}}, "does not heed access lists"),
    ],
)  # fmt: skip
def test_documents_that_cannot_be(notes: Knowledge, document: dict[str, Any], words: str) -> None:
    """Each member that a type needs is there, and nothing is given twice."""
    with refused("ValidationException", 400, words):
        ingest(notes, document)


def test_a_document_is_named_once(notes: Knowledge) -> None:
    """In one request, and whichever operation."""
    with refused("ValidationException", 400, "named more than once"):
        ingest(notes, {"content": custom("twin", "a")}, {"content": custom("twin", "b")})
    for method in ("get_knowledge_base_documents", "delete_knowledge_base_documents"):
        with refused("ValidationException", 400, "named more than once"):
            getattr(notes.agent, method)(**notes.here, documentIdentifiers=named("twin", "twin"))


def test_access_lists(guarded: Knowledge) -> None:
    """They come with the metadata of a source that heeds them, in line or in its file."""
    entry = {"name": "u@example.com", "type": "USER", "access": "DENY"}
    metadata = {"type": "IN_LINE_ATTRIBUTE", "accessControlList": [entry]}
    (said,) = ingest(guarded, {"content": custom("listed", "secret"), "metadata": metadata})
    assert said["status"] == "PENDING"
    place = {"type": "S3_LOCATION", "s3Location": {"uri": "s3://kb-guarded-bucket/a.metadata.json"}}
    with refused("ValidationException", 400, "stands in the metadata file"):
        ingest(guarded, {"content": custom("both", "secret"), "metadata": {**place, "accessControlList": [entry]}})


def test_nothing_goes_where_it_is_being_deleted(server: Running) -> None:
    """A data source that goes takes neither jobs nor documents any more."""
    going = knowledge(server, "kb-going", kind="CUSTOM")
    going.agent.delete_data_source(**going.here)
    with pytest.raises(ClientError, match=r"status is DELETING|does not exist") as caught:
        going.ingest("late", "text")
    assert caught.value.response["Error"]["Code"] in ("ValidationException", "ResourceNotFoundException")
    with pytest.raises(ClientError, match=r"status is DELETING|does not exist"):
        going.start()
    going.agent.delete_knowledge_base(knowledgeBaseId=going.base)
    with pytest.raises(ClientError, match=r"status is DELETING|does not exist"):
        going.agent.create_data_source(
            knowledgeBaseId=going.base, name="late", dataSourceConfiguration={"type": "CUSTOM"}
        )
