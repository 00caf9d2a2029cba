"""RetrieveAndGenerate over one document that comes along, or lies in S3."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from docx import Document

from tests.acceptance.answering import parts
from tests.acceptance.identities import allow, document, refused, user_key, with_key
from tests.acceptance.serving import CLAUDE, Served, serving
from tests.fakes import scripts

RENT = "The rent of the flat is 900 euros."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        running.client("s3").create_bucket(Bucket="papers")
        yield running


def content(data: bytes, kind: str = "text/plain", name: str = "paper") -> dict[str, Any]:
    return {"sourceType": "BYTE_CONTENT", "byteContent": {"identifier": name, "contentType": kind, "data": data}}


def ask(
    served: Served, source: dict[str, Any], said: str, *, runtime: Any = None, model: str = CLAUDE
) -> dict[str, Any]:
    served.up.scripts.clear()
    served.up.requests.clear()
    served.up.play(scripts.anthropic_reply(said))
    outside = {"modelArn": model, "sources": [source]}
    answer: dict[str, Any] = (runtime or served.client("bedrock-agent-runtime")).retrieve_and_generate(
        input={"text": "What is the rent?"},
        retrieveAndGenerateConfiguration={"type": "EXTERNAL_SOURCES", "externalSourcesConfiguration": outside},
    )
    return answer


def docx(*paragraphs: str) -> bytes:
    out, made = io.BytesIO(), Document()
    for paragraph in paragraphs:
        made.add_paragraph(paragraph)
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "kind", "name"),
    [
        (RENT.encode(), "text/plain", "paper"),
        (f"<html><script>x</script><p>{RENT}</p></html>".encode(), "text/html", "paper"),
        (docx("Lease", RENT), "application/octet-stream", "lease.docx"),
    ],
    ids=["txt", "html", "docx"],
)
def test_a_document_that_comes_along(served: Served, data: bytes, kind: str, name: str) -> None:
    """It is read by its name or its type, and cited by its text."""
    answer = ask(served, content(data, kind, name), "The rent is 900 euros [[1]]. It rains [[1]].")
    first, second = answer["citations"]
    assert first["generatedResponsePart"]["textResponsePart"]["text"] == "The rent is 900 euros."
    assert RENT in first["retrievedReferences"][0]["content"]["text"]
    assert second["retrievedReferences"] == []


def test_a_long_document(served: Served) -> None:
    """What fits the question is shown to the model, in the document's order; the rest is not."""
    filler = "\n\n".join(f"Chapter {number}. " + "Nothing of interest happens here. " * 40 for number in range(90))
    answer = ask(served, content(f"{filler}\n\n{RENT}\n\n{filler}".encode()), "900 euros is the rent [[1]].")
    sent = json.dumps(served.sent())
    assert RENT in sent
    assert len(sent) < 60_000
    (reference,) = answer["citations"][0]["retrievedReferences"]
    assert RENT in reference["content"]["text"]


def test_a_document_in_s3(served: Served) -> None:
    """It is read with the caller's rights and cited by its place."""
    served.client("s3").put_object(Bucket="papers", Key="lease.txt", Body=RENT.encode())
    source = {"sourceType": "S3", "s3Location": {"uri": "s3://papers/lease.txt"}}
    answer = ask(served, source, "The rent is 900 euros [[1]].")
    assert parts(answer) == [("The rent is 900 euros.", ["lease.txt"])]
    rights = document(allow(["bedrock:RetrieveAndGenerate", "bedrock:InvokeModel"]))
    key = user_key(served.server, "no-reader", rights)
    with refused("AccessDeniedException", 403, "s3:GetObject"):
        ask(served, source, "900.", runtime=with_key(served.server, key, "bedrock-agent-runtime"))
    with refused("ValidationException", 400, "does not exist"):
        ask(served, {"sourceType": "S3", "s3Location": {"uri": "s3://papers/none.txt"}}, "900.")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (content(b" ", "text/plain"), "cannot be used"),
        (content(b"%PDF-1.7 broken", "application/pdf"), "cannot be used"),
        (content(b"GIF89a", "image/gif"), "type is not supported"),
        (content(b"x") | {"sourceType": "S3"}, "must have s3Location"),
    ],
    ids=["blank", "broken", "unknown", "wrong-member"],
)  # fmt: skip
def test_documents_that_cannot_be_used(served: Served, source: dict[str, Any], words: str) -> None:
    """A ValidationException says why, and no model is asked."""
    with refused("ValidationException", 400, words):
        ask(served, source, "900.")
    assert served.up.requests == []
