"""What was found becomes what is returned: parents, metadata, pages, whole texts."""

from __future__ import annotations

from typing import Any

import pytest

from craton.features.rag.retrieval.access import may_see
from craton.features.rag.retrieval.passages import passages
from craton.features.rag.retrieval.query import Query, Reranking, Start
from craton.features.rag.retrieval.ranking import document_of
from craton.features.rag.retrieval.retrieve import paged
from craton.features.rag.retrieval.whole import whole_text
from craton.infra.vectors.port import Access, Found, Shape, Version

VERSION = Version("index", 7, Shape(4))


def found(ident: str, text: str = "text", score: float = 0.5, start: int = 0, **more: Any) -> Found:
    given = {"page": None, "parent": "", "parent_id": "", "metadata": {}, **more}
    return Found(
        score=score, id=ident, document="SOURCE/s3://b/k.txt", source="SOURCE", text=text,
        location=b'{"type":"S3","s3Location":{"uri":"s3://b/k.txt"}}', start=start, end=start + len(text), **given,
    )  # fmt: skip


def test_children_of_one_parent_are_one_passage() -> None:
    """As good as the best of them, in its place; other chunks stay."""
    children = [found(f"c{n}", score=0.9 - n / 10, parent="whole", parent_id="p") for n in range(2)]
    made = passages([children[0], found("x", score=0.85), children[1]])
    assert [(one.text, one.score) for one in made] == [("whole", 0.9), ("text", 0.85)]


def test_reserved_metadata() -> None:
    """Bedrock's own keys stand beside the document's; lists are lists again."""
    (one,) = passages([found("c1", page=3, metadata={"tags": ("a", "b"), "year": 2020.0})])
    assert one.metadata == {
        "tags": ["a", "b"], "year": 2020.0, "x-amz-bedrock-kb-source-uri": "s3://b/k.txt",
        "x-amz-bedrock-kb-chunk-id": "c1", "x-amz-bedrock-kb-data-source-id": "SOURCE",
        "x-amz-bedrock-kb-document-page-number": 3.0,
    }  # fmt: skip
    assert (one.document, one.source, one.chunk) == ("s3://b/k.txt", "SOURCE", "c1")


def test_pages_of_one_answer() -> None:
    """As much text as fits, at least one passage, and where the rest begins."""
    results = passages([found(f"c{n}", "x" * 60) for n in range(3)])
    first = paged(results, Query(text="q", page_bytes=130), VERSION)
    assert (len(first.results), first.next) == (2, Start(2, 7))
    last = paged(results, Query(text="q", page_bytes=130, start=first.next), VERSION)
    assert (len(last.results), last.next) == (1, None)
    assert len(paged(results, Query(text="q", page_bytes=1), VERSION).results) == 1
    assert len(paged(results, Query(text="q"), VERSION).results) == 3


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([(0, "one two"), (4, "two three")], "one two three"),
        ([(0, "one two three"), (4, "two")], "one two three"),
        ([(0, "one"), (5, "two")], "one\ntwo"),
        ([(3, "one")], "one"),
        ([], ""),
    ],
)
def test_a_document_put_together(chunks: list[tuple[int, str]], text: str) -> None:
    """Each character once, whatever overlaps."""
    assert whole_text(found("c", part, start=start) for start, part in chunks) == text


def test_what_a_reranking_model_reads() -> None:
    """The text alone, or with the attributes that were chosen."""
    (one,) = passages([found("c1", metadata={"a": 1.0, "b": "x"})])
    assert document_of(one, Reranking("m")) == "text"
    assert document_of(one, Reranking("m", metadata=True, include=("b", "z"))) == {"b": "x", "text": "text"}
    assert document_of(one, Reranking("m", metadata=True, include=("z",))) == "text"
    read = document_of(one, Reranking("m", metadata=True, exclude=("a",)))
    assert isinstance(read, dict)
    assert ("a" in read, read["b"]) == (False, "x")


def test_who_may_see() -> None:
    """Nobody but those whom a list allows, and none whom it denies."""
    lists = Access(("ann", "bob"), ("bob",))
    assert [may_see(lists, user) for user in ("ann", "bob", "eve", None)] == [True, False, False, False]
    assert may_see(None, None)
