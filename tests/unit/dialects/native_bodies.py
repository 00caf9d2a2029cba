"""One minimal InvokeModel body per native schema of the catalog's text models, and where its reply has the text."""

from __future__ import annotations

import json
from typing import Any

from craton.models.catalog.capabilities import capabilities
from craton.models.catalog.rows import Model, load

_CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
_CHAT_TEXT = ("choices", 0, "message", "content")
_LLAMA = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)

# Dialect → body, the name of its limit (with the group it stands in), the path of the text in a reply.
_BODIES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str | int, ...]]] = {
    "ai21.j2": ({"prompt": "Hello"}, ("maxTokens",), ("completions", 0, "data", "text")),
    "ai21.jamba": (_CHAT, ("max_tokens",), _CHAT_TEXT),
    "amazon.nova": (
        {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        ("inferenceConfig", "maxTokens"),
        ("output", "message", "content", 0, "text"),
    ),
    "amazon.titan-text": (
        {"inputText": "Hello"},
        ("textGenerationConfig", "maxTokenCount"),
        ("results", 0, "outputText"),
    ),
    "anthropic.messages": (
        {"anthropic_version": "bedrock-2023-05-31", **_CHAT},
        ("max_tokens",),
        ("content", 0, "text"),
    ),
    "anthropic.text": ({"prompt": "\n\nHuman: Hello\n\nAssistant:"}, ("max_tokens_to_sample",), ("completion",)),
    "cohere.command": ({"prompt": "Hello", "stream": True}, ("max_tokens",), ("generations", 0, "text")),
    "cohere.command-r": ({"message": "Hello"}, ("max_tokens",), ("text",)),
    "deepseek.r1": ({"prompt": "<｜User｜>Hello<｜Assistant｜><think>\n"}, ("max_tokens",), ("choices", 0, "text")),
    "meta.llama": ({"prompt": _LLAMA}, ("max_gen_len",), ("generation",)),
    "mistral.chat": (_CHAT, ("max_tokens",), _CHAT_TEXT),
    "mistral.text": ({"prompt": "<s>[INST] Hello [/INST]"}, ("max_tokens",), ("outputs", 0, "text")),
    "openai.chat": (_CHAT, ("max_tokens",), _CHAT_TEXT),
    "writer.palmyra": (_CHAT, ("max_tokens",), _CHAT_TEXT),
}


def text_models() -> list[Model]:
    """The models that answer Converse."""
    return [model for model in load().models() if capabilities(model).converse]


def body_for(dialect: str, max_tokens: int) -> bytes:
    given, limit, _ = _BODIES[dialect]
    *groups, last = limit
    body = json.loads(json.dumps(given))
    inner = body
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[last] = max_tokens
    return json.dumps(body).encode()


def text_in(dialect: str, reply: bytes) -> str:
    """The text of a native reply; fails if it is not where the schema has it."""
    value = json.loads(reply)
    for step in _BODIES[dialect][2]:
        value = value[step]
    assert isinstance(value, str)
    return value
