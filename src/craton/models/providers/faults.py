"""An upstream's failure → the Fault that a Bedrock caller gets. One table of statuses, one of transport errors.

Two rules decide the table. What the caller can mend (400, 413, 422) is a ValidationException with the vendor's own
text, as Bedrock passes it on. What only the operator can mend (a wrong key, an unknown model name, a bad address)
is a ModelErrorException with the original status and the upstream's model: SDKs do not retry it in vain, a balancer
may go to the next target, and the caller is not told to change a request or an IAM policy that is right
(an AccessDeniedException would send him there).

Knows nothing of HTTP clients beyond `transport`'s errors. A message never holds a key, and of a vendor's text at most
1,000 characters.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import msgspec

from craton.aws.wire.faults import (
    MODEL_TIMED_OUT,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    Fault,
    model_error,
    model_stream_error,
    model_timeout,
    throttled,
    unavailable,
    validation,
)
from craton.models.providers.transport import Busy, ConnectError, DeadlineExceeded, TransportError

RETURNED = "The model returned the following errors: "
TOO_LONG = RETURNED + "Input is too long for requested model."
REFUSED_KEY = "The model's endpoint did not accept the credentials that this server has for it."
UNKNOWN_MODEL = "The model's endpoint does not know the model that this server asked it for."
UNREADABLE = "The model's endpoint answered in a form that cannot be read."

_LONGEST = 1000
_LONGEST_WAIT_S = 24 * 3600.0


class _Kind(Enum):
    INVALID = auto()
    TOO_LONG = auto()
    KEY = auto()
    UNKNOWN = auto()
    TIMEOUT = auto()
    THROTTLE = auto()
    BUSY = auto()
    BROKEN = auto()


_KINDS: dict[int, _Kind] = {
    400: _Kind.INVALID,
    401: _Kind.KEY,
    402: _Kind.KEY,
    403: _Kind.KEY,
    404: _Kind.UNKNOWN,
    408: _Kind.TIMEOUT,
    413: _Kind.TOO_LONG,
    422: _Kind.INVALID,
    429: _Kind.THROTTLE,
    503: _Kind.BUSY,
    529: _Kind.BUSY,  # Anthropic's overloaded_error
}

# Statuses of errors that come in the body of a 200, by the vendor's own type or code.
_TYPES: dict[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 408,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}

# Anything in a vendor's text that looks like a credential: OpenAI's 401 quotes the key in part, proxies quote headers.
_SECRETS = re.compile(
    r"(?i)\bbearer\s+[\w.~+/*=-]{6,}|\b(?:sk|pk|rk)[-_][\w*.-]{6,}|\b(?:x-)?api[-_ ]?key\s*[:=]\s*\S{6,}|\bAKIA[0-9A-Z]{12,}"
)


def from_status(
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    model: str,
    secret: str = "",
    now_s: float | None = None,
) -> Fault:
    """The Fault of an answer that is no success.

    Header names are lower case. `model` is the upstream's name of the model, shown as `resourceName`; `secret` the
    key that was used, taken out of the vendor's text wherever it occurs; `now_s` seconds since the epoch, for a
    Retry-After that is a date.
    """
    kind = _KINDS.get(status, _Kind.BROKEN)
    if kind is _Kind.INVALID:
        text = vendor_message(body, secret)
        return validation(RETURNED + (text or "The request is not valid."))
    if kind is _Kind.TOO_LONG:
        return validation(TOO_LONG)
    if kind is _Kind.TIMEOUT:
        return model_timeout()
    if kind is _Kind.THROTTLE:
        return throttled(TOO_MANY_REQUESTS, retry_after(headers, now_s))
    if kind is _Kind.BUSY:
        return unavailable(UNAVAILABLE, retry_after(headers, now_s))
    text = {_Kind.KEY: REFUSED_KEY, _Kind.UNKNOWN: UNKNOWN_MODEL}.get(kind, "")
    if not text:
        told = vendor_message(body, secret)
        text = RETURNED + told if told else f"The model's endpoint answered with status {status}."
    return model_error(text, original_status=status, resource_name=model)


def from_error_body(body: bytes, *, model: str, secret: str = "") -> Fault | None:
    """The Fault of an error that came with a 200, as some gateways send it; None if `body` holds no error."""
    error = _error_object(body)
    if error is None:
        return None
    status = 500
    for key in ("status", "code", "type"):
        value = error.get(key)
        if isinstance(value, int) and 400 <= value < 600:
            status = value
            break
        if isinstance(value, str) and value in _TYPES:
            status = _TYPES[value]
            break
    return from_status(status, {}, body, model=model, secret=secret)


def from_transport(error: TransportError, *, model: str, streaming: bool = False) -> Fault:
    """The Fault of an exchange that failed.

    `streaming`: the caller has had a first byte; then every failure is the stream's own error event. ConverseStream
    models no timeout event, so the timeout's text travels in a ModelStreamErrorException, as Bedrock sends it.
    """
    if isinstance(error, DeadlineExceeded):
        return model_stream_error(MODEL_TIMED_OUT) if streaming else model_timeout()
    if streaming:
        return model_stream_error()
    if isinstance(error, ConnectError):
        return unavailable()
    if isinstance(error, Busy):
        return unavailable(TOO_MANY_CONNECTIONS)
    return model_error(resource_name=model)


def unreadable(model: str) -> Fault:
    """The Fault of an answer of status 200 that is not what was asked for."""
    return model_error(UNREADABLE, original_status=200, resource_name=model)


def vendor_message(body: bytes, secret: str = "") -> str:
    """The vendor's own words, in one line, without keys; "" if there are none to show (an HTML page, say).

    Shapes read: `{"error": {"message": …}}` (OpenAI, Anthropic), `{"error": "…"}`, `{"message": "…"}`,
    `{"detail": "…" | [{"loc": […], "msg": …}]}` (FastAPI), plain text.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[: 4 * _LONGEST].decode("utf-8", "replace")
        return "" if text.lstrip().startswith("<") else _clean(text, secret)
    return _clean(_find_message(value), secret)


