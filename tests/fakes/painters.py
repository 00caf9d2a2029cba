"""What servers of pictures say, for `FakeUpstream`: Stability's v2beta, OpenAI's images and Craton's own engine.

`natural` answers by path with a tiny PNG; the forms that came are read back by `form`. Formats: Stability's and
OpenAI's API references, from memory where no page was at hand.
"""

from __future__ import annotations

import base64
from email.parser import BytesParser
from typing import Any

from tests.fakes import scripts
from tests.fakes.scripts import Headers, Script
from tests.fakes.upstream import Request
from tests.unit.dialects.image_bodies import png

PICTURE = base64.b64encode(png(64, 64)).decode()
_NAMES = {
    400: "bad_request",
    401: "unauthorized",
    403: "content_moderation",
    404: "not_found",
    413: "payload_too_large",
    422: "invalid_language",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "service_unavailable",
}


def form(request: Request) -> dict[str, bytes]:
    """Fields and files of a multipart body."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    parsed = BytesParser().parsebytes(head + request.body)
    found: dict[str, bytes] = {}
    for part in parsed.get_payload():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = part.get_payload(decode=True)
    return found


def stability_error(status: int, headers: Headers | None = None, name: str = "") -> Script:
    """Its documented form: an id, a name, a list of texts."""
    body = {"id": "a3f", "name": name or _NAMES.get(status, "error"), "errors": ["some-field: is required"]}
    return scripts.reply(body, status, headers)


def natural(request: Request) -> Script:
    """The answer by path."""
    if request.path == "/ping":
        return scripts.reply({})
    if request.path.startswith("/v2beta/results/"):
        return scripts.reply({"result": PICTURE, "finish_reason": "SUCCESS", "seed": 12})
    if request.path.endswith("/upscale/creative"):
        return scripts.reply({"id": "b1e5-42"})
    if request.path.startswith("/v2beta/stable-image/"):
        seed = int(form(request).get("seed", b"7") or 7)
        return scripts.reply({"image": PICTURE, "finish_reason": "SUCCESS", "seed": seed})
    if request.path.endswith("/images/edits"):
        return scripts.reply({"created": 1, "data": [{"b64_json": PICTURE}]})
    if request.path.endswith("/images/generations"):
        asked = request.json
        data: list[dict[str, Any]] = [{"b64_json": PICTURE, "revised_prompt": "x"}] * (asked.get("n") or 1)
        return scripts.reply({"created": 1, "data": data})
    if request.path.endswith(("/invoke", "/invocations")):
        return scripts.reply({"images": [PICTURE], "error": None})
    return scripts.reply({"message": f"no such path: {request.path}"}, 404)
