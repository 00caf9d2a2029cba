"""Schemas of embeddings: bodies that come in, bodies that go out, replies both ways, and what is refused."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Encoding, Item, Media, quantized
from craton.models.catalog.rows import load
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.embeddings.all import SCHEMAS, embed_dialect
from craton.models.dialects.embeddings.dialect import EmbedDialect

PNG = "iVBORw0KGgo="
URI = f"data:image/png;base64,{PNG}"
# A minimal body of a text for each schema, and how long its vectors are unless another length is asked for.
MINIMAL: dict[str, tuple[dict[str, Any], int | None]] = {
    "amazon.titan-embed-text": ({"inputText": "Hello"}, 1536),
    "amazon.titan-embed-text-v2": ({"inputText": "Hello"}, 1024),
    "amazon.titan-embed-image": ({"inputText": "Hello"}, 1024),
    "amazon.nova-embed": (
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "GENERIC_INDEX",
                "text": {"truncationMode": "END", "value": "Hello"},
            },
        },
        3072,
    ),
    "cohere.embed": ({"texts": ["Hello"], "input_type": "search_document"}, 1024),
    "cohere.embed-v4": ({"texts": ["Hello"], "input_type": "search_document"}, 1536),
    "twelvelabs.marengo": ({"inputType": "text", "inputText": "Hello"}, 1024),
    "twelvelabs.marengo-3": ({"inputType": "text", "text": {"inputText": "Hello"}}, 512),
    "cohere.embed-api": ({"texts": ["Hello"], "input_type": "search_document", "model": "m"}, None),
    "openai.embeddings": ({"input": "Hello", "model": "m"}, None),
    "google.gemini-embed": ({"requests": [{"content": {"parts": [{"text": "Hello"}]}}]}, None),
}


def named(name: str) -> EmbedDialect:
    found = embed_dialect(name)
    assert found is not None
    return found


def read(name: str, body: dict[str, Any]) -> EmbedRequest:
    return named(name).read_request(json.dumps(body).encode())


def written(name: str, request: EmbedRequest, ledger: Ledger | None = None, **quirks: object) -> dict[str, Any]:
    out = Outgoing(str(quirks.pop("model", "up")), stream=False, ledger=ledger or Ledger(), quirks=quirks)
    body: dict[str, Any] = json.loads(named(name).write_request(request, out))
    return body


def refusal(name: str, body: dict[str, Any]) -> str:
    with pytest.raises(Fault) as caught:
        read(name, body)
    assert caught.value.name == "ValidationException"
    return caught.value.message


def answered(name: str, request: EmbedRequest) -> dict[str, Any]:
    """The native reply to vectors of four dimensions."""
    vector = [0.5, -0.5, 0.5, -0.5]
    encodings: tuple[Encoding, ...] = (*request.encodings, "float")
    vectors = {one: [quantized(vector, one)] * len(request.items) for one in encodings}
    native: dict[str, Any] = json.loads(named(name).write_reply(EmbedReply(vectors=vectors, input_tokens=3), request))
    return native


def test_every_embedding_model_of_the_catalog_has_a_schema() -> None:
    """The catalog's name of the schema is in the table."""
    models = [model for model in load().models() if model.family == "embedding"]
    assert len(models) == 14
    assert {model.dialect for model in models} <= set(SCHEMAS)


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_a_minimal_body_is_read_and_answered(name: str) -> None:
    """One text, the schema's own length, and a reply that its own reader understands."""
    body, dimensions = MINIMAL[name]
    dialect, request = named(name), read(name, body)
    assert dialect.name == name
    assert request.texts() == ["Hello"]
    assert request.dimensions == dimensions
    reply = EmbedReply(vectors={"float": [[0.6, 0.8]]}, input_tokens=3)
    again = dialect.read_reply(dialect.write_reply(reply, request))
    assert again.vectors["float"][0] == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_a_request_is_written_and_read_again(name: str) -> None:
    """In its own schema nothing is lost."""
    ledger, request = Ledger(), read(name, MINIMAL[name][0])
    again = read(name, written(name, request, ledger))
    assert again.items == request.items
    assert (again.purpose, again.dimensions, again.truncate) == (request.purpose, request.dimensions, request.truncate)
    assert ledger.dropped == []


