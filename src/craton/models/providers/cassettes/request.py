"""What of a request counts when its recording is looked for.

A request is kept as the JSON of its canonical form without what changes no answer (metadata, tiers, cache points,
signatures) and with long blobs as their digests. It is compared twice: first word for word; if nothing is found so,
with ids, dates and times taken out, so that a new tool-use id or today's date in a system prompt does not miss its
recording. Pure: knows no file and no provider.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from craton.models.canon.request import ConverseRequest

Json = Any

_DROPPED = frozenset(
    {
        "modelId",
        "requestMetadata",
        "performanceConfig",
        "serviceTier",
        "guardrailConfig",
        "additionalModelResponseFieldPaths",
    }
)
# The caller's own body and its names for things, beside what was read from it.
_CARRIED = frozenset({"model_id", "native", "names", "paths"})
OTHER_CALLS = frozenset({"Embed", "Rerank", "Paint"})
_TO_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")
_BLOBS = ("bytes", "redactedContent", "data", "image")
_LONGEST_BLOB = 256
_LONGEST_WORD = 4096  # no word is so long: a blob under whatever name

# What a provider's answer, an id generator or a clock makes anew each time. The first that fits a place wins.
_CHANGING = re.compile(
    r"(?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
    r"|\b\d\d?:\d\d:\d\d(?:\.\d+)?\b)"
    r"|(?P<id>\b(?:tooluse|toolu|call|msg|chatcmpl|req|run|lc)_[A-Za-z0-9_-]{6,}|\b[0-9a-f]{24,}\b)"
)
# Credentials that people put into prompts by mistake: they neither reach a file nor decide what matches.
_SECRETS = re.compile(
    r"(?i:\bbearer\s+[\w.~+/*=-]{16,}|\b(?:x-)?api[-_ ]?key\s*[:=]\s*[^\s\"\\]{8,})"
    r"|\b(?:sk|pk|rk)[-_][\w*.-]{16,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bABSK[A-Za-z0-9+/=]{40,}"
)


class Asked(msgspec.Struct, frozen=True):
    """A request as it is kept: the operation, the model id that was called, the canonical form without its noise."""

    call: str
    model: str
    request: dict[str, Json]


def asked(call: str, model: str, request: ConverseRequest) -> Asked:
    """A live request in the form in which it is kept and compared."""
    text = without_secrets(msgspec.json.encode(request).decode())
    cleaned = _clean(msgspec.json.decode(text))
    return Asked(call, model, {name: value for name, value in cleaned.items() if name not in _DROPPED})


def asked_of_kind(call: str, model: str, request: msgspec.Struct) -> Asked:
    """The same for a request that is no conversation: to embed, to rank, to paint."""
    text = without_secrets(msgspec.json.encode(request).decode())
    cleaned = _clean(msgspec.json.decode(text))
    return Asked(call, model, {name: value for name, value in cleaned.items() if name not in _CARRIED})


def without_secrets(text: str, known: Collection[str] = ()) -> str:
    """JSON text with what looks like a credential, and every `known` one, as `***`."""
    for secret in known:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return _SECRETS.sub("***", text)


def _clean(value: Json) -> Json:
    if isinstance(value, list):
        return [_clean(item) for item in value if not (isinstance(item, dict) and set(item) == {"cachePoint"})]
    if isinstance(value, str):
        return _digested(value) if len(value) > _LONGEST_WORD and " " not in value[:_LONGEST_WORD] else value
    if not isinstance(value, dict):
        return value
    found = {name: _clean(item) for name, item in value.items() if name != "signature"}
    for name in _BLOBS:
        blob = found.get(name)
        if isinstance(blob, str) and len(blob) > _LONGEST_BLOB:
            found[name] = _digested(blob)
    return found


def _digested(blob: str) -> str:
    # Letters that no pattern of ids takes for one, see `loosened`.
    digest = hashlib.sha256(blob.encode()).hexdigest()[:32].translate(_TO_LETTERS)
    return f"sha256:{digest} of {len(blob)} base64 characters"


# --- what is compared -------------------------------------------------------------------------------------------


def _last_user(request: dict[str, Json]) -> Json:
    users = _users(request)
    return users[-1]["content"] if users else None


def _users(request: dict[str, Json]) -> list[Json]:
    return [message for message in request.get("messages") or [] if message.get("role") == "user"]


def _members(*names: str) -> Callable[[Asked], Json]:
    return lambda asked: {name: asked.request[name] for name in names if asked.request.get(name) is not None}


PARTS: dict[str, Callable[[Asked], Json]] = {
    "model": lambda asked: {"model": asked.model},
    "call": lambda asked: {"call": asked.call},
    "messages": _members("messages", "promptVariables"),
    "user_messages": lambda asked: {"messages of the user": _users(asked.request)},
    "last_message": lambda asked: {"last message of the user": _last_user(asked.request)},
    "system": _members("system"),
    "tools": _members("toolConfig"),
    "inference": _members("inferenceConfig", "additionalModelRequestFields", "outputConfig"),
}
"""What `match_on` may name. `call` tells Converse from ConverseStream and InvokeModel: left out, they share answers."""


def key(asked: Asked, match_on: tuple[str, ...]) -> bytes:
    """Equal for requests that are the same word for word in the parts of `match_on`."""
    return _digest(compared(asked, match_on))


def loose_key(asked: Asked, match_on: tuple[str, ...]) -> bytes:
    """Equal for requests that are the same but for ids, dates and times."""
    return _digest(loosened(compared(asked, match_on)))


def compared(asked: Asked, match_on: tuple[str, ...]) -> list[Json]:
    """What of a request is compared: of conversations the parts of `match_on`, of other kinds of request all."""
    if asked.call in OTHER_CALLS:
        return [{"model": asked.model, "call": asked.call}, asked.request]
    return [PARTS[name](asked) for name in match_on]


def loosened(value: Json) -> Json:
    """A JSON value with placeholders for ids, dates and times; the ids of tool uses are numbered as they come."""
    numbers: dict[str, str] = {}

    def walk(value: Json) -> Json:
        if isinstance(value, str):
            return _CHANGING.sub(lambda found: f"<{found.lastgroup}>", value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {name: member(name, item) for name, item in value.items()}
        return value

    def member(name: str, value: Json) -> Json:
        if name == "toolUseId":
            return numbers.setdefault(str(value), f"tool use {len(numbers)}")
        return walk(value)

    return walk(value)


def _digest(value: Json) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(value, order="sorted"), digest_size=16).digest()
