"""What further vendors' servers say, for `FakeUpstream`: replies, streams and errors in their documented formats.

Each vendor has `reply(text)`, `events(pieces)`, `tool_events(name, pieces)` and `error(status, headers)`; `natural`
answers by path and body with an echo of the last text. AWS's streams are frames, SageMaker's frames carry the
container's server-sent events in pieces. Formats are the vendors' documented ones, from memory where no page was at
hand (Cohere, Gemini, AI21, Mistral), from botocore's models for AWS.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from craton.aws.wire.eventstream import encode_event, encode_exception, encode_message
from tests.fakes import scripts
from tests.fakes.scripts import Headers, Script
from tests.fakes.upstream import Request

CALL_ID = "call_fake1"


def sse(value: object, event: str = "") -> bytes:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def pieces_of(text: str) -> list[str]:
    return [text[at : at + 8] for at in range(0, len(text), 8)]


# --- AI21 ------------------------------------------------------------------------------------------------------------

_FASTAPI_ERRORS = {
    400: "Invalid request: max_tokens is too large",
    401: "Forbidden: Bad or missing API token.",
    403: "Forbidden",
    404: "Model not found",
    413: "Request too large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def ai21_events(pieces: Iterable[str]) -> list[bytes]:
    """The usage stands in the chunk with the reason to finish."""
    last = scripts.openai_chunk({"content": ""}, "stop", usage=scripts.OPENAI_USAGE)
    return [
        scripts.openai_chunk({"role": "assistant"}),
        *(scripts.openai_chunk({"content": piece}) for piece in pieces),
        last,
        scripts.OPENAI_DONE,
    ]


def ai21_error(status: int, headers: Headers | None = None) -> Script:
    """FastAPI's form."""
    if status == 422:
        detail: Any = [{"loc": ["body", "messages"], "msg": "field required", "type": "value_error.missing"}]
        return scripts.reply({"detail": detail}, status, headers)
    return scripts.reply({"detail": _FASTAPI_ERRORS.get(status, "Something went wrong")}, status, headers)


# --- Mistral ---------------------------------------------------------------------------------------------------------


def mistral_tool_events(name: str, pieces: Iterable[str]) -> list[bytes]:
    """Mistral sends a call whole, in the chunk that ends the answer."""
    call = {"id": "D681PevKs", "index": 0, "function": {"name": name, "arguments": "".join(pieces)}}
    return [
        scripts.openai_chunk({"role": "assistant", "content": ""}),
        scripts.openai_chunk({"content": "", "tool_calls": [call]}, "tool_calls", usage=scripts.OPENAI_USAGE),
        scripts.OPENAI_DONE,
    ]


def mistral_error(status: int, headers: Headers | None = None) -> Script:
    """Its own form; 401 comes from the gateway before it, 422 from FastAPI."""
    if status == 422:
        return ai21_error(status, headers)
    if status == 401:
        return scripts.reply({"detail": "Unauthorized"}, status, headers)
    value = {
        "object": "error",
        "message": _FASTAPI_ERRORS.get(status, "Broken"),
        "type": "error",
        "param": None,
        "code": "3000",
    }
    return scripts.reply(value, status, headers)


# --- Cohere ----------------------------------------------------------------------------------------------------------

_COHERE_USAGE = {
    "billed_units": {"input_tokens": 9, "output_tokens": 5},
    "tokens": {"input_tokens": 11, "output_tokens": 5},
}


def cohere_reply(text: str) -> Script:
    message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    return scripts.reply({"id": "c-fake", "finish_reason": "COMPLETE", "message": message, "usage": _COHERE_USAGE})


def cohere_event(kind: str, **members: Any) -> bytes:
    return sse({"type": kind, **members}, kind)


def _cohere_around(inner: list[bytes], finish: str) -> list[bytes]:
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return [
        cohere_event("message-start", id="c-fake", delta={"message": empty}),
        *inner,
        cohere_event("message-end", delta={"finish_reason": finish, "usage": _COHERE_USAGE}),
    ]


def cohere_events(pieces: Iterable[str]) -> list[bytes]:
    def content(**value: str) -> dict[str, Any]:
        return {"message": {"content": value}}

    return _cohere_around(
        [
            cohere_event("content-start", index=0, delta=content(type="text", text="")),
            *(cohere_event("content-delta", index=0, delta=content(text=piece)) for piece in pieces),
            cohere_event("content-end", index=0),
        ],
        "COMPLETE",
    )


def cohere_tool_events(name: str, pieces: Iterable[str]) -> list[bytes]:
    def calls(**value: Any) -> dict[str, Any]:
        return {"message": {"tool_calls": value}}

    start = calls(id=CALL_ID, type="function", function={"name": name, "arguments": ""})
    return _cohere_around(
        [
            cohere_event("tool-plan-delta", delta={"message": {"tool_plan": "I look"}}),
            cohere_event("tool-call-start", index=0, delta=start),
            *(cohere_event("tool-call-delta", index=0, delta=calls(function={"arguments": piece})) for piece in pieces),
            cohere_event("tool-call-end", index=0),
        ],
        "TOOL_CALL",
    )


