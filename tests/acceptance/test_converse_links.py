"""Media in a conversation that are named by their place in S3: fetched with the caller's own rights."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.identities import allow, document, models, refused, user_key, with_key
from tests.acceptance.serving import CLAUDE, NOVA, Served, routes
from tests.fakes import files
from tests.fakes.upstream import FakeUpstream
from tests.running import Running

BUCKET = "media"
PICTURE = files.png(8, 8)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with FakeUpstream() as up, Running(tmp_path_factory.mktemp("home"), routes(up)) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="a/b.png", Body=PICTURE)
        s3.put_object(Bucket=BUCKET, Key="notes.txt", Body=b"The secret word is plum.")
        s3.put_object(Bucket=BUCKET, Key="no.png", Body=files.jpeg(8, 8))
        yield Served(server, up)


def linked(key: str, kind: str = "image", form: str = "png", **more: Any) -> list[dict[str, Any]]:
    block = {"format": form, "source": {"s3Location": {"uri": f"s3://{BUCKET}/{key}"}}, **more}
    return [{"role": "user", "content": [{"text": "What is it?"}, {kind: block}]}]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_linked_picture_reaches_the_model_as_bytes(served: Served, streaming: bool) -> None:
    """A vendor that knows no S3 gets the picture itself, streamed or not."""
    if streaming:
        for _ in served.client().converse_stream(modelId=NOVA, messages=linked("a/b.png"))["stream"]:
            pass
    else:
        served.client().converse(modelId=NOVA, messages=linked("a/b.png"))
    assert base64.b64encode(PICTURE).decode() in served.up.requests[-1].body.decode()


def test_a_linked_document_reaches_the_model_as_text(served: Served) -> None:
    """For a vendor without documents it is turned to text, like one whose bytes were sent."""
    served.client().converse(modelId=NOVA, messages=linked("notes.txt", "document", "txt", name="notes"))
    assert b"plum" in served.up.requests[-1].body


@pytest.mark.parametrize(
    ("key", "words"), [("none.png", "s3://media/none.png cannot be read"), ("no.png", "appears to be a image/jpeg")]
)
def test_what_a_link_leads_to_is_judged(served: Served, key: str, words: str) -> None:
    """An object that is not there, and one that is no picture, are errors that name the place."""
    with refused("ValidationException", 400, words):
        served.client().converse(modelId=NOVA, messages=linked(key))


def test_a_family_without_links_refuses_them(served: Served) -> None:
    """Bedrock takes S3 places for some families alone."""
    with refused("ValidationException", 400, "s3Location"):
        served.client().converse(modelId=CLAUDE, messages=linked("a/b.png"))


def test_the_callers_own_rights_to_the_object_count(served: Served) -> None:
    """Who may call the model but not read the object is refused, by S3's action."""
    key = user_key(served.server, "links", document(allow("bedrock:InvokeModel", models(NOVA))))
    with refused("AccessDeniedException", 403, "s3:GetObject"):
        with_key(served.server, key, "bedrock-runtime").converse(modelId=NOVA, messages=linked("a/b.png"))
