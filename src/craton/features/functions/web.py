"""A function's URL in both directions: an HTTP request as the event that a function gets, its answer as HTTP again.

Owns the payload format 2.0, and CORS as a URL's configuration has it. Pure: it must not know sockets or who asks.
Source: AWS Lambda developer guide, "Invoking Lambda function URLs".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

# What an answer's headers may not say: the connection is this server's.
_OURS: Final = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade"}
)
_TEXTS: Final = ("text/", "application/json", "application/javascript", "application/xml", "application/graphql")
_TEXT_ENDS: Final = ("+json", "+xml")
_JSON: Final = "application/json"
INTEGRATION: Final = "application/vnd.awslambda.http-integration-response"
"""The type of a streamed answer that begins with its status and headers as JSON."""
PRELUDE_END: Final = b"\x00" * 8
_MOST_HEADERS: Final = 100


class BadAnswer(Exception):
    """What the function answered is no HTTP answer."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request at a URL. `path` is what stands behind the URL's own, `caller` who signed it, if anybody did."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    source_ip: str
    request_id: str
    at: datetime
    caller: Mapping[str, str | None] | None = None


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


def event(request: Request, url_id: str, region: str) -> bytes:
    """The event of a request."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
    cookies = headers.pop("cookie", "")
    domain = f"{url_id}.lambda-url.{region}.on.aws"
    text, encoded = _body(request.body, headers.get("content-type", ""))
    told: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": (request.caller or {}).get("accountId") or "anonymous",
            "apiId": url_id,
            "domainName": headers.get("host") or domain,
            "domainPrefix": url_id,
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": request.at.astimezone(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(request.at.timestamp() * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if request.caller is not None:
        told["requestContext"]["authorizer"] = {"iam": request.caller}
    if cookies:
        told["cookies"] = [one.strip() for one in cookies.split(";") if one.strip()]
    if request.query:
        told["queryStringParameters"] = parameters(request.query)
    if request.body:
        told["body"] = text
    return msgspec.json.encode(told)


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query; repeated ones are joined by commas."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if not name:
            continue
        name, value = unquote_plus(name), unquote_plus(value)
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(body: bytes, kind: str) -> tuple[str, bool]:
    media = kind.partition(";")[0].strip().lower()
    if media.startswith(_TEXTS) or media.endswith(_TEXT_ENDS):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), bool(body)


def answer(payload: bytes) -> Answer:
    """What a function returned, as HTTP: its own status and headers, or its value as JSON. Raises BadAnswer."""
    try:
        value = msgspec.json.decode(payload) if payload else None
    except (msgspec.DecodeError, RecursionError):
        raise BadAnswer("the function's answer is not JSON") from None
    if not isinstance(value, dict) or "statusCode" not in value:
        plain = value.encode() if isinstance(value, str) else payload or b"null"
        return Answer(200, [(b"content-type", _JSON.encode())], plain)
    head = head_of(value)
    body = value.get("body") or ""
    if not isinstance(body, str):
        body = msgspec.json.encode(body).decode()
    if value.get("isBase64Encoded") is True:
        try:
            return Answer(head.status, head.headers, base64.b64decode(body, validate=True))
        except binascii.Error:
            raise BadAnswer("the function's body is not base64") from None
    return Answer(head.status, head.headers, body.encode("utf-8", "surrogatepass"))


def head_of(value: Mapping[str, Any]) -> Answer:
    """Status and headers as a function writes them. Raises BadAnswer."""
    status = value.get("statusCode", 200)
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise BadAnswer("the function's statusCode is not a status")
    given = value.get("headers") or {}
    cookies = value.get("cookies") or []
    if not isinstance(given, dict) or not isinstance(cookies, list) or len(given) + len(cookies) > _MOST_HEADERS:
        raise BadAnswer("the function's headers are not headers")
    headers = [(name.lower(), one) for name, one in given.items() if name.lower() not in _OURS]
    headers += [("set-cookie", one) for one in cookies]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", _JSON))
    return Answer(status, [(_token(name), _line(one)) for name, one in headers])


def _token(name: str) -> bytes:
    raw = name.encode("ascii", "replace")
    if not raw or not all(33 <= byte < 127 and byte not in b'"(),/:;<=>?@[\\]{}' for byte in raw):
        raise BadAnswer("the function's headers are not headers")
    return raw


def _line(value: object) -> bytes:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace")


# --- CORS ---


def cors_headers(cors: Mapping[str, Any], origin: str | None) -> list[tuple[bytes, bytes]]:
    """What CORS adds to an answer for a page of this origin; nothing where the configuration does not let it in."""
    allowed = cors.get("AllowOrigins") or []
    if origin is None or not _lets_in(allowed, origin):
        return []
    found = [(b"access-control-allow-origin", b"*" if allowed == ["*"] else origin.encode("latin-1", "replace"))]
    if allowed != ["*"]:
        found.append((b"vary", b"Origin"))
    if cors.get("AllowCredentials"):
        found.append((b"access-control-allow-credentials", b"true"))
    if cors.get("ExposeHeaders"):
        found.append((b"access-control-expose-headers", ",".join(cors["ExposeHeaders"]).encode()))
    return found


def preflight(cors: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Answer:
    """The answer to a browser that asks what it may do."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    found = cors_headers(cors, origin)
    if found:
        for name, member in (
            (b"access-control-allow-methods", "AllowMethods"),
            (b"access-control-allow-headers", "AllowHeaders"),
        ):
            if cors.get(member):
                found.append((name, ",".join(cors[member]).encode()))
        if cors.get("MaxAge"):
            found.append((b"access-control-max-age", b"%d" % cors["MaxAge"]))
    return Answer(200, found)


def _lets_in(allowed: list[str], origin: str) -> bool:
    for one in allowed:
        head, star, tail = one.partition("*")
        if one == origin or (
            star and origin.startswith(head) and origin.endswith(tail) and len(origin) >= len(one) - 1
        ):
            return True
    return False
