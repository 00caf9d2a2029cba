"""What a vendor was sent, taken apart by the vendor's own documentation: each thing where that vendor looks for it.

One reader for each of the schemas that vendors speak. A member that the vendor does not know is kept in `unknown`, since
many refuse a request for one. Written by hand, and no dialect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Json = dict[str, Any]


@dataclass
class Seen:
    """`tools`: name → description and schema; `calls`: id, name, arguments; `results`: id and text. Pictures and files
    are in base64, as every vendor takes them; a document that is text stands in `documents` as it is. `schema`: of the answer.
    `knobs`: vendors' own fields by their meaning.
    """

    said: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    tools: dict[str, tuple[str, Json]] = field(default_factory=dict)
    forced: bool = False
    calls: list[tuple[str, str, Json]] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    schema: Json | None = None
    limits: tuple[Any, Any, Any] = (None, None, None)
    stream: bool = False
    knobs: Json = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def _data_of(url: str) -> str:
    """The base64 of a data URL."""
    head, _, data = url.partition(",")
    assert head.startswith("data:"), head
    assert head.endswith(";base64"), head
    return data


def _texts(content: str | list[Json] | None) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [_text(part) for part in content or () if "text" in part or "document" in part]


def _text(part: Json) -> str:
    """A part's text; Cohere has documents for what tools give."""
    return str(part["text"]) if "text" in part else json.dumps(part["document"])


def _schema(value: Any, *path: str) -> Json | None:
    """The schema of the answer at this path, None where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    found: Json | None = json.loads(value) if isinstance(value, str) else value
    return found


def _unknown(body: Json, known: str) -> list[str]:
    return [name for name in body if name not in known.split()]


def _knobs(value: Json, **names: str) -> Json:
    """What stands under the vendor's names, by its meaning."""
    return {meaning: value[name] for meaning, name in names.items() if name in value}


_CHAT = (
    "model messages stream stream_options max_tokens max_completion_tokens temperature top_p stop tools tool_choice "
    "response_format parallel_tool_calls"
)


def openai_chat(body: Json, **knobs: str) -> Seen:
    """`knobs`: the fields that a vendor of this schema has besides, by their meaning."""
    seen = Seen(stream=bool(body.get("stream")), unknown=_unknown(body, " ".join([_CHAT, *knobs.values()])))
    seen.knobs = _knobs(body, **knobs)
    for message in body["messages"]:
        role, content = message["role"], message.get("content")
        if role in ("system", "developer"):
            seen.system += _texts(content)
        elif role == "user":
            seen.said += _texts(content)
            _openai_media(content, seen)
        elif role == "tool":
            seen.results.append((message["tool_call_id"], "".join(_texts(content))))
        for call in message.get("tool_calls") or ():
            function = call["function"]
            seen.calls.append((call["id"], function["name"], json.loads(function["arguments"])))
    stop = body.get("stop") or []
    seen.stops = [stop] if isinstance(stop, str) else stop
    limit = body.get("max_tokens", body.get("max_completion_tokens"))
    seen.limits = (limit, body.get("temperature"), body.get("top_p"))
    _openai_tools(body, seen)
    seen.forced = body.get("tool_choice") in ("required", "any")
    seen.schema = _schema(body, "response_format", "json_schema", "schema")
    return seen


def _openai_tools(body: Json, seen: Seen) -> None:
    for tool in body.get("tools") or ():
        assert tool["type"] == "function"
        function = tool["function"]
        seen.tools[function["name"]] = (function.get("description", ""), function["parameters"])


def _openai_media(content: str | list[Json] | None, seen: Seen) -> None:
    for part in content if isinstance(content, list) else ():
        if part["type"] == "image_url":
            url = part["image_url"]
            seen.images.append(_data_of(url["url"] if isinstance(url, dict) else url))
        elif part["type"] == "file":
            seen.documents.append(_data_of(part["file"]["file_data"]))
        else:
            assert part["type"] == "text", part["type"]