def without_secret(fault: Fault, secret: str) -> Fault:
    """The fault of a dialect, which knows no key, with the key taken out of the vendor's text."""
    told = fault.fields.get("originalMessage")
    fields = {**fault.fields, "originalMessage": _clean(told, secret)} if isinstance(told, str) else fault.fields
    message = _clean(fault.message, secret)
    if message == fault.message and fields == fault.fields:
        return fault
    return Fault(fault.name, message, fields=fields, retry_after_s=fault.retry_after_s, status=fault.status)


def retry_after(headers: Mapping[bytes, bytes], now_s: float | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or an HTTP date); None if not told."""
    for name, unit_s in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            wait_s = float(value) * unit_s
        except ValueError:
            wait_s = _until(value, now_s)
        if 0 <= wait_s < float("inf"):
            return min(wait_s, _LONGEST_WAIT_S)
    return None


def _until(date: bytes, now_s: float | None) -> float:
    from email.utils import parsedate_to_datetime  # 25 ms of imports that few ever need

    try:
        at = parsedate_to_datetime(date.decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return -1.0
    return max(0.0, at - (time.time() if now_s is None else now_s))


def _error_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, str) and error:
        return {"message": error}
    return error if isinstance(error, dict) and error else None


def _find_message(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, (_find_message(item) for item in value[:10])))
    if not isinstance(value, dict):
        return ""
    if isinstance(value.get("msg"), str):  # FastAPI: where, then what; `input` holds the caller's text and stays out
        where = ".".join(str(step) for step in value.get("loc", []) if isinstance(step, (str, int)))
        return f"{where}: {value['msg']}" if where else str(value["msg"])
    for key in ("error", "message", "detail", "errors", "Message"):
        found = _find_message(value.get(key))
        if found:
            return found
    return ""


def _clean(text: str, secret: str) -> str:
    if len(secret) >= 4:
        text = text.replace(secret, "***")
    line = " ".join(_SECRETS.sub("***", text[: 4 * _LONGEST]).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
