"""What vendors of embeddings and rankings answer, by path and body, in their documented formats.

Vectors are made of the words of a text, so texts that share words are near to each other: enough to rank by.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import Any

from tests.fakes import scripts
from tests.fakes.scripts import Script
from tests.fakes.upstream import Request

SIZE = 384


def vector(text: str, size: int = SIZE) -> list[float]:
    """A vector of length one: each word adds to one of its dimensions."""
    found = [0.0] * size
    for word in re.findall(r"\w+", text.lower()):
        found[zlib.crc32(word.encode()) % size] += 1.0
    length = math.sqrt(sum(x * x for x in found)) or 1.0
    return [x / length for x in found]


def tokens(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


def openai(body: dict[str, Any], size: int = SIZE) -> Script:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, body.get("dimensions", size))}
        for index, text in enumerate(texts)
    ]
    used = {"prompt_tokens": tokens(texts), "total_tokens": tokens(texts)}
    return scripts.reply({"object": "list", "data": data[::-1], "model": body.get("model"), "usage": used})


def cohere(body: dict[str, Any]) -> Script:
    texts = body.get("texts") or []
    count = len(texts or body.get("images") or body["inputs"])
    size = body.get("output_dimension", 1024)
    found: dict[str, Any] = {}
    for name in body["embedding_types"]:
        members = size // 8 if "binary" in name else size
        found[name] = (
            [vector(text, size) for text in texts or ["x"] * count] if name == "float" else [[7] * members] * count
        )
    images = [{"width": 2, "height": 2, "format": "png", "bit_depth": 8}] * len(body.get("images") or [])
    value = {
        "id": "e-1",
        "embeddings": found,
        "texts": texts,
        "meta": {"billed_units": {"input_tokens": tokens(texts)}},
    }
    return scripts.reply({**value, "images": images} if images else value)


def ranking(body: dict[str, Any], **members: Any) -> Script:
    """Scores by the words that a document shares with the query."""
    asked = set(re.findall(r"\w+", body["query"].lower()))
    texts = [document if isinstance(document, str) else json.dumps(document) for document in body["documents"]]
    scores = [len(asked & set(re.findall(r"\w+", text.lower()))) / len(asked) for text in texts]
    order = sorted(range(len(texts)), key=lambda place: -scores[place])[: body.get("top_n")]
    return scripts.reply({"results": [{"index": at, "relevance_score": scores[at]} for at in order], **members})


def gemini(body: dict[str, Any]) -> Script:
    found = [
        {"values": [3 * x for x in vector(one["content"]["parts"][0]["text"], one.get("outputDimensionality", 3072))]}
        for one in body["requests"]
    ]
    return scripts.reply({"embeddings": found})


def titan(body: dict[str, Any]) -> Script:
    text = body.get("inputText", "picture")
    found = vector(text, body.get("dimensions", 1024))
    value = {"embedding": found, "embeddingsByType": {"float": found}, "inputTextTokenCount": tokens([text])}
    return scripts.reply(value, headers={"x-amzn-bedrock-input-token-count": str(tokens([text]))})


def natural(request: Request) -> Script:
    """The answer by path and body."""
    path = request.path
    if path == "/ping":
        return scripts.reply({})
    body = request.json
    if path.endswith(":countTokens"):
        return scripts.reply({"totalTokens": 42})
    if path.endswith(":batchEmbedContents"):
        return gemini(body)
    if path.endswith("/v2/embed"):
        return cohere(body)
    if path.endswith("/v2/rerank"):
        return ranking(body, id="r-1", meta={"billed_units": {"search_units": 1}})
    if path.endswith("/embeddings"):
        return openai(body)
    if path.endswith("/rerank"):
        return ranking(body, usage={"total_tokens": 9})
    if path.endswith(("/invoke", "/invocations")):
        return special(body)
    return scripts.reply({"message": f"no such path: {path}"}, 404)


def special(body: dict[str, Any]) -> Script:
    """InvokeModel or a container: the body tells which schema it is."""
    if "query" in body:
        return ranking(body)
    if "input" in body:
        return openai(body)
    return cohere({"embedding_types": ["float"], **body}) if "input_type" in body else titan(body)
