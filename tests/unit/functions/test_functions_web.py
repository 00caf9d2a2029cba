"""A function's URL: requests as events, answers as HTTP."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from craton.features.functions import web


def event(**given: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "method": "POST",
        "path": "/a%20b/c",
        "query": "x=1&x=2&y=a%20b",
        "headers": {b"host": b"h", b"content-type": b"application/json", b"cookie": b"a=1; b=2", b"x-y": b"z"},
        "body": b'{"k":1}',
        "source_ip": "10.0.0.1",
        "request_id": "r-1",
        "at": datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC),
    }
    found: dict[str, Any] = json.loads(web.event(web.Request(**{**told, **given}), "abc", "us-east-1"))
    return found


def test_a_request_is_an_event_of_format_2() -> None:
    """With AWS's members."""
    found = event()
    assert found["version"] == "2.0"
    assert found["rawPath"] == "/a%20b/c"
    assert found["rawQueryString"] == "x=1&x=2&y=a%20b"
    assert found["queryStringParameters"] == {"x": "1,2", "y": "a b"}
    assert found["cookies"] == ["a=1", "b=2"]
    assert found["headers"] == {"host": "h", "content-type": "application/json", "x-y": "z"}
    assert found["body"] == '{"k":1}'
    assert found["isBase64Encoded"] is False
    context = found["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["time"] == "01/Mar/2026:12:00:00 +0000"
    assert context["accountId"] == "anonymous"


def test_bytes_travel_as_base64() -> None:
    """What is no text by its type."""
    found = event(headers={b"content-type": b"image/png"}, body=b"\x89PNG")
    assert found["isBase64Encoded"] is True
    assert base64.b64decode(found["body"]) == b"\x89PNG"


def test_an_answer_with_a_status_says_what_is_sent() -> None:
    """Headers, cookies and body are the function's, the connection is ours."""
    payload = {
        "statusCode": 201,
        "headers": {"X-A": "1", "Connection": "close", "Content-Length": "999"},
        "cookies": ["a=1", "b=2"],
        "body": base64.b64encode(b"\x00\x01").decode(),
        "isBase64Encoded": True,
    }
    found = web.answer(json.dumps(payload).encode())
    assert found.status == 201
    assert found.body == b"\x00\x01"
    assert found.headers == [
        (b"x-a", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-type", b"application/json"),
    ]  # fmt: skip


def test_any_other_value_is_the_body() -> None:
    """A text as it is, all else as JSON."""
    assert web.answer(b'"hello"').body == b"hello"
    assert web.answer(b'{"a":1}').body == b'{"a":1}'
    assert web.answer(b"null").status == 200


@pytest.mark.parametrize(
    "payload",
    [b"<html>", b'{"statusCode":"x"}', b'{"statusCode":99}', b'{"statusCode":true}', b'{"statusCode":200,"headers":[1]}',
     b'{"statusCode":200,"headers":{"a b":"c"}}', b'{"statusCode":200,"body":"%%","isBase64Encoded":true}'],
)  # fmt: skip
def test_what_is_no_answer_is_refused(payload: bytes) -> None:
    """The caller gets a 502, never a broken response."""
    with pytest.raises(web.BadAnswer):
        web.answer(payload)


def test_a_header_cannot_begin_another() -> None:
    """Line breaks become blanks."""
    found = web.answer(json.dumps({"statusCode": 200, "headers": {"a": "b\r\nset-cookie: x"}}).encode())
    assert found.headers[0] == (b"a", b"b  set-cookie: x")


def test_cors_lets_in_whom_the_configuration_names() -> None:
    """And nobody else; a preflight is answered without the function."""
    cors = {"AllowOrigins": ["https://*.example.com"], "AllowMethods": ["GET"], "MaxAge": 5, "AllowCredentials": True}
    found = dict(web.preflight(cors, {b"origin": b"https://a.example.com"}).headers)
    assert found[b"access-control-allow-origin"] == b"https://a.example.com"
    assert found[b"access-control-allow-methods"] == b"GET"
    assert found[b"access-control-max-age"] == b"5"
    assert web.cors_headers(cors, "https://evil.com") == []
    assert web.cors_headers(cors, None) == []
    assert web.cors_headers({"AllowOrigins": ["*"]}, "https://x")[0] == (b"access-control-allow-origin", b"*")
