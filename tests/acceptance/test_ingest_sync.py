"""Syncs as a true mirror of a bucket: what is new, changed, moved and gone, and what is not embedded twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.knowledge import Knowledge, knowledge, vector
from tests.acceptance.retrieving import COHERE, Retrieving
from tests.fakes.upstream import FakeUpstream
from tests.running import Running

FOUNDATION = "arn:aws:bedrock:us-east-1::foundation-model/"
NAMES = (
    "plain.txt",
    "with space.txt",
    "ünïcode 漢字.txt",
    "50%+1&2=3.txt",
    "new\nline.txt",
    "deep/er//than.txt",
    "?#*.md",
)


@pytest.fixture
def up(served: Retrieving) -> FakeUpstream:
    return served.up


@pytest.fixture
def server(served: Retrieving) -> Running:
    return served.server


@pytest.fixture(autouse=True)
def _quiet(up: FakeUpstream) -> None:
    up.requests.clear()


def counted(job: dict[str, Any]) -> dict[str, int]:
    """The statistics that are not zero, by their short names."""
    assert job["status"] == "COMPLETE", job
    short = {name.removeprefix("numberOf"): count for name, count in job["statistics"].items()}
    return {name: count for name, count in short.items() if count}


def embedded(up: FakeUpstream) -> list[str]:
    """The texts that were embedded for documents, in any order."""
    found: list[str] = []
    for request in up.requests:
        given = request.json.get("input", request.json.get("texts"))
        found += [given] if isinstance(given, str) else given
    return sorted(found)


def found(where: Knowledge, question: str, **search: Any) -> list[dict[str, Any]]:
    wanted = {"vectorSearchConfiguration": {"numberOfResults": 50, **search}}
    answer = where.runtime.retrieve(
        knowledgeBaseId=where.base, retrievalQuery={"text": question}, retrievalConfiguration=wanted
    )
    return list(answer["retrievalResults"])


def texts(where: Knowledge, question: str = "cat") -> dict[str, str]:
    """Everything in the index, by key."""
    uri = len(f"s3://{where.bucket}/")
    return {one["location"]["s3Location"]["uri"][uri:]: one["content"]["text"] for one in found(where, question)}


def test_a_bucket_is_mirrored_whatever_the_names(server: Running, up: FakeUpstream) -> None:
    """Keys with every character come through; a second sync embeds nothing and changes nothing."""
    where = knowledge(server, "mirror")
    for number, name in enumerate(NAMES):
        where.put(name, f"cat number {number}")
    assert counted(where.sync()) == {"DocumentsScanned": 7, "NewDocumentsIndexed": 7}
    assert texts(where) == {name: f"cat number {number}" for number, name in enumerate(NAMES)}
    up.requests.clear()
    assert counted(where.sync()) == {"DocumentsScanned": 7}
    assert embedded(up) == []


def test_changes_of_each_kind(server: Running, up: FakeUpstream) -> None:
    """Only what is new or changed is embedded; what was moved or has other metadata is not; what is gone is gone."""
    where, s3 = knowledge(server, "changes"), server.client("s3")
    for name in ("stays", "changes", "moves", "goes", "retagged"):
        where.put(f"{name}.txt", f"cat that {name}", {"color": "red"})
    expected = {"DocumentsScanned": 5, "MetadataDocumentsScanned": 5, "NewDocumentsIndexed": 5}
    assert counted(where.sync()) == expected
    up.requests.clear()
    where.put("changes.txt", "cat that changed", {"color": "red"})
    where.put("elsewhere/moved.txt", "cat that moves", {"color": "red"})
    where.put("retagged.txt", "cat that retagged", {"color": "blue"})
    where.put("fresh.txt", "cat that is fresh")
    for name in ("moves.txt", "goes.txt"):
        s3.delete_object(Bucket=where.bucket, Key=name)
        s3.delete_object(Bucket=where.bucket, Key=f"{name}.metadata.json")
    assert counted(where.sync()) == {
        "DocumentsScanned": 5, "MetadataDocumentsScanned": 4, "NewDocumentsIndexed": 2, "ModifiedDocumentsIndexed": 1,
        "MetadataDocumentsModified": 1, "DocumentsDeleted": 2,
    }  # fmt: skip
    assert embedded(up) == ["cat that changed", "cat that is fresh"]
    assert texts(where) == {
        "stays.txt": "cat that stays", "changes.txt": "cat that changed", "elsewhere/moved.txt": "cat that moves",
        "retagged.txt": "cat that retagged", "fresh.txt": "cat that is fresh",
    }  # fmt: skip
    blue = found(where, "cat", filter={"equals": {"key": "color", "value": "blue"}})
    assert [one["content"]["text"] for one in blue] == ["cat that retagged"]


def test_attributes_that_are_embedded(server: Running, up: FakeUpstream) -> None:
    """They stand before the text for the model alone; when they change, the text is embedded anew."""
    where, s3 = knowledge(server, "prefixed"), server.client("s3")
    where.put("a.txt", "a cat")

    def tag(year: int) -> None:
        value = {"value": {"type": "NUMBER", "numberValue": year}, "includeForEmbedding": True}
        body = json.dumps({"metadataAttributes": {"year": value}}).encode()
        s3.put_object(Bucket=where.bucket, Key="a.txt.metadata.json", Body=body)

    tag(2024)
    where.sync()
    assert embedded(up) == ["year: 2024\n\na cat"]
    assert texts(where) == {"a.txt": "a cat"}
    up.requests.clear()
    tag(2025)
    assert counted(where.sync())["MetadataDocumentsModified"] == 1
    assert embedded(up) == ["year: 2025\n\na cat"]


def test_what_cannot_be_used_fails_alone(server: Running) -> None:
    """Each file says why; those of one reason stand together, and are tried again by the next sync."""
    where = knowledge(server, "broken")
    where.put("good.txt", "a good cat")
    where.put("empty.txt", "")
    where.put("script.exe", b"MZ\x90")
    where.put("broken.pdf", b"%PDF-1.7 this is no document")
    where.put("also.exe", b"MZ")
    where.put("tagged.txt", "a tagged cat", {"much": "x" * 11_000})
    job = where.sync()
    assert counted(job) == {
        "DocumentsScanned": 6, "MetadataDocumentsScanned": 1, "NewDocumentsIndexed": 1, "DocumentsFailed": 5,
    }  # fmt: skip
    reasons = "\n".join(job["failureReasons"])
    here = f"s3://{where.bucket}/"
    for names in ([f"{here}empty.txt"], [f"{here}broken.pdf"], [f"{here}tagged.txt"]):
        assert f"[Files: {names[0]}]. Call to Customer Source did not succeed." in reasons
    assert f"{here}also.exe, {here}script.exe]" in reasons or f"{here}script.exe, {here}also.exe]" in reasons
    assert texts(where) == {"good.txt": "a good cat"}
    where.put("empty.txt", "a cat at last")
    assert counted(where.sync())["NewDocumentsIndexed"] == 1


def test_a_changed_file_that_cannot_be_read_leaves_nothing_stale(server: Running) -> None:
    """What it said before is not found any more."""
    where = knowledge(server, "stale")
    where.put("a.txt", "an old cat")
    where.sync()
    where.put("a.txt", b"%PDF-1.4")
    assert counted(where.sync())["DocumentsFailed"] == 1
    assert texts(where) == {}


def test_prefixes_bound_the_source(server: Running) -> None:
    """Objects elsewhere are not looked at, and a prefix within another is not listed twice."""
    where = knowledge(server, "bounded")
    where.put("in/a.txt", "cat in")
    where.put("out/b.txt", "cat out")
    place = {
        "type": "S3",
        "s3Configuration": {"bucketArn": f"arn:aws:s3:::{where.bucket}", "inclusionPrefixes": ["in/"]},
    }
    where.agent.update_data_source(**where.here, name="bounded", dataSourceConfiguration=place)
    assert counted(where.sync()) == {"DocumentsScanned": 1, "NewDocumentsIndexed": 1}
    assert texts(where) == {"in/a.txt": "cat in"}


def test_a_table_of_records(server: Running) -> None:
    """A CSV whose metadata file says what its columns are becomes a chunk for each row, with the row's own attributes."""
    where, s3 = knowledge(server, "records"), server.client("s3")
    where.put("a.csv", "name,text,color\nTom,a small cat,red\nRex,a large cat,blue\n")
    structure = {
        "type": "RECORD_BASED_STRUCTURE_METADATA",
        "recordBasedStructureMetadata": {"contentFields": [{"fieldName": "text"}]},
    }
    body = json.dumps({"metadataAttributes": {"kind": "pets"}, "documentStructureConfiguration": structure}).encode()
    s3.put_object(Bucket=where.bucket, Key="a.csv.metadata.json", Body=body)
    where.sync()
    blue = found(where, "cat", filter={"equals": {"key": "color", "value": "blue"}})
    assert [(one["content"]["text"], one["metadata"]["name"], one["metadata"]["kind"]) for one in blue] == [
        ("a large cat", "Rex", "pets")
    ]