_MESSAGES = (
    "model messages system max_tokens temperature top_p top_k stop_sequences stream tools tool_choice metadata "
    "output_config anthropic_version"
)


def anthropic(body: Json) -> Seen:
    assert body["max_tokens"] >= 1
    seen = Seen(stream=bool(body.get("stream")), unknown=_unknown(body, _MESSAGES))
    seen.system = _texts(body.get("system"))
    for message in body["messages"]:
        content = message["content"]
        seen.said += _texts(content) if message["role"] == "user" else []
        for block in content if isinstance(content, list) else ():
            _anthropic_block(block, seen)
    seen.stops = body.get("stop_sequences") or []
    seen.limits = (body["max_tokens"], body.get("temperature"), body.get("top_p"))
    for tool in body.get("tools") or ():
        seen.tools[tool["name"]] = (tool.get("description", ""), tool["input_schema"])
    seen.forced = (body.get("tool_choice") or {}).get("type") == "any"
    seen.schema = _schema(body, "output_config", "format", "schema")
    seen.knobs = _knobs(body, top_k="top_k")
    return seen


def _anthropic_block(block: Json, seen: Seen) -> None:
    kind = block["type"]
    if kind == "image":
        assert block["source"]["type"] == "base64"
        seen.images.append(block["source"]["data"])
    elif kind == "document":
        seen.documents.append(block["source"]["data"])
    elif kind == "tool_use":
        seen.calls.append((block["id"], block["name"], block["input"]))
    elif kind == "tool_result":
        seen.results.append((block["tool_use_id"], "".join(_texts(block["content"]))))
    else:
        assert kind == "text", kind


def converse(body: Json) -> Seen:
    known = "messages system inferenceConfig toolConfig outputConfig additionalModelRequestFields"
    fields = body.get("additionalModelRequestFields") or {}  # a Claude's
    seen = Seen(unknown=_unknown(body, known) + _unknown(fields, _MESSAGES), knobs=_knobs(fields, top_k="top_k"))
    seen.system = [block["text"] for block in body.get("system") or ()]
    for message in body["messages"]:
        for block in message["content"]:
            assert len(block) == 1
            _converse_block(block, seen, users=message["role"] == "user")
    config = body.get("inferenceConfig") or {}
    seen.stops = config.get("stopSequences") or []
    seen.limits = (config.get("maxTokens"), config.get("temperature"), config.get("topP"))
    tools = body.get("toolConfig") or {}
    for tool in tools.get("tools") or ():
        spec = tool["toolSpec"]
        seen.tools[spec["name"]] = (spec.get("description", ""), spec["inputSchema"]["json"])
    seen.forced = "any" in (tools.get("toolChoice") or {})
    seen.schema = _schema(body, "outputConfig", "textFormat", "structure", "jsonSchema", "schema")
    return seen


def _converse_block(block: Json, seen: Seen, *, users: bool) -> None:
    if "text" in block and users:
        seen.said.append(block["text"])
    elif "image" in block:
        seen.images.append(block["image"]["source"]["bytes"])
    elif "document" in block:
        seen.documents += [text for text in block["document"]["source"].values() if isinstance(text, str)]
    elif "toolUse" in block:
        use = block["toolUse"]
        seen.calls.append((use["toolUseId"], use["name"], use["input"]))
    elif "toolResult" in block:
        parts = block["toolResult"]["content"]
        text = "".join(part["text"] if "text" in part else json.dumps(part["json"]) for part in parts)
        seen.results.append((block["toolResult"]["toolUseId"], text))


_COHERE = (
    "model messages stream documents max_tokens temperature p k seed stop_sequences tools tool_choice response_format "
    "strict_tools"
)


