"""Which data an account wants in its logs: by the kind of the model, and by the pictures and sounds in a conversation.

Owns the switches' meaning. A model's own kind decides whether bodies are logged at all; in what chat models are sent,
media of a kind that is switched off is left out and the rest stays. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.features.invocations.terms import Terms

_KINDS = {"embedding": "embedding", "image": "image", "video": "video"}
_MEDIA = ("image", "video", "audio")
_MARKS = {"image": (b'"image"', b"image_url", b"input_image"), "video": (b'"video"',), "audio": (b"audio",)}


def wants(terms: Terms, kind: str) -> bool:
    """Whether bodies of a model of this kind are logged."""
    return enabled(terms, _KINDS.get(kind, "text"))


def enabled(terms: Terms, name: str) -> bool:
    on: bool = getattr(terms, f"{name}_data_delivery_enabled")
    return on


def without_media(terms: Terms, body: bytes) -> bytes:
    """A JSON body without the media that are switched off."""
    off = [name for name in _MEDIA if not enabled(terms, name) and any(mark in body for mark in _MARKS[name])]
    if not off:
        return body
    value = msgspec.json.decode(body)
    strip(value, off)
    return msgspec.json.encode(value)


def strip(value: Any, off: list[str]) -> None:
    """Take the data out of blocks in the forms of Converse, Anthropic and OpenAI; how deep they stand does not matter."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
            continue
        if not isinstance(found, dict):
            continue
        for name in off:
            _strip_block(found, name)
        waiting += found.values()


def _strip_block(block: dict[str, Any], name: str) -> None:
    media = block.get(name)
    if isinstance(media, dict) and isinstance(media.get("source"), dict):
        media["source"].pop("bytes", None)
    if block.get("type") == name and isinstance(block.get("source"), dict):
        block["source"].pop("data", None)
    if name == "image":
        linked = block.get("image_url")
        if isinstance(linked, dict) and str(linked.get("url", "")).startswith("data:"):
            linked.pop("url")
        elif isinstance(linked, str) and linked.startswith("data:"):
            block.pop("image_url")
    if name == "audio" and isinstance(block.get("input_audio"), dict):
        block["input_audio"].pop("data", None)
