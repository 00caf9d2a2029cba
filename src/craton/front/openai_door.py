"""The OpenAI door: chat completions as OpenAI's own clients ask for them.

Owns what is OpenAI's alone: the stream flag in the body, `data:` lines and `[DONE]`, and what of its API this server
does not have. The schema is the dialect's, the inference `door_chat`'s.
"""

from __future__ import annotations

import msgspec

from craton.context import Call
from craton.features.inference.routing.routes import Resolved
from craton.front.door_chat import Manner, answer, off_the_loop, speaks
from craton.front.door_faults import OPENAI, DoorFault
from craton.front.door_request import Asked, Events, Whole
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.malformed import decode_native
from craton.models.dialects.openai_chat.dialect import OpenAIChat

# What else OpenAI has under /v1; told apart from what nobody has.
NOT_BUILT = frozenset(
    {
        "assistants", "audio", "batches", "chat", "completions", "containers", "conversations", "evals", "files",
        "fine_tuning", "images", "moderations", "realtime", "responses", "threads", "uploads", "vector_stores", "videos",
    }
)  # fmt: skip
_LABELS = ("metadata", "store")
_ONE_CHOICE = "Only one choice is made per request: n must be 1."
_TEXT_ALONE = "Answers are text: modalities must be ['text']."
_OLD_FUNCTIONS = "functions and function_call are not supported. Use tools and tool_choice."


class _Peek(msgspec.Struct):
    """What must be known of a body before it is read."""

    model: str
    stream: bool | None = None


_PEEK = msgspec.json.Decoder(_Peek)
_DIALECT = OpenAIChat()


def data_line(chunk: bytes) -> bytes:
    """A chunk as an event without a name."""
    return b"data: %b\n\n" % chunk


def keep_labels(call: Call, resolved: Resolved, request: ConverseRequest) -> None:
    """Leave labels for answers that OpenAI keeps to targets that speak its schema; a `metadata` of Anthropic's differs."""
    fields = request.additional_model_request_fields
    if fields and not speaks(resolved, "openai."):
        for name in _LABELS:
            fields.pop(name, None)


MANNER = Manner(_DIALECT, data_line, b"data: [DONE]\n\n", OPENAI, keep_labels)


async def chat_completions(asked: Asked) -> Whole | Events:
    """POST /chat/completions, whole or as a stream."""
    request, streaming = await off_the_loop(asked.body, read_request)
    return await answer(asked.call, MANNER, request, streaming=streaming)


def read_request(body: bytes) -> tuple[ConverseRequest, bool]:
    """The request, and whether its answer is to be a stream. Raises ValidationException, DoorFault."""
    peek = decode_native(_PEEK, body)
    streaming = peek.stream is True
    request = _DIALECT.read_request(body, streaming=streaming)
    request.model_id = peek.model
    refuse_unkept(request)
    return request, streaming


def refuse_unkept(request: ConverseRequest) -> None:
    """Refuse what changes the form of the answer and would otherwise be passed over."""
    fields = request.additional_model_request_fields or {}
    if fields.get("n", 1) != 1:
        raise DoorFault("invalid", _ONE_CHOICE, param="n", code="unsupported_value")
    if fields.get("modalities", ["text"]) != ["text"]:
        raise DoorFault("invalid", _TEXT_ALONE, param="modalities", code="unsupported_value")
    for name in ("functions", "function_call"):
        if name in fields:
            raise DoorFault("invalid", _OLD_FUNCTIONS, param=name, code="unsupported_parameter")
