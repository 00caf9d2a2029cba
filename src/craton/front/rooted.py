"""The services whose operations all stand at `/`: which of them a request is for.

One endpoint is all services' (AWS_ENDPOINT_URL), so the name that the signature is scoped to decides; a form without a
signature is STS's, the only one of these services that anybody may ask. Each service's door is made when it is first
asked for. It must not know what a service does; requests for none of them go on to the operations with paths.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from craton.aws.wire.query import FORM
from craton.front import body as http

Door = Callable[[dict[str, Any], http.Receive, http.Send], Coroutine[Any, Any, None]]

_UNSIGNED = "sts"


class Rooted:
    """Tells the services at `/` apart.

    Args:
        doors: by signing name, what gives the service's door.
        otherwise: answers what is for none of them.
    """

    def __init__(self, doors: Mapping[str, Callable[[], Door]], otherwise: Door) -> None:
        self._doors = doors
        self._otherwise = otherwise

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        name = signing_name(scope["headers"], scope["query_string"])
        if name is None and asks_by_form(scope):
            name = _UNSIGNED
        made = self._doors.get(name or "")
        return (self._otherwise if made is None else made())(scope, receive, send)


def signing_name(headers: dict[bytes, bytes], query: bytes) -> str | None:
    """The service in a signature's scope, not verified; None where there is no signature that names one."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        _, _, credential = authorization.partition(b"Credential=")
        return _service(credential.partition(b",")[0])
    for part in query.split(b"&") if b"X-Amz-Credential=" in query else ():
        name, _, value = part.partition(b"=")
        if name == b"X-Amz-Credential":
            return _service(unquote_to_bytes(value))
    return None


def _service(credential: bytes) -> str | None:
    parts = credential.strip().split(b"/")
    return parts[3].decode("latin-1") if len(parts) == 5 else None


def asks_by_form(scope: dict[str, Any]) -> bool:
    """Whether an unsigned request has the form of the query protocol."""
    headers: dict[bytes, bytes] = scope["headers"]
    if b"authorization" in headers:
        return False
    is_form = headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == FORM
    return (scope["method"] == "POST" and is_form) or b"Action=" in scope["query_string"]