def cohere_v2(body: Json) -> Seen:
    body = dict(body)
    documents, top_p = body.pop("documents", []), body.pop("p", None)
    unknown = _unknown(body, _COHERE)
    choice, stops = body.pop("tool_choice", None), body.pop("stop_sequences", [])
    seen = openai_chat(body, top_k="k", seed="seed")
    seen.unknown, seen.stops, seen.forced = unknown, stops, choice == "REQUIRED"
    seen.schema = _schema(body, "response_format", "json_schema")
    for document in documents:
        data = document if isinstance(document, str) else document["data"]
        seen.documents += [data] if isinstance(data, str) else [str(value) for value in data.values()]
    seen.limits = (body.get("max_tokens"), body.get("temperature"), top_p)
    return seen


_GEMINI = "contents systemInstruction generationConfig tools toolConfig safetySettings cachedContent"


def gemini(body: Json) -> Seen:
    seen = Seen(unknown=_unknown(body, _GEMINI))
    seen.system = _texts((body.get("systemInstruction") or {}).get("parts"))
    for content in body["contents"]:
        seen.said += _texts(content["parts"]) if content["role"] == "user" else []
        for part in content["parts"]:
            _gemini_part(part, seen)
    config = body.get("generationConfig") or {}
    seen.stops = config.get("stopSequences") or []
    seen.limits = (config.get("maxOutputTokens"), config.get("temperature"), config.get("topP"))
    for tool in body.get("tools") or ():
        for declared in tool["functionDeclarations"]:
            schema = declared.get("parametersJsonSchema") or declared.get("parameters")
            seen.tools[declared["name"]] = (declared.get("description", ""), schema)
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    seen.forced = calling.get("mode") == "ANY"
    seen.schema = _schema(config, "responseJsonSchema")
    seen.knobs = _knobs(config, top_k="topK", seed="seed")
    return seen


def _gemini_part(part: Json, seen: Seen) -> None:
    if "inlineData" in part:
        data = part["inlineData"]
        (seen.images if data["mimeType"].startswith("image/") else seen.documents).append(data["data"])
    elif "functionCall" in part:
        call = part["functionCall"]
        seen.calls.append((call.get("id", ""), call["name"], call["args"]))
    elif "functionResponse" in part:
        answered = part["functionResponse"]
        seen.results.append((answered.get("id", ""), json.dumps(answered["response"])))


_RESPONSES = (
    "model input instructions stream store include max_output_tokens temperature top_p tools tool_choice text reasoning "
    "parallel_tool_calls"
)


def responses(body: Json) -> Seen:
    seen = Seen(stream=bool(body.get("stream")), unknown=_unknown(body, _RESPONSES))
    seen.system = [body["instructions"]] if "instructions" in body else []
    for item in [{"role": "user", "content": body["input"]}] if isinstance(body["input"], str) else body["input"]:
        kind = item.get("type", "message")
        if kind == "function_call":
            seen.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        elif kind == "function_call_output":
            seen.results.append((item["call_id"], "".join(_texts(item["output"]))))
        elif item["role"] == "user":
            seen.said += _texts(item["content"])
            _responses_media(item["content"], seen)
    seen.limits = (body.get("max_output_tokens"), body.get("temperature"), body.get("top_p"))
    for tool in body.get("tools") or ():
        seen.tools[tool["name"]] = (tool.get("description", ""), tool["parameters"])
    seen.forced = body.get("tool_choice") == "required"
    seen.schema = _schema(body, "text", "format", "schema")
    return seen


def _responses_media(content: str | Iterable[Json], seen: Seen) -> None:
    for part in () if isinstance(content, str) else content:
        if part["type"] == "input_image":
            seen.images.append(_data_of(part["image_url"]))
        elif part["type"] == "input_file":
            seen.documents.append(_data_of(part["file_data"]))


READERS: dict[str, Callable[[Json], Seen]] = {
    "openai": partial(openai_chat, top_k="top_k", seed="seed"),  # and its servers'
    "ai21": openai_chat,
    "mistral": partial(openai_chat, seed="random_seed"),
    "anthropic": anthropic,
    "converse": converse,
    "cohere-v2": cohere_v2,
    "gemini": gemini,
    "responses": responses,
}
