"""Retrieve through a whole server: what is found, in which order, and how it is shown."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from botocore.exceptions import ClientError

from craton.infra.vectors.port import Access
from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.knowledge import Knowledge, knowledge
from tests.acceptance.retrieving import ARN, PLANNER, RERANK, Chunk, Retrieving, called

CATS = Chunk(
    "s3://shelf/cats.txt",
    "Cats sleep most of the day.",
    {"animal": "cat", "year": 2020.0, "tags": ("pet", "fur")},
    page=3,
)
DOGS = Chunk("s3://shelf/dogs.txt", "Dogs bark at night.", {"animal": "dog", "year": 2021.0, "tame": True})
OWLS = Chunk("s3://shelf/owls.txt", "Owls hunt at night and sleep by day.", {"animal": "owl", "year": 2022.0})


@pytest.fixture(scope="module")
def library(served: Retrieving) -> Knowledge:
    known = knowledge(served.server, "retrieve-library")
    served.fill(known, [CATS, DOGS, OWLS])
    return known


def retrieve(known: Knowledge, text: str, **search: Any) -> list[dict[str, Any]]:
    configuration = {"retrievalConfiguration": {"vectorSearchConfiguration": search}} if search else {}
    answer = known.runtime.retrieve(knowledgeBaseId=known.base, retrievalQuery={"text": text}, **configuration)
    results: list[dict[str, Any]] = answer["retrievalResults"]
    return results


def refused(known: Knowledge, **search: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        retrieve(known, "cats", **search)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_best_passage_comes_first(library: Knowledge) -> None:
    """With its text, place, score and metadata as Bedrock shows them."""
    found = retrieve(library, "when do cats sleep")
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    first = found[0]
    assert first["content"] == {"type": "TEXT", "text": CATS.text}
    assert first["location"] == {"type": "S3", "s3Location": {"uri": CATS.document}}
    assert first["documentId"] == CATS.document
    assert first["metadata"] == {
        "animal": "cat",
        "year": 2020.0,
        "tags": ["pet", "fur"],
        "x-amz-bedrock-kb-source-uri": CATS.document,
        "x-amz-bedrock-kb-chunk-id": "chunk-0",
        "x-amz-bedrock-kb-data-source-id": library.source,
        "x-amz-bedrock-kb-document-page-number": 3.0,
    }


@pytest.mark.parametrize("mode", ["SEMANTIC", "HYBRID"])
def test_both_ways_of_searching(library: Knowledge, mode: str) -> None:
    """Each finds what the question is about, and no more than was asked for."""
    found = retrieve(library, "owls hunt", overrideSearchType=mode, numberOfResults=1)
    assert [one["documentId"] for one in found] == [OWLS.document]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"equals": {"key": "animal", "value": "cat"}}, [CATS]),
        ({"notEquals": {"key": "animal", "value": "cat"}}, [DOGS, OWLS]),
        ({"greaterThan": {"key": "year", "value": 2020}}, [DOGS, OWLS]),
        ({"lessThanOrEquals": {"key": "year", "value": 2021}}, [CATS, DOGS]),
        ({"in": {"key": "animal", "value": ["cat", "owl"]}}, [CATS, OWLS]),
        ({"notIn": {"key": "animal", "value": ["cat", "owl"]}}, [DOGS]),
        ({"startsWith": {"key": "animal", "value": "d"}}, [DOGS]),
        ({"stringContains": {"key": "animal", "value": "w"}}, [OWLS]),
        ({"listContains": {"key": "tags", "value": "fur"}}, [CATS]),
        ({"equals": {"key": "tame", "value": True}}, [DOGS]),
        (
            {"andAll": [
                {"greaterThanOrEquals": {"key": "year", "value": 2021}},
                {"orAll": [{"equals": {"key": "animal", "value": "dog"}}, {"equals": {"key": "animal", "value": "cat"}}]},
            ]},
            [DOGS],
        ),
        ({"equals": {"key": "year", "value": "2020"}}, []),
        ({"equals": {"key": "x-amz-bedrock-kb-source-uri", "value": DOGS.document}}, [DOGS]),
        ({"startsWith": {"key": "x-amz-bedrock-kb-source-uri", "value": "s3://shelf/o"}}, [OWLS]),
        ({"notIn": {"key": "x-amz-bedrock-kb-source-uri", "value": [DOGS.document]}}, [CATS, OWLS]),
        ({"in": {"key": "x-amz-bedrock-kb-chunk-id", "value": ["chunk-0"]}}, [CATS]),
        ({"equals": {"key": "x-amz-bedrock-kb-data-source-id", "value": "AAAAAAAAAA"}}, []),
    ],
)  # fmt: skip
def test_filters(library: Knowledge, where: dict[str, Any], kept: list[Chunk]) -> None:
    """Every operator, over the wire; a value of another type than the attribute's holds nowhere."""
    found = {one["documentId"] for one in retrieve(library, "night and day", filter=where)}
    assert found == {one.document for one in kept}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"greaterThan": {"key": "year", "value": "old"}}, "filter.greaterThan.value' does not fit"),
        ({"in": {"key": "animal", "value": "cat"}}, "a list of strings"),
        ({"startsWith": {"key": "animal", "value": 3}}, "a string"),
        ({"equals": {"key": "animal", "value": {"a": 1}}}, "a string, a number or a boolean"),
        ({"andAll": [{"equals": {"key": "a", "value": n}} for n in range(6)]}, "2 to 5 members"),
    ],
)
def test_filters_that_do_not_fit(library: Knowledge, where: dict[str, Any], said: str) -> None:
    """The answer names the place and what would have fitted."""
    code, message = refused(library, filter=where)
    assert code == "ValidationException"
    assert said in message