@pytest.mark.parametrize("name", list(SCHEMAS))
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"nonsense": 1}'])
def test_rubbish_is_refused(name: str, body: bytes) -> None:
    """In Bedrock's words."""
    with pytest.raises(Fault, match="Malformed input request"):
        named(name).read_request(body)


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"amazon.titan-embed-text", "amazon.titan-embed-text-v2"}))
def test_an_unreadable_reply_is_the_models_error(name: str) -> None:
    """Not the caller's. (Titan's text schemas read what there is; the provider refuses a reply without a vector.)"""
    with pytest.raises(Fault) as caught:
        named(name).read_reply(b'{"surprise": true}')
    assert caught.value.name == "ModelErrorException"


# --- Titan -----------------------------------------------------------------------------------------------------------


def test_titan_v1_has_no_parameters() -> None:
    """As on Bedrock."""
    text = refusal("amazon.titan-embed-text", {"inputText": "x", "dimensions": 256})
    assert "#: extraneous key [dimensions] is not permitted" in text


def test_titan_v1_bounds_its_text() -> None:
    """50,000 characters."""
    text = refusal("amazon.titan-embed-text", {"inputText": "x" * 52_611})
    assert "expected maxLength: 50000, actual: 52611" in text


def test_titan_v2_reads_its_parameters() -> None:
    """Dimensions, normalisation, types."""
    body = {"inputText": "x", "dimensions": 256, "normalize": False, "embeddingTypes": ["binary"]}
    request = read("amazon.titan-embed-text-v2", body)
    assert (request.dimensions, request.normalize, request.encodings) == (256, False, ("bits",))
    assert "384 is not a valid enum value" in refusal(
        "amazon.titan-embed-text-v2", {"inputText": "x", "dimensions": "384"}
    )


def test_titan_v2_answers_by_type() -> None:
    """`embeddingsByType` always, `embedding` only with floats."""
    both = read("amazon.titan-embed-text-v2", {"inputText": "x", "embeddingTypes": ["float", "binary"]})
    native = answered("amazon.titan-embed-text-v2", both)
    assert native["embeddingsByType"]["binary"] == [1, 0, 1, 0]
    assert native["embedding"] == native["embeddingsByType"]["float"]
    assert native["inputTextTokenCount"] == 3
    binary = read("amazon.titan-embed-text-v2", {"inputText": "x", "embeddingTypes": ["binary"]})
    assert "embedding" not in answered("amazon.titan-embed-text-v2", binary)


def test_titan_image_takes_text_picture_or_both() -> None:
    """But not neither."""
    both = read("amazon.titan-embed-image", {"inputText": "cat", "inputImage": PNG})
    assert both.items == [Item("cat", (Media("image", data=PNG),))]
    assert written("amazon.titan-embed-image", both)["inputImage"] == PNG
    assert "[inputText] or [inputImage]" in refusal("amazon.titan-embed-image", {})
    sized = read("amazon.titan-embed-image", {"inputImage": PNG, "embeddingConfig": {"outputEmbeddingLength": 384}})
    assert sized.dimensions == 384


# --- Cohere ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cohere.embed", "cohere.embed-v4"])
def test_cohere_needs_its_input_type(name: str) -> None:
    """As on Bedrock."""
    assert "#: required key [input_type] not found" in refusal(name, {"texts": ["x"]})


def test_cohere_takes_texts_or_images() -> None:
    """Exactly one of them."""
    both = {"texts": ["x"], "images": [URI], "input_type": "image"}
    assert "2 subschemas matched instead of one" in refusal("cohere.embed", both)
    assert "0 subschemas matched" in refusal("cohere.embed", {"input_type": "search_query"})
    request = read("cohere.embed", {"images": [URI], "input_type": "image"})
    assert request.items == [Item(media=(Media("image", "png", PNG),))]


def test_cohere_bounds_texts() -> None:
    """96 of them, 2,048 characters each, in version 3."""
    many = {"texts": ["x"] * 97, "input_type": "search_query"}
    assert "expected maximum item count: 96, found: 97" in refusal("cohere.embed", many)
    long = {"texts": ["x" * 2049], "input_type": "search_query"}
    assert "#/texts/0: expected maxLength: 2048, actual: 2049" in refusal("cohere.embed", long)
    assert read("cohere.embed-v4", long).texts()


def test_cohere_answers_floats_or_by_type() -> None:
    """By type as soon as the caller names one."""
    plain = read("cohere.embed", {"texts": ["x"], "input_type": "search_query"})
    native = answered("cohere.embed", plain)
    assert native["response_type"] == "embeddings_floats"
    assert native["embeddings"] == [[0.5, -0.5, 0.5, -0.5]]
    assert native["texts"] == ["x"]
    for types in (["float"], ["int8", "ubinary"]):
        typed = read("cohere.embed", {"texts": ["x"], "input_type": "search_query", "embedding_types": types})
        native = answered("cohere.embed", typed)
        assert native["response_type"] == "embeddings_by_type"
        assert list(native["embeddings"]) == types


