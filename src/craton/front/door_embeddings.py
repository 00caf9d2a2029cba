"""OpenAI's embeddings at the door: texts to vectors, by any embedding model.

Owns what is the door's: members that nobody knows are left out, and token ids are refused, since each model has its
own. The schema is the dialect's, how vectors are made, cut and counted the feature's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Raw

from craton.context import Call
from craton.features.inference import run
from craton.features.inference.kinds import check_route
from craton.features.inference.routing.routes import Resolved
from craton.front.door_chat import off_the_loop, resolve
from craton.front.door_faults import OPENAI, DoorFault
from craton.front.door_request import Asked, Whole
from craton.models.canon.embedding import EmbedRequest
from craton.models.catalog.local import Kind
from craton.models.dialects.embeddings.openai import Body, OpenAIEmbeddings
from craton.models.dialects.malformed import decode_native

TOKENS = "Inputs of token ids are not supported: each model has its own. Send the texts."
EMPTY = "Invalid value for 'input': expected texts that are not empty."
NO_MODEL = "Missing required parameter: 'model'."

_DIALECT = OpenAIEmbeddings()
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(Body))
_NULL = Raw(b"null")


async def create(asked: Asked) -> Whole:
    """POST /embeddings."""
    from craton.features.inference.embed import embed  # many servers embed nothing

    request = await off_the_loop(asked.body, read_request)
    resolved = resolve_kind(asked.call, request.model_id, "embedding")
    reply = await embed(asked.call, resolved, request)
    return Whole(_DIALECT.write_reply(reply, request))


def read_request(body: bytes) -> EmbedRequest:
    """Raises ValidationException, DoorFault."""
    members = known_members(body, _KNOWN)
    if is_of_tokens(members.get("input", _NULL)):
        raise DoorFault("invalid", TOKENS, param="input", code="unsupported_value")
    request = _DIALECT.read_request(msgspec.json.encode(members))
    if not all(item.text for item in request.items):
        raise DoorFault("invalid", EMPTY, param="input", code="invalid_value")
    return request


def known_members(body: bytes, known: Collection[str]) -> dict[str, Any]:
    """The members of a body that its schema has. Raises DoorFault for one without a model."""
    members = {name: raw for name, raw in decode_native(_MEMBERS, body).items() if name in known and raw != _NULL}
    if "model" not in members:
        raise DoorFault("invalid", NO_MODEL, param="model", code="missing_required_parameter")
    return members


def is_of_tokens(given: Raw) -> bool:
    """Whether an input is numbers, or lists of them, as clients with a tokenizer of OpenAI's send it."""
    return bytes(given).lstrip(b"[ \t\r\n")[:1].isdigit()


def resolve_kind(call: Call, model_id: str, kind: Kind) -> Resolved:
    """The route to a model of this kind. Raises ValidationException for one of another."""
    resolved = resolve(call, model_id, run.INVOKE, OPENAI)
    check_route(resolved.route, kind)
    return resolved