def test_parents_stand_in_for_their_children(served: Retrieving) -> None:
    """Once each, with their own text, so that fewer come than were found."""
    known = knowledge(served.server, "retrieve-parents")
    whole = "Rivers carry silt. Rivers flood fields."
    first = Chunk("s3://a/b.txt", "Rivers carry silt.", parent=whole, parent_id="p1")
    second = Chunk("s3://a/b.txt", "Rivers flood fields.", parent=whole, parent_id="p1", start=19)
    served.fill(known, [first, second, Chunk("s3://a/c.txt", "Rivers of gold.")])
    found = retrieve(known, "rivers flood", numberOfResults=3)
    assert [one["content"]["text"] for one in found] == [whole, "Rivers of gold."]


def test_access_lists(served: Retrieving) -> None:
    """A document with a list is found by those whom it allows alone, and takes no place among others' results."""
    known = knowledge(served.server, "retrieve-lists")
    chunks = [
        Chunk(f"s3://a/secret-{n}.txt", f"Plans for the bridge {n}.", access=Access(("ann",), ("bob",)))
        for n in range(5)
    ]
    served.fill(known, [*chunks, Chunk("s3://a/open.txt", "The bridge is open.")])

    def seen(**user: Any) -> set[str]:
        answer = known.runtime.retrieve(
            knowledgeBaseId=known.base, retrievalQuery={"text": "plans for the bridge"},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": 2}}, **user,
        )  # fmt: skip
        return {one["documentId"] for one in answer["retrievalResults"]}

    assert all("secret" in one for one in seen(userContext={"userId": "ann"}))
    assert seen(userContext={"userId": "bob"}) == seen() == {"s3://a/open.txt"}


def test_pages(served: Retrieving) -> None:
    """What is too much for one answer follows by nextToken; the token is good for that question alone."""
    known = knowledge(served.server, "retrieve-pages")
    served.fill(known, [Chunk(f"s3://a/{n}.txt", f"number {n} " + "long " * 90_000) for n in range(5)])
    asked: dict[str, Any] = {"knowledgeBaseId": known.base, "retrievalQuery": {"text": "long"}}
    pages = list(known.runtime.get_paginator("retrieve").paginate(**asked))
    assert len(pages) > 1
    assert len({one["documentId"] for page in pages for one in page["retrievalResults"]}) == 5
    asked["retrievalQuery"] = {"text": "other"}
    with pytest.raises(ClientError, match="nextToken is invalid"):
        known.runtime.retrieve(**asked, nextToken=pages[0]["nextToken"])