def test_cohere_v4_mixes_text_and_pictures() -> None:
    """`inputs` hold both, and go out as they came."""
    content = [{"type": "text", "text": "a cat"}, {"type": "image_url", "image_url": {"url": URI}}]
    body = {"inputs": [{"content": content}], "input_type": "search_document", "output_dimension": 256}
    request = read("cohere.embed-v4", body)
    assert request.items == [Item("a cat", (Media("image", "png", PNG),))]
    assert request.dimensions == 256
    assert written("cohere.embed-v4", request)["inputs"] == [{"content": content}]


def test_cohere_says_where_to_cut_in_its_own_words() -> None:
    """LEFT and RIGHT on Bedrock's version 4, START and END elsewhere."""
    body = {"texts": ["x"], "input_type": "clustering", "truncate": "LEFT"}
    request = read("cohere.embed-v4", body)
    assert written("cohere.embed-v4", request)["truncate"] == "LEFT"
    assert written("cohere.embed-api", request)["truncate"] == "START"


def test_cohere_of_the_vendor_shortens_only_where_it_can() -> None:
    """Version 4 is asked for the length; of version 3 floats are asked, to work on."""
    request = read(
        "cohere.embed-v4",
        {"texts": ["x"], "input_type": "search_query", "output_dimension": 512, "embedding_types": ["int8"]},
    )
    able = written("cohere.embed-api", request, model="embed-v4.0")
    assert (able["output_dimension"], able["embedding_types"]) == (512, ["int8"])
    unable = written("cohere.embed-api", request, model="embed-english-v3.0")
    assert ("output_dimension" in unable, unable["embedding_types"]) == (False, ["float"])


# --- Nova, Marengo -----------------------------------------------------------------------------------------------------


def nova(**params: Any) -> dict[str, Any]:
    given = {"embeddingPurpose": "GENERIC_INDEX", **params}
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": given}


def test_nova_takes_one_thing() -> None:
    """A text, or one kind of file; its reply says which it was."""
    image = {"format": "png", "source": {"bytes": PNG}}
    request = read("amazon.nova-embed", nova(image=image, embeddingDimension=256))
    assert request.items == [Item(media=(Media("image", "png", PNG),))]
    assert answered("amazon.nova-embed", request)["embeddings"][0]["embeddingType"] == "IMAGE"
    assert written("amazon.nova-embed", request)["singleEmbeddingParams"]["image"] == image
    text = {"truncationMode": "END", "value": "x"}
    assert "exactly one of" in refusal("amazon.nova-embed", nova(image=image, text=text))
    assert "exactly one of" in refusal("amazon.nova-embed", nova())


def test_nova_segments_only_asynchronously() -> None:
    """InvokeModel has no such task."""
    assert "StartAsyncInvoke" in refusal("amazon.nova-embed", {"taskType": "SEGMENTED_EMBEDDING"})


def test_nova_purposes_become_cohere_input_types() -> None:
    """What is indexed is a document, what is retrieved by a query."""
    text = {"truncationMode": "NONE", "value": "x"}
    index = read("amazon.nova-embed", nova(text=text))
    query = read("amazon.nova-embed", nova(text=text, embeddingPurpose="TEXT_RETRIEVAL"))
    assert written("cohere.embed-api", index)["input_type"] == "search_document"
    assert written("cohere.embed-api", query)["input_type"] == "search_query"
    assert written("cohere.embed-api", query)["truncate"] == "NONE"


@pytest.mark.parametrize("name", ["twelvelabs.marengo", "twelvelabs.marengo-3"])
def test_marengo_takes_sound_and_film_only_asynchronously(name: str) -> None:
    """InvokeModel takes text and pictures."""
    assert "StartAsyncInvoke" in refusal(name, {"inputType": "video"})


def test_marengo_3_takes_a_text_with_a_picture() -> None:
    """As one vector."""
    both = {"inputText": "a cat", "mediaSource": {"base64String": PNG}}
    request = read("twelvelabs.marengo-3", {"inputType": "text_image", "text_image": both})
    assert request.items == [Item("a cat", (Media("image", data=PNG),))]
    assert written("twelvelabs.marengo-3", request)["text_image"] == both


# --- from one schema to another ----------------------------------------------------------------------------------------