def cohere_error(status: int, headers: Headers | None = None) -> Script:
    return scripts.reply(
        {"id": "c-fake", "message": _FASTAPI_ERRORS.get(status, "Something went wrong")}, status, headers
    )


# --- Gemini ----------------------------------------------------------------------------------------------------------

_GEMINI_USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 5, "totalTokenCount": 16}
_GEMINI_STATUS = {
    400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
    503: "UNAVAILABLE",
}  # fmt: skip


def gemini_answer(parts: list[dict[str, Any]], finish: str | None = "STOP") -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": _GEMINI_USAGE, "modelVersion": "gemini-fake"}


def gemini_reply(text: str) -> Script:
    return scripts.reply(gemini_answer([{"text": text}]))


def gemini_events(pieces: Iterable[str]) -> list[bytes]:
    return [
        *(sse(gemini_answer([{"text": piece}], None)) for piece in pieces),
        sse(gemini_answer([{"text": ""}])),
    ]


def gemini_tool_events(name: str, pieces: Iterable[str]) -> list[bytes]:
    call = {"functionCall": {"name": name, "args": json.loads("".join(pieces))}, "thoughtSignature": "c2ln"}
    return [sse(gemini_answer([call], None)), sse(gemini_answer([{"text": ""}]))]


def gemini_error(status: int, headers: Headers | None = None) -> Script:
    """A wrong key is a 400 with a reason; how long to wait stands among the details."""
    details: list[dict[str, Any]] = []
    if status == 401:
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    if status == 429:
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]
    code = 400 if status == 401 else status
    error = {
        "code": code,
        "message": "Something is wrong.",
        "status": _GEMINI_STATUS.get(code, "UNKNOWN"),
        "details": details,
    }
    return scripts.reply({"error": error}, code)


# --- Bedrock ---------------------------------------------------------------------------------------------------------

BEDROCK_ERRORS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_BEDROCK_USAGE = {"inputTokens": 11, "outputTokens": 5, "totalTokens": 16}
FRAMES = {"content-type": "application/vnd.amazon.eventstream", "transfer-encoding": "chunked"}


def framed(frames: Iterable[bytes]) -> Script:
    """An event stream, each frame in a chunk of its own."""
    return (scripts.head(200, FRAMES), *(scripts.chunk(frame) for frame in frames), scripts.LAST_CHUNK)


def bedrock_reply(text: str) -> Script:
    message = {"role": "assistant", "content": [{"text": text}]}
    value = {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": _BEDROCK_USAGE,
        "metrics": {"latencyMs": 3},
    }
    return scripts.reply(value)


def bedrock_event(kind: str, **members: Any) -> bytes:
    return encode_event(kind, json.dumps({**members, "p": "abc"}).encode())


def _bedrock_around(inner: list[bytes], stop: str) -> list[bytes]:
    return [
        bedrock_event("messageStart", role="assistant"),
        *inner,
        bedrock_event("contentBlockStop", contentBlockIndex=0),
        bedrock_event("messageStop", stopReason=stop),
        bedrock_event("metadata", usage=_BEDROCK_USAGE, metrics={"latencyMs": 3}),
    ]


def bedrock_events(pieces: Iterable[str]) -> list[bytes]:
    inner = [bedrock_event("contentBlockDelta", delta={"text": piece}, contentBlockIndex=0) for piece in pieces]
    return _bedrock_around(inner, "end_turn")


def bedrock_tool_events(name: str, pieces: Iterable[str]) -> list[bytes]:
    start = {"toolUse": {"toolUseId": CALL_ID, "name": name}}
    inner = [
        bedrock_event("contentBlockStart", start=start, contentBlockIndex=0),
        *(
            bedrock_event("contentBlockDelta", delta={"toolUse": {"input": piece}}, contentBlockIndex=0)
            for piece in pieces
        ),
    ]
    return _bedrock_around(inner, "tool_use")


def bedrock_chunks(natives: Iterable[dict[str, Any]]) -> list[bytes]:
    """InvokeModelWithResponseStream: native chunks in frames, the metrics in the last."""
    values = list(natives)
    values[-1] = {**values[-1], "amazon-bedrock-invocationMetrics": {"inputTokenCount": 11, "outputTokenCount": 5,
                  "invocationLatency": 9, "firstByteLatency": 4}}  # fmt: skip
    return [bedrock_event("chunk", bytes=base64.b64encode(json.dumps(value).encode()).decode()) for value in values]


def bedrock_error(status: int, headers: Headers | None = None, name: str = "") -> Script:
    name = name or BEDROCK_ERRORS.get(status, "InternalFailure")
    body = {"message": f"{name} it is", "originalStatusCode": 500} if status == 424 else {"message": f"{name} it is"}
    mark = f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return scripts.reply(body, status, {"x-amzn-errortype": mark, **(headers or {})})