def test_a_model_that_takes_many_texts_gets_many(server: Running, up: FakeUpstream) -> None:
    """Cohere's bodies hold up to 96 texts; each is embedded once, and a text that occurs twice only once in all."""
    where = knowledge(server, "batched", config=vector(FOUNDATION + COHERE))
    for number in range(60):
        where.put(f"{number}.txt", f"cat number {number % 50}")
    assert counted(where.sync())["NewDocumentsIndexed"] == 60
    assert embedded(up) == sorted(f"cat number {number}" for number in range(50))
    assert len(up.requests) < 40
    assert {request.json["input_type"] for request in up.requests} == {"search_document"}


def test_bits_for_vectors(server: Running) -> None:
    """A knowledge base of binary vectors finds what it was given."""
    where = knowledge(server, "bits", config=vector(dimensions=256, embeddingDataType="BINARY"))
    where.put("a.txt", "the cat sat on the mat")
    where.put("b.txt", "stocks fell on monday")
    assert counted(where.sync())["NewDocumentsIndexed"] == 2
    assert next(iter(texts(where, "the cat sat on the mat"))) == "a.txt"


def test_parents_of_small_chunks(server: Running) -> None:
    """With hierarchical chunking the child is found and its parent returned."""
    levels = {"levelConfigurations": [{"maxTokens": 40}, {"maxTokens": 8}], "overlapTokens": 1}
    chunking = {"chunkingStrategy": "HIERARCHICAL", "hierarchicalChunkingConfiguration": levels}
    where = knowledge(server, "parents", chunkingConfiguration=chunking)
    text = "Cats sleep all day long. Dogs run in the park. Birds sing at dawn. Fish swim in ponds."
    where.put("a.txt", text)
    where.sync()
    assert text.startswith(found(where, "birds sing", overrideSearchType="SEMANTIC")[0]["content"]["text"][:24])
