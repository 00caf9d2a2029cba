"""The embedding, picture and ranking models of a fresh machine with what nobody expects: an error of Bedrock's, or a usual answer."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.running import Running

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"
PICTURES, SDXL = "amazon.titan-image-generator-v2:0", "stability.stable-diffusion-xl-v1"
RERANK = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
STRANGE = {
    "blanks": "   ",
    "a NUL": "a\0b",
    "control characters": "".join(map(chr, range(1, 32))),
    "another script": "日本語のテキスト",
    "right to left": "\u202eabc שלום",
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦" * 20,
    "stacked accents": "Z\u0334\u0321\u034ea" * 100,
    "one long word": "a" * 500,
}
HALF = '"\\ud800 x"'
"""Half of a character, as JSON can write it and no text can hold it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home")) as running:
        yield running


def invoked(server: Running, model: str, body: dict[str, Any] | str) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = server.client("bedrock-runtime").invoke_model(modelId=model, body=text)
    told: dict[str, Any] = json.loads(answer["body"].read())
    return told


def picture(text: str, **more: Any) -> dict[str, Any]:
    size = {"width": 512, "height": 512, "seed": 1}
    return {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}, "imageGenerationConfig": {**size, **more}}


def ranked(server: Running, question: str, documents: list[str]) -> list[tuple[int, float]]:
    sources = [
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": one}}} for one in documents
    ]
    model = {"modelConfiguration": {"modelArn": RERANK}}
    answer = server.client("bedrock-agent-runtime").rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": question}}], sources=sources,
        rerankingConfiguration={"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": model},
    )  # fmt: skip
    return [(one["index"], one["relevanceScore"]) for one in answer["results"]]


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE.keys())
def test_strange_texts_have_a_vector_a_picture_and_a_rank(server: Running, text: str) -> None:
    """A vector of length one, a picture of the size that was asked for, scores from 0 to 1 with the better text first."""
    vector = invoked(server, TITAN, {"inputText": text})["embedding"]
    assert math.isclose(sum(one * one for one in vector), 1.0, abs_tol=1e-3)
    (made,) = invoked(server, PICTURES, picture(text[:512]))["images"]
    assert Image.open(io.BytesIO(base64.b64decode(made))).size == (512, 512)
    (first, best), (_, second) = ranked(server, "cat", [text, "a cat"])
    assert first == 1
    assert 0 <= second < best <= 1


@pytest.mark.parametrize(
    ("model", "body", "told"),
    [
        (TITAN, {"inputText": ""}, "#/inputText: expected minLength: 1, actual: 0"),
        (TITAN, {"inputText": "hello " * 10_000}, "#/inputText: expected maxLength: 50000, actual: 60000"),
        (TITAN, {"inputText": "x", "dimensions": 7}, "#/dimensions"),
        (TITAN, f'{{"inputText": {HALF}}}', "Malformed input request"),
        (COHERE, {"texts": ["hello " * 10_000], "input_type": "search_query"}, "#/texts/0: expected maxLength: 2048"),
        (COHERE, {"texts": ["a"] * 97, "input_type": "search_query"}, "#/texts: expected maximum item count: 96"),
        (COHERE, {"texts": [], "input_type": "search_query"}, "#/texts: expected minimum item count: 1"),
        (COHERE, {"texts": ["hello " * 300], "input_type": "search_query", "truncate": "NONE"}, "more than"),
        (PICTURES, picture(""), "#/textToImageParams/text: expected minLength: 1"),
        (PICTURES, picture("hello " * 10_000), "#/textToImageParams/text: expected maxLength: 512"),
        (PICTURES, picture("a circle", width=100), "100x512 is not a permitted combination"),
        (PICTURES, picture("a circle", numberOfImages=6), "#/imageGenerationConfig/numberOfImages"),
        (PICTURES, picture("a circle", seed=-1), "#/imageGenerationConfig/seed"),
        (PICTURES, json.dumps(picture("@")).replace('"@"', HALF), "Malformed input request"),
        (SDXL, {"text_prompts": [{"text": "hello " * 10_000}]}, "#/text_prompts/0/text: expected maxLength: 2000"),
        (
            PICTURES,
            {"taskType": "IMAGE_VARIATION", "imageVariationParams": {"images": ["!!!!"], "text": "a circle"}},
            "Invalid base64",
        ),
        (
            PICTURES,
            {"taskType": "IMAGE_VARIATION", "imageVariationParams": {"images": ["aGVsbG8="], "text": "a circle"}},
            "#/imageVariationParams/images/0",
        ),
    ],
)
def test_bodies_that_are_refused(server: Running, model: str, body: dict[str, Any] | str, told: str) -> None:
    """A ValidationException that says where and what, and the next request is answered."""
    with pytest.raises(ClientError) as caught:
        invoked(server, model, body)
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("ValidationException", 400)
    assert told in error["Error"]["Message"]
    assert invoked(server, TITAN, {"inputText": "hello"})["inputTextTokenCount"] == 3


def test_too_much_to_rank_is_refused(server: Running) -> None:
    """A thousand documents are ranked, like ones in the order in which they came; one more is too many, and so are long texts."""
    same = ranked(server, "cat", ["a dog"] * 1000)
    assert [at for at, _ in same] == list(range(len(same)))
    assert len({score for _, score in same}) == 1
    for question, documents in (("cat", ["a"] * 1001), ("cat " * 10_000, ["a"]), ("cat", ["cat " * 10_000])):
        with pytest.raises(ClientError, match="length less than or equal to") as caught:
            ranked(server, question, documents)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
