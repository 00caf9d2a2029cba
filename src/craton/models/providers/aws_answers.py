"""What AWS's runtimes answer when they refuse or fail, whole or inside an event stream, and the framing of the latter.

Bedrock's own errors pass on under their own names: a caller of Craton gets what a caller of Bedrock gets. The
exception are those that speak of the *target's* credentials and permissions, which the caller can neither see nor
mend: they become the ModelErrorException of `faults`, so that no SDK blames the caller's key and a balancer may go on
to the next target. Sources: botocore's models of bedrock-runtime and sagemaker-runtime; AWS's "Common errors".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from craton.aws.wire.eventstream import Decoder, Message
from craton.aws.wire.faults import (
    Fault,
    ProtocolFault,
    model_error,
    model_stream_error,
    throttled,
    unavailable,
)
from craton.models.providers import faults, sse

# About the target's credentials: nobody but the operator can mend these.
_OURS = frozenset(
    {
        "AccessDeniedException", "ExpiredTokenException", "ExpiredToken", "IncompleteSignature",
        "IncompleteSignatureException", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "NotAuthorized", "OptInRequired", "RequestExpired",
        "UnrecognizedClientException",
    }
)  # fmt: skip
# What bedrock-runtime models, and callers of it know.
_PASSED = frozenset(
    {
        "ConflictException", "InternalServerException", "ModelErrorException", "ModelNotReadyException",
        "ModelStreamErrorException", "ModelTimeoutException", "ServiceQuotaExceededException",
        "ServiceUnavailableException", "ThrottlingException", "ValidationException",
    }
)  # fmt: skip
_FIELDS = {"originalStatusCode": int, "originalMessage": str, "resourceName": str}
_NOT_FOUND = "not found"


def bedrock_refusal(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    model: str,
    secret: str = "",
    now_s: float | None = None,
) -> Fault:
    """The Fault of an answer of the real Bedrock that is no success."""
    told = _decoded(body)
    name = error_name(headers, told)
    if name in _OURS:
        return model_error(faults.REFUSED_KEY, original_status=status, resource_name=model)
    if name == "ResourceNotFoundException":  # the target's model, not one that the caller named
        return model_error(faults.UNKNOWN_MODEL, original_status=status, resource_name=model)
    if name not in _PASSED:
        return faults.from_status(status, headers, body, model=model, secret=secret, now_s=now_s)
    return _passed(name, told, secret, faults.retry_after(headers, now_s))


def sagemaker_refusal(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    model: str,
    secret: str = "",
    now_s: float | None = None,
) -> Fault:
    """The Fault of an answer of SageMaker's runtime that is no success; a container's own error is looked into."""
    told = _decoded(body)
    name = error_name(headers, told)
    if name in _OURS:
        return model_error(faults.REFUSED_KEY, original_status=status, resource_name=model)
    if name == "ModelError":
        original = told.get("OriginalStatusCode")
        if isinstance(original, int) and 400 <= original < 600:
            message = str(told.get("OriginalMessage") or "").encode()
            return faults.from_status(original, headers, message, model=model, secret=secret, now_s=now_s)
    if name == "ValidationError" and _NOT_FOUND in _message(told, ""):
        return model_error(faults.UNKNOWN_MODEL, original_status=404, resource_name=model)
    if name.startswith("Throttling"):
        return throttled(retry_after_s=faults.retry_after(headers, now_s))
    if name == "ModelNotReadyException":
        return Fault(name, _message(told, secret))
    if name in ("ServiceUnavailable", "InternalDependencyException"):
        return unavailable(retry_after_s=faults.retry_after(headers, now_s))
    return faults.from_status(status, headers, body, model=model, secret=secret, now_s=now_s)


def error_name(headers: Mapping[bytes, bytes], told: Mapping[str, Any]) -> str:
    """AWS's name of an error: in a header (`Name:http://…`), else in the body (`prefix#Name`)."""
    raw = headers.get(b"x-amzn-errortype", b"").decode("latin-1") or str(told.get("__type") or told.get("code") or "")
    return raw.partition(":")[0].rpartition("#")[2].strip()


def bedrock_exception(message: Message) -> Fault:
    """The Fault of an exception in one of Bedrock's event streams."""
    told = _decoded(message.payload)
    name = message.name[:1].upper() + message.name[1:]
    if name not in _PASSED:
        text = _message(told, "") or str(message.headers.get(":error-message", ""))
        return model_stream_error(original_message=text or None)
    return _passed(name, told, "", None)


def sagemaker_exception(message: Message) -> Fault:
    """The Fault of an exception in SageMaker's event stream: ModelStreamError, InternalStreamFailure."""
    text = _message(_decoded(message.payload), "")
    return model_stream_error(original_message=text or None)


class EventFrames:
    """A framing of `exchange`: each frame is an event, its payload the data."""

    __slots__ = ("_decoder", "_fault_of")

    def __init__(self, fault_of: Callable[[Message], Fault] = bedrock_exception) -> None:
        self._decoder = Decoder()
        self._fault_of = fault_of

    def feed(self, data: bytes) -> Iterator[sse.Event]:
        """The events that end in `data`. Raises Fault for an exception, or for bytes that are no frames."""
        try:
            messages = self._decoder.feed(data)
        except ProtocolFault as fault:
            raise model_stream_error(faults.UNREADABLE) from fault
        for message in messages:
            if message.kind != "event":
                raise self._fault_of(message)
            yield message.name, message.payload


class PartFrames:
    """A framing of `exchange`: the frames' payloads are pieces of a stream of server-sent events."""

    __slots__ = ("_frames", "_parser")

    def __init__(self) -> None:
        self._frames = EventFrames(sagemaker_exception)
        self._parser = sse.Parser()

    def feed(self, data: bytes) -> Iterator[sse.Event]:
        for _, piece in self._frames.feed(data):
            yield from self._parser.feed(piece)


def _passed(name: str, told: Mapping[str, Any], secret: str, retry_after_s: float | None) -> Fault:
    fields = {key: told[key] for key, kind in _FIELDS.items() if isinstance(told.get(key), kind)}
    fault = Fault(
        name, str(told.get("message") or told.get("Message") or ""), fields=fields, retry_after_s=retry_after_s
    )
    return faults.without_secret(fault, secret)


def _message(told: Mapping[str, Any], secret: str) -> str:
    return faults.vendor_message(msgspec.json.encode(told), secret)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
