"""Which service a request at `/` is for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from craton.front.rooted import Rooted, signing_name

FORM = {b"content-type": b"application/x-www-form-urlencoded; charset=utf-8"}


def signed(service: str) -> dict[bytes, bytes]:
    value = (
        f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
    )
    return {b"authorization": value.encode()}


def presigned(service: str) -> bytes:
    return f"Action=X&X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2F{service}%2Faws4_request".encode()


@pytest.mark.parametrize(
    ("headers", "query", "name"),
    [
        (signed("iam"), b"", "iam"),
        (signed("sts"), presigned("iam"), "sts"),
        ({}, presigned("sts"), "sts"),
        ({}, b"", None),
        ({b"authorization": b"Bearer x"}, presigned("iam"), None),
        ({b"authorization": b"AWS4-HMAC-SHA256 Credential=a/b/c, x"}, b"", None),
        ({b"authorization": b"AWS4-HMAC-SHA256 Credential=" + b"/" * 50}, b"", None),
        ({}, b"X-Amz-Credential=%zz", None),
    ],
)
def test_the_scope_names_the_service(headers: dict[bytes, bytes], query: bytes, name: str | None) -> None:
    """In the header, else in the query; nothing is guessed from what is malformed."""
    assert signing_name(headers, query) == name


def served(headers: dict[bytes, bytes], query: bytes = b"", method: str = "POST") -> str:
    asked: list[str] = []

    def door(name: str) -> Any:
        async def serve(scope: Any, receive: Any, send: Any) -> None:
            asked.append(name)

        return serve

    rooted = Rooted({name: lambda name=name: door(name) for name in ("iam", "sts")}, door("other"))  # type: ignore[misc]
    scope = {"method": method, "headers": headers, "query_string": query}
    asyncio.run(rooted(scope, None, None))  # type: ignore[arg-type]
    return asked[0]


def test_what_is_unsigned_and_a_form_is_for_sts() -> None:
    """The one service that anybody may ask; everything else goes on to the operations with paths."""
    assert served(FORM) == "sts"
    assert served({}, b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15", "GET") == "sts"
    assert served(signed("iam") | FORM) == "iam"
    assert served(signed("bedrock") | FORM) == "other"
    assert served({b"authorization": b"Bearer x"} | FORM) == "other"
    assert served({b"content-type": b"application/json"}) == "other"
