"""The OpenAI SDK, unmodified, at the doors for embeddings and images: any model of the kind."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.acceptance.door_keys import short_term
from tests.fakes import embedders, scripts
from tests.fakes.upstream import FakeUpstream, Request
from tests.running import Running, model_config

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"
CANVAS, SDXL = "amazon.nova-canvas-v1:0", "stability.sd3-5-large-v1:0"
CHAT = "craton.chat-mini-v1:0"


def png(width: int = 16, height: int = 16, alpha: int = 255) -> bytes:
    """A picture of one colour, with this opacity."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes((200, 30, 30, alpha)) * width
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PICTURE = base64.b64encode(png()).decode()


def natural(request: Request) -> scripts.Script:
    """Embeddings as their vendors have them; a picture for whoever asks for some."""
    if "/images/" in request.path:
        return scripts.reply({"created": 1700000000, "data": [{"b64_json": PICTURE}]})
    return embedders.natural(request)


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=natural) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(up: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    tables = [
        model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small"),
        model_config(COHERE, "cohere", up.base_url, model="embed-v4.0"),
        model_config(CANVAS, "openai", up.openai_url, model="gpt-image-1"),
    ]
    with Running(tmp_path_factory.mktemp("home"), "".join(tables)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url + "/openai/v1", api_key=short_term(), max_retries=0) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _fresh(up: FakeUpstream) -> None:
    up.scripts.clear()
    up.requests.clear()


# --- embeddings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [TITAN, COHERE], ids=["openai", "cohere"])
def test_texts_become_vectors(client: openai.OpenAI, model: str) -> None:
    """One per text, in order, of the length asked for; the SDK asks for base64 by itself."""
    texts = ["the cat sat", "stocks fell"]
    reply = client.embeddings.create(model=model, input=texts, dimensions=256, user="u-1")
    assert (reply.object, reply.model) == ("list", model)
    assert [one.index for one in reply.data] == [0, 1]
    assert all(len(one.embedding) == 256 for one in reply.data)
    assert reply.usage.prompt_tokens == 5
    numbers = client.embeddings.create(model=model, input=texts[0], dimensions=256, encoding_format="float")
    assert numbers.data[0].embedding == pytest.approx(reply.data[0].embedding, abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"input": [1, 2, 3]}, openai.BadRequestError, "token ids"),
        ({"input": [[1], [2]]}, openai.BadRequestError, "token ids"),
        ({"input": ""}, openai.BadRequestError, "not empty"),
        ({"input": []}, openai.BadRequestError, "input"),
        ({"dimensions": 0}, openai.BadRequestError, "dimensions"),
        ({"model": CHAT}, openai.BadRequestError, "not an embedding model"),
        ({"model": "gpt-nope"}, openai.NotFoundError, "does not exist"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_requests_for_vectors(
    client: openai.OpenAI, asked: dict[str, Any], kind: type[openai.APIStatusError], message: str
) -> None:
    """Named in OpenAI's shape."""
    with pytest.raises(kind, match=message):
        client.embeddings.create(**{"model": TITAN, "input": "x", **asked})


def test_an_upstreams_failure_is_openais(client: openai.OpenAI, up: FakeUpstream) -> None:
    """Its class is the SDK's own."""
    up.play(scripts.error_openai(429, {"retry-after": "0"}))
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model=TITAN, input="x")


# --- images ----------------------------------------------------------------------------------------------------------


def test_a_picture_is_made(client: openai.OpenAI, up: FakeUpstream) -> None:
    """As base64, or as a data URL where a URL is asked for."""
    reply = client.images.generate(model=CANVAS, prompt="A cat", size="1024x1024", n=1, quality="high")
    assert reply.data
    assert reply.data[0].b64_json == PICTURE
    sent = up.requests[-1].json
    assert (sent["prompt"], sent["size"], sent["quality"]) == ("A cat", "1024x1024", "high")
    shown = client.images.generate(model=CANVAS, prompt="A cat", response_format="url")
    assert shown.data
    assert shown.data[0].url == f"data:image/png;base64,{PICTURE}"


def test_a_picture_is_edited(client: openai.OpenAI, up: FakeUpstream) -> None:
    """The form's files reach the target; the mask is what is transparent."""
    reply = client.images.edit(
        model=CANVAS, image=("cat.png", png()), mask=("mask.png", png(alpha=0)), prompt="A hat", n=1
    )
    assert reply.data
    assert reply.data[0].b64_json == PICTURE
    sent = up.requests[-1]
    assert sent.path == "/v1/images/edits"
    assert b"A hat" in sent.body
    assert b'name="mask"' in sent.body


def test_the_picture_model_in_the_box_paints(client: openai.OpenAI) -> None:
    """A stand-in for every image model of the catalog, of the size and the seed asked for."""
    asked: Any = {"model": SDXL, "prompt": "A red sky", "size": "256x128", "extra_body": {"seed": 7}}
    first, again = client.images.generate(**asked), client.images.generate(**asked)
    assert first.data
    assert again.data
    assert first.data[0].b64_json == again.data[0].b64_json
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(first.data[0].b64_json or ""))) as picture:
        assert picture.size == (256, 128)


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"prompt": ""}, openai.BadRequestError, "prompt"),
        ({"size": "big"}, openai.BadRequestError, "size"),
        ({"n": 11}, openai.BadRequestError, "'n'"),
        ({"stream": True}, openai.BadRequestError, "not streamed"),
        ({"model": CHAT}, openai.BadRequestError, "not an image model"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_requests_for_pictures(
    client: openai.OpenAI, up: FakeUpstream, asked: dict[str, Any], kind: type[openai.APIStatusError], message: str
) -> None:
    """Named in OpenAI's shape, before any upstream is asked."""
    with pytest.raises(kind, match=message):
        client.images.generate(**{"model": CANVAS, "prompt": "A cat", **asked})
    assert not up.requests


def test_a_form_that_is_none_is_refused(client: openai.OpenAI) -> None:
    """JSON where a form is demanded."""
    with pytest.raises(openai.BadRequestError, match="form"):
        client.post("/images/edits", body={"model": CANVAS, "prompt": "x"}, cast_to=object)


def test_the_list_has_models_of_every_kind(client: openai.OpenAI) -> None:
    """Those of embeddings and pictures that somebody answers, too."""
    ids = {model.id for model in client.models.list()}
    assert {TITAN, COHERE, CANVAS, CHAT} <= ids