def test_openai_has_no_input_type() -> None:
    """It is named as dropped; in strict translation refused; a prompt of the model's own emulates it."""
    request = read("cohere.embed", {"texts": ["x"], "input_type": "search_query", "truncate": "END"})
    ledger = Ledger()
    body = written("openai.embeddings", request, ledger)
    assert body == {"model": "up", "input": ["x"], "encoding_format": "float"}
    assert ledger.dropped == ["input_type", "truncate"]
    with pytest.raises(Fault, match="cannot carry input_type"):
        written("openai.embeddings", request, Ledger(strict=True))
    told = Ledger()
    prompted = written("openai.embeddings", request, told, prompts={"query": "query: "}, truncates="end")
    assert prompted["input"] == ["query: x"]
    assert (told.dropped, told.emulated) == ([], ["input_type"])


def test_openai_is_asked_for_dimensions_where_it_can() -> None:
    """Its third generation, or a server that says so; Mistral has another word for it."""
    request = read("amazon.titan-embed-text-v2", {"inputText": "x", "dimensions": 256})
    assert "dimensions" not in written("openai.embeddings", request, model="bge-small")
    assert written("openai.embeddings", request, model="text-embedding-3-small")["dimensions"] == 256
    named_so = written("openai.embeddings", request, dimensions=True, dimensions_name="output_dimension")
    assert named_so["output_dimension"] == 256


def test_openai_is_asked_for_base64_where_it_packs() -> None:
    """Then its reply is read as the numbers are; what is no base64 of floats is a ModelErrorException."""
    request = read("openai.embeddings", {"input": ["x"], "model": "m"})
    assert written("openai.embeddings", request, packs=True)["encoding_format"] == "base64"
    told = {"data": [{"embedding": base64.b64encode(struct.pack("<2f", 0.5, -0.25)).decode(), "index": 0}]}
    assert named("openai.embeddings").read_reply(json.dumps(told).encode()).vectors == {"float": [[0.5, -0.25]]}
    for bad in ("QUJD", "é"):
        told["data"][0]["embedding"] = bad
        with pytest.raises(Fault):
            named("openai.embeddings").read_reply(json.dumps(told).encode())


def test_openai_answers_base64_where_asked() -> None:
    """As OpenAI's own clients ask by default."""
    request = read("openai.embeddings", {"input": ["x"], "model": "m", "encoding_format": "base64"})
    reply = EmbedReply(vectors={"float": [[0.5, -0.25]]}, input_tokens=1)
    native = json.loads(named("openai.embeddings").write_reply(reply, request))
    assert struct.unpack("<2f", base64.b64decode(native["data"][0]["embedding"])) == (0.5, -0.25)
    assert native["usage"] == {"prompt_tokens": 1, "total_tokens": 1}


def test_gemini_has_task_types() -> None:
    """Per text, beside the length."""
    request = read("cohere.embed", {"texts": ["a", "b"], "input_type": "classification"})
    body = written("google.gemini-embed", request, model="gemini-embedding-001")
    assert body["requests"][1] == {
        "model": "models/gemini-embedding-001",
        "taskType": "CLASSIFICATION",
        "outputDimensionality": 1024,
        "content": {"parts": [{"text": "b"}]},
    }


@pytest.mark.parametrize("name", ["openai.embeddings", "google.gemini-embed", "amazon.titan-embed-text-v2"])
def test_pictures_are_refused_where_there_is_no_place_for_them(name: str) -> None:
    """In lenient translation too: nothing would be left. Beside a text the picture is dropped by name."""
    alone = read("amazon.titan-embed-image", {"inputImage": PNG})
    with pytest.raises(Fault, match="cannot embed images"):
        written(name, alone)
    ledger = Ledger()
    written(name, read("amazon.titan-embed-image", {"inputText": "cat", "inputImage": PNG}), ledger)
    assert ledger.dropped == ["inputImage"]


def test_titan_asks_by_itself_for_what_it_can_make() -> None:
    """Floats to work on where the length, or the type, is not one of its own."""
    request = EmbedRequest(items=[Item("x")], dimensions=1536, encodings=("int8",))
    body = written("amazon.titan-embed-text-v2", request)
    assert body == {"inputText": "x", "embeddingTypes": ["float"]}
    own = written("amazon.titan-embed-text-v2", EmbedRequest(items=[Item("x")], dimensions=512, encodings=("bits",)))
    assert own == {"inputText": "x", "dimensions": 512, "embeddingTypes": ["binary"]}
