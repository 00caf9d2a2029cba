"""What is said of embeddings, rankings and pictures: a body for each schema and feature, and what must come of it.

A cell's `sent` are the words of which one must reach the vendor, as `name=value` of any depth; `words` those by which
the ledger or a refusal may name what did not. Sources: reference invoke-bodies.md and invoke-bodies-media.md, the
vendors' API references.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.painters import PICTURE
from tests.unit.dialects.image_bodies import MASK
from tests.unit.dialects.image_bodies import PICTURE as GIVEN

Json = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """One body. `size`: how long the vectors must be, or how many pictures or results must come."""

    body: Json
    sent: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Row:
    """One schema, or a door (`path`). `size`: the length of its vectors where none is asked for."""

    name: str
    says: dict[str, Said]
    told: Callable[[Json, int], str]
    path: str = ""
    size: int = 0
    model: str = ""


FIRST, SECOND = "a grebe on the reed", "two coots quarrel"
_BOTH = ((f"={FIRST}",), (f"={SECOND}",))
_ONE = ((f"={FIRST}",),)
_PIXELS = f"data:image/png;base64,{PICTURE}"
_SIZES = ("dimension", "length", "size")
_PURPOSE = ("=search_query", "=RETRIEVAL_QUERY", "=GENERIC_RETRIEVAL", "=TEXT_RETRIEVAL", "=query")
_PURPOSES = ("input_type", "purpose", "task_type", "tasktype")


def _vectors(*path: str | int, each: str = "") -> Callable[[Json, int], str]:
    """Where the vectors stand in a reply; `each`: the member of each that is its vector."""

    def told(reply: Json, size: int) -> str:
        found: Any = reply
        for step in path:
            found = found[step]
        vectors = [one[each] for one in found] if each else found
        if not vectors or not isinstance(vectors[0], list):
            vectors = [vectors]
        lengths = {len(vector) for vector in vectors}
        return "" if lengths == {size} else f"vectors of {lengths} came, not of {size}"

    return told


# --- embeddings ------------------------------------------------------------------------------------------------------


def _titan(size_member: Json, size: int, body: Json | None = None) -> dict[str, Said]:
    said = {"text": Said({"inputText": FIRST}, _ONE, size=size)}
    if size_member:
        said["dimensions"] = Said({"inputText": FIRST, **size_member}, _ONE, _SIZES, 256)
    return {**said, **({"image": Said(body, ((PICTURE,),), ("image",), size)} if body else {})}


def _cohere(size: int, *, v4: bool) -> dict[str, Said]:
    body = {"texts": [FIRST, SECOND], "input_type": "search_document"}
    types = {"embedding_types": ["float"]}
    query = {"texts": [FIRST], "input_type": "search_query"}
    said = {
        "text": Said({**body, **types}, _BOTH, _PURPOSES, size),
        "purpose": Said({**query, **types}, (*_ONE, _PURPOSE), _PURPOSES, size),
        "image": Said({"images": [_PIXELS], "input_type": "image", **types}, ((PICTURE,),), ("image",), size),
    }
    if v4:
        said["dimensions"] = Said({**body, **types, "output_dimension": 256}, _BOTH, (*_SIZES, *_PURPOSES), 256)
    return said


def _nova(size: int = 3072, purpose: str = "GENERIC_INDEX", *, image: bool = False) -> Json:
    given: Json = {"embeddingPurpose": purpose, "embeddingDimension": size}
    given |= (
        {"image": {"format": "png", "source": {"bytes": PICTURE}}}
        if image
        else {"text": {"truncationMode": "END", "value": FIRST}}
    )
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": given,
    }


def _openai_embeddings(size: int) -> dict[str, Said]:
    return {
        "text": Said({"input": [FIRST, SECOND]}, _BOTH, size=size),
        "dimensions": Said({"input": [FIRST, SECOND], "dimensions": 256}, _BOTH, _SIZES, 256),
    }


def _gemini(text: str = FIRST, **more: Any) -> Json:
    return {"requests": [{"model": "models/x", "content": {"parts": [{"text": text}]}, **more}]}


_NOVA_WORDS = (*_PURPOSES, "truncat")
_COHERE_REPLY = _vectors("embeddings", "float")
EMBEDDINGS: tuple[Row, ...] = (
    Row(
        "OpenAI embeddings", _openai_embeddings(1536), _vectors("data", each="embedding"), "/openai/v1/embeddings", 1536
    ),
    Row("amazon.titan-embed-text", _titan({}, 1536), _vectors("embedding"), size=1536),
    Row("amazon.titan-embed-text-v2", _titan({"dimensions": 256}, 1024), _vectors("embedding"), size=1024),
    Row(
        "amazon.titan-embed-image",
        _titan({"embeddingConfig": {"outputEmbeddingLength": 256}}, 1024, {"inputImage": PICTURE}),
        _vectors("embedding"),
        size=1024,
    ),
    Row(
        "amazon.nova-embed",
        {
            "text": Said(_nova(), _ONE, _NOVA_WORDS, 3072),
            "dimensions": Said(_nova(256), _ONE, (*_SIZES, *_NOVA_WORDS), 256),
            "purpose": Said(_nova(purpose="TEXT_RETRIEVAL"), (*_ONE, _PURPOSE), _NOVA_WORDS, 3072),
            "image": Said(_nova(image=True), ((PICTURE,),), ("image",), 3072),
        },
        _vectors("embeddings", each="embedding"),
        size=3072,
    ),
    Row("cohere.embed", _cohere(1024, v4=False), _COHERE_REPLY, size=1024),
    Row("cohere.embed-v4", _cohere(1536, v4=True), _COHERE_REPLY, size=1536),
    Row(
        "twelvelabs.marengo",
        {"text": Said({"inputType": "text", "inputText": FIRST}, _ONE, ("truncat",), 1024)},
        _vectors("data", each="embedding"),
        size=1024,
    ),
    Row(
        "twelvelabs.marengo-3",
        {"text": Said({"inputType": "text", "text": {"inputText": FIRST}}, _ONE, ("truncat",), 512)},
        _vectors("data", each="embedding"),
        size=512,
    ),
    Row(
        "cohere.embed-api",
        {
            name: Said({**said.body, "model": "m"}, said.sent, said.words, said.size)
            for name, said in _cohere(1536, v4=True).items()
        },
        _COHERE_REPLY,
        size=1536,
    ),
    Row("openai.embeddings", _openai_embeddings(1536), _vectors("data", each="embedding"), size=1536),
    Row(
        "google.gemini-embed",
        {
            "text": Said(_gemini(), _ONE, size=3072),
            "dimensions": Said(_gemini(outputDimensionality=256), _ONE, _SIZES, 256),
            "purpose": Said(_gemini(taskType="RETRIEVAL_QUERY"), (*_ONE, _PURPOSE), _PURPOSES, 3072),
        },
        _vectors("embeddings", each="values"),
        size=3072,
    ),
)

# --- rankings --------------------------------------------------------------------------------------------------------

QUERY = "quarrel coots"
_ASKED = ((f"={QUERY}",), *_BOTH)


def _ranking(further: Json, *, objects: bool, limit: bool) -> dict[str, Said]:
    texts = {"query": QUERY, "documents": [FIRST, SECOND], **further}
    said = {
        "documents": Said(texts, _ASKED, size=2),
        "top_n": Said({**texts, "top_n": 1}, _ASKED, ("top_n",), 1),
    }
    if objects:
        given = [{"title": "reed", "text": FIRST}, {"title": "pond", "text": SECOND}]
        sent = ((f"={QUERY}",), (FIRST,), (SECOND,), ("pond",))
        said["objects"] = Said({**texts, "documents": given}, sent, ("document",), 2)
    if limit:
        words = ("max_tokens_per_doc",)
        said["limit"] = Said({**texts, "max_tokens_per_doc": 99}, (*_ASKED, ("max_tokens_per_doc=99",)), words, 2)
    return said


def _ranks(reply: Json, size: int) -> str:
    order = [result["index"] for result in reply["results"]]
    return "" if order == [1, 0][:size] and reply["results"][0]["relevance_score"] > 0 else f"the order came as {order}"


RANKINGS: tuple[Row, ...] = (
    Row("amazon.rerank", _ranking({}, objects=True, limit=False), _ranks),
    Row("cohere.rerank", _ranking({"api_version": 2}, objects=True, limit=True), _ranks),
    Row("cohere.rerank-api", _ranking({"model": "m"}, objects=False, limit=True), _ranks),
    Row("jina.rerank", _ranking({"model": "m"}, objects=False, limit=False), _ranks),
)

# --- pictures --------------------------------------------------------------------------------------------------------

PROMPT, AVOID = "a shrike on barbed wire", "no fog at all"
_PROMPT = ((PROMPT,),)
_SEED = (*_PROMPT, ("seed=4711",))
_AVOID = (*_PROMPT, (AVOID,))
_GIVEN = (*_PROMPT, (GIVEN,))


def _pictures(*path: str | int) -> Callable[[Json, int], str]:
    def told(reply: Json, size: int) -> str:
        found: Any = reply
        for step in path[:-1]:
            found = found[step]
        pictures = (
            [one[path[-1]] if isinstance(one, dict) else one for one in found[path[-1]]]
            if not isinstance(found, list)
            else [one[path[-1]] for one in found]
        )
        return "" if pictures == [PICTURE] * size else f"{len(pictures)} pictures came, not {size} of what was painted"

    return told


def _amazon(config: Json) -> dict[str, Said]:
    text = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": PROMPT}}
    sized = {**text, "imageGenerationConfig": config}
    avoiding = {**text, "textToImageParams": {"text": PROMPT, "negativeText": AVOID}}
    varied = {"images": [GIVEN], "text": PROMPT}
    painted = {"image": GIVEN, "text": PROMPT, "maskImage": MASK}
    return {
        "prompt": Said(text, _PROMPT, size=1),
        "negative": Said(avoiding, _AVOID, ("negativetext",), 1),
        "seed": Said({**text, "imageGenerationConfig": {"seed": 4711}}, _SEED, ("seed",), 1),
        "size": Said(sized, (*_PROMPT, ("512", "1:1")), ("width", "height", "size"), 1),
        "image": Said(
            {"taskType": "IMAGE_VARIATION", "imageVariationParams": varied}, _GIVEN, ("image", "variation"), 1
        ),
        "inpaint": Said(
            {"taskType": "INPAINTING", "inPaintingParams": painted}, (*_GIVEN, ("mask",)), ("mask", "inpaint"), 1
        ),
    }


_SDXL: Json = {"text_prompts": [{"text": PROMPT}]}
_AVOIDING: Json = {"text_prompts": [{"text": PROMPT, "weight": 1.0}, {"text": AVOID, "weight": -1.0}]}
_SD3: Json = {"prompt": PROMPT}
_OPENAI: Json = {"prompt": PROMPT, "n": 1}
IMAGES: tuple[Row, ...] = (
    Row(
        "OpenAI images",
        {
            "prompt": Said(_OPENAI, _PROMPT, size=1),
            "size": Said({**_OPENAI, "size": "1024x1024"}, (*_PROMPT, ("1024", "1:1")), ("size",), 1),
        },
        _pictures("data", "b64_json"),
        "/openai/v1/images/generations",
    ),
    Row(
        "stability.sdxl",
        {
            "prompt": Said(_SDXL, _PROMPT, size=1),
            "negative": Said(_AVOIDING, _AVOID, ("text_prompts",), 1),
            "seed": Said({**_SDXL, "seed": 4711}, _SEED, ("seed",), 1),
            "size": Said({**_SDXL, "width": 1152, "height": 896}, (*_PROMPT, ("1152", "5:4")), ("width", "height"), 1),
            "image": Said({**_SDXL, "init_image": GIVEN, "image_strength": 0.5}, _GIVEN, ("image",), 1),
            "inpaint": Said(
                {**_SDXL, "init_image": GIVEN, "mask_source": "MASK_IMAGE_WHITE", "mask_image": MASK},
                (*_GIVEN, ("mask",)),
                ("mask", "inpaint"),
                1,
            ),
        },
        _pictures("artifacts", "base64"),
    ),
    Row(
        "stability.image",
        {
            "prompt": Said(_SD3, _PROMPT, size=1),
            "negative": Said({**_SD3, "negative_prompt": AVOID}, _AVOID, ("negative",), 1),
            "seed": Said({**_SD3, "seed": 4711}, _SEED, ("seed",), 1),
            "size": Said(
                {**_SD3, "aspect_ratio": "3:2"},
                (*_PROMPT, ("3:2", "size=1216x832", "width=1216")),
                ("aspect_ratio",),
                1,
            ),
            "image": Said(
                {**_SD3, "mode": "image-to-image", "image": GIVEN, "strength": 0.5}, _GIVEN, ("image", "strength"), 1
            ),
        },
        _pictures("images"),
        model="stability.sd3-5-large-v1:0",
    ),
    Row(
        "stability.service",
        {
            "inpaint": Said(
                {"prompt": PROMPT, "image": GIVEN, "mask": MASK}, (*_GIVEN, ("mask",)), ("mask", "inpaint"), 1
            )
        },
        _pictures("images"),
        model="us.stability.stable-image-inpaint-v1:0",
    ),
    Row("amazon.titan-image", _amazon({"width": 512, "height": 512}), _pictures("images")),
    Row("amazon.nova-canvas", _amazon({"width": 512, "height": 512}), _pictures("images")),
    Row(
        "openai.images",
        {
            "prompt": Said(_OPENAI, _PROMPT, size=1),
            "size": Said({**_OPENAI, "size": "1024x1024"}, (*_PROMPT, ("1024", "1:1")), ("size",), 1),
        },
        _pictures("data", "b64_json"),
    ),
)


def flat(value: Any, name: str = "") -> str:
    """Every member of a JSON value as a line `name=value`."""
    if isinstance(value, dict):
        return "\n".join(flat(inner, key) for key, inner in value.items())
    if isinstance(value, list):
        return "\n".join(flat(inner, name) for inner in value)
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"