def test_reranking(library: Knowledge, served: Retrieving) -> None:
    """The model's scores and order take the search's place; it reads the attributes that it was given."""
    model: dict[str, Any] = {"modelConfiguration": {"modelArn": ARN + RERANK}, "numberOfRerankedResults": 2}
    model["metadataConfiguration"] = {
        "selectionMode": "SELECTIVE", "selectiveModeConfiguration": {"fieldsToInclude": [{"fieldName": "animal"}]},
    }  # fmt: skip
    reranking = {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": model}
    found = retrieve(library, "owl", rerankingConfiguration=reranking)
    assert found[0]["documentId"] == OWLS.document
    assert (len(found), found[0]["score"]) == (2, 1.0)
    sent = served.up.requests[-1].json["documents"]
    assert any("animal: owl" in one for one in sent)
    assert not any("year" in one for one in sent)


def test_a_filter_that_a_model_makes(library: Knowledge, served: Retrieving) -> None:
    """Out of the question and the attributes, together with the caller's own; a model that fails costs nothing."""
    attributes = [{"key": "year", "type": "NUMBER", "description": "when it was written"}]
    implicit = {"metadataAttributes": attributes, "modelArn": ARN + PLANNER}
    where = {"lessThan": {"key": "year", "value": 2022}}

    def found(*conditions: dict[str, Any]) -> set[str]:
        served.talk.append(called("filter_documents", {"conditions": list(conditions)}))
        return {
            one["documentId"]
            for one in retrieve(library, "after 2020", filter=where, implicitFilterConfiguration=implicit)
        }

    assert found({"key": "year", "operator": "greaterThan", "value": 2020}) == {DOGS.document}
    both = {CATS.document, DOGS.document}
    assert found({"key": "year", "operator": "greaterThan", "value": "2020"}) == both
    assert found({"key": "animal", "operator": "equals", "value": "owl"}) == both
    assert found() == both


# --- who may, and what fails ---


def test_who_may_ask(library: Knowledge) -> None:
    """bedrock:Retrieve on the knowledge base, and the caller needs no right to its embedding model."""
    server, arn = library.server, "arn:aws:bedrock:us-east-1:000000000000:knowledge-base/"
    keys = [
        user_key(server, name, document(allow("bedrock:Retrieve", arn + ident)))
        for name, ident in (("retrieve-may", library.base), ("retrieve-may-not", "AAAAAAAAAA"))
    ]
    may, may_not = (with_key(server, key, "bedrock-agent-runtime") for key in keys)
    asked: dict[str, Any] = {"retrievalQuery": {"text": "cats"}}
    assert may.retrieve(knowledgeBaseId=library.base, **asked)["retrievalResults"]
    assert may.retrieve(knowledgeBaseId=arn + library.base, **asked)["retrievalResults"]
    for ident in (library.base, "ZZZZZZZZZZ"):
        with pytest.raises(ClientError, match="not authorized to perform: bedrock:Retrieve"):
            may_not.retrieve(knowledgeBaseId=ident, **asked)


def test_a_role_that_may_not(served: Retrieving) -> None:
    """A knowledge base asks its model as its role: without the right to it, or without the role, the answer says so."""
    known = knowledge(served.server, "retrieve-role")
    served.fill(known, [CATS])
    iam, name = served.server.client("iam"), known.role.rpartition("/")[2]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(allow("s3:GetObject")))
    code, message = refused(known)
    assert (code, "cannot use its embedding model" in message, "InvokeModel" in message) == (
        "ValidationException",
        True,
        True,
    )
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    iam.delete_role(RoleName=name)
    assert "could not be assumed" in refused(known)[1]


def test_nothing_was_ingested(served: Retrieving) -> None:
    """A knowledge base without documents finds nothing."""
    assert retrieve(knowledge(served.server, "retrieve-empty"), "cats") == []


def test_no_such_knowledge_base(library: Knowledge) -> None:
    """It is not there: ResourceNotFoundException, 404."""
    with pytest.raises(ClientError) as caught:
        library.runtime.retrieve(knowledgeBaseId="ZZZZZZZZZZ", retrievalQuery={"text": "cats"})
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"retrievalQuery": {"text": " "}}, "must have text"),
        ({"retrievalQuery": {"type": "IMAGE", "image": {"format": "png", "inlineContent": b"x"}}}, "not with an image"),
        ({"guardrailConfiguration": {"guardrailId": "abc", "guardrailVersion": "1"}}, "Guardrails are not built"),
        ({"retrievalConfiguration": {"vectorSearchConfiguration": {}, "managedSearchConfiguration": {}}}, "not both"),
    ],
)
def test_refusals(library: Knowledge, members: dict[str, Any], said: str) -> None:
    """What is not built says so, and what makes no sense too."""
    with pytest.raises(ClientError, match=said) as caught:
        library.runtime.retrieve(**{"knowledgeBaseId": library.base, "retrievalQuery": {"text": "cats"}, **members})
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_an_index_that_is_gone(served: Retrieving) -> None:
    """Its files were lost: the answer is the server's own fault, and a knowledge base beside it is as before."""
    known = knowledge(served.server, "retrieve-gone")
    served.fill(known, [CATS])
    shutil.rmtree(next((served.server.home / "vectors").glob(f"{known.base.lower()}*")))
    with pytest.raises(ClientError) as caught:
        retrieve(known, "cats")
    assert caught.value.response["Error"]["Code"] == "InternalServerException"