def bedrock_exception(name: str, message: str) -> bytes:
    return encode_exception(name, json.dumps({"message": message}).encode())


# --- SageMaker -------------------------------------------------------------------------------------------------------


def sagemaker_parts(data: bytes, size: int = 50) -> list[bytes]:
    """Payload parts with pieces of what the container streams, cut anywhere."""
    headers = {":event-type": "PayloadPart", ":content-type": "application/octet-stream", ":message-type": "event"}
    return [encode_message(headers, data[at : at + size]) for at in range(0, len(data), size)]


def sagemaker_events(pieces: Iterable[str]) -> list[bytes]:
    return sagemaker_parts(b"".join(scripts.openai_events(pieces)))


def sagemaker_tool_events(name: str, pieces: Iterable[str]) -> list[bytes]:
    return sagemaker_parts(b"".join(scripts.openai_tool_events(name, pieces)))


def sagemaker_error(status: int, headers: Headers | None = None) -> Script:
    """SageMaker's own refusals by name; what the container said comes as a ModelError."""
    own = {403: "AccessDeniedException", 401: "UnrecognizedClientException", 503: "ServiceUnavailable"}.get(status)
    if own is not None:
        mark = {"x-amzn-errortype": own, **(headers or {})}
        return scripts.reply({"Message": f"{own}: no"}, 403 if status == 401 else status, mark)
    told = json.dumps({"error": {"message": "max_tokens is too large", "type": "BadRequestError", "code": status}})
    body = {"ErrorCode": "CLIENT_ERROR_FROM_MODEL", "Message": "Received client error", "OriginalMessage": told,
            "OriginalStatusCode": status, "LogStreamArn": "arn:aws:logs:us-east-1:123456789012:log-group:x"}  # fmt: skip
    return scripts.reply(body, 424, {"x-amzn-errortype": "ModelError", **(headers or {})})


# --- all -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answers:
    """How one vendor's server answers."""

    reply: Any
    events: Any
    tool_events: Any
    error: Any
    framed: Any = scripts.event_stream


AI21 = Answers(scripts.openai_reply, ai21_events, scripts.openai_tool_events, ai21_error)
MISTRAL = Answers(scripts.openai_reply, ai21_events, mistral_tool_events, mistral_error)
COHERE = Answers(cohere_reply, cohere_events, cohere_tool_events, cohere_error)
GEMINI = Answers(gemini_reply, gemini_events, gemini_tool_events, gemini_error)
BEDROCK = Answers(bedrock_reply, bedrock_events, bedrock_tool_events, bedrock_error, framed)
SAGEMAKER = Answers(scripts.openai_reply, sagemaker_events, sagemaker_tool_events, sagemaker_error, framed)
CONTAINER = Answers(scripts.openai_reply, scripts.openai_events, scripts.openai_tool_events, scripts.error_openai)

# Path → whose answer, and whether it is a stream (None: the body says so).
_PATHS: tuple[tuple[str, Answers, bool | None], ...] = (
    (r"/studio/v1/chat/completions", AI21, None),
    (r"/v1/chat/completions", MISTRAL, None),
    (r"/v2/chat", COHERE, None),
    (r"/v1beta/models/[^/]+:generateContent", GEMINI, False),
    (r"/v1beta/models/[^/]+:streamGenerateContent\?alt=sse", GEMINI, True),
    (r"/model/[^/]+/converse", BEDROCK, False),
    (r"/model/[^/]+/converse-stream", BEDROCK, True),
    (r"/endpoints/[^/]+/invocations", SAGEMAKER, False),
    (r"/endpoints/[^/]+/invocations-response-stream", SAGEMAKER, True),
    (r"/invocations", CONTAINER, None),
)  # fmt: skip


def natural(request: Request) -> Script:
    """The answer by path and body: an echo of the last text, whole or as a stream."""
    if request.path == "/ping":
        return scripts.reply({})
    if request.path.endswith(":countTokens"):
        return scripts.reply({"totalTokens": 42})
    if request.path.endswith("/count-tokens"):
        return scripts.reply({"inputTokens": 42})
    body = request.json
    text = "Echo: " + (re.findall(rb'"(?:text|content)":\s*"([^"]+)"', request.body) or [b""])[-1].decode()
    if request.path.endswith("/invoke"):
        return scripts.reply(scripts.anthropic_message(text))
    if request.path.endswith("/invoke-with-response-stream"):
        return framed(
            bedrock_chunks(
                json.loads(event.partition(b"data: ")[2]) for event in scripts.anthropic_events(pieces_of(text))
            )
        )
    for pattern, answers, streams in _PATHS:
        if re.fullmatch(pattern, request.path):
            if body.get("stream") if streams is None else streams:
                script: Script = answers.framed(answers.events(pieces_of(text)))
                return script
            whole: Script = answers.reply(text)
            return whole
    return scripts.reply({"message": f"no such path: {request.path}"}, 404)
