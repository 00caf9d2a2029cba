"""`GET /craton/documents?token=…`: the text of a document, for whoever has the link that GetDocumentContent gave.

Owns the path's answers. What a link opens and what the text looks like is retrieval's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from craton.context import App
from craton.features.rag.retrieval.extract import Ended, content_of, opened
from craton.front import body as http
from craton.infra.vectors.port import VectorsError

JSON = (b"content-type", b"application/json")
_ENDED = b'{"message":"The link is not valid, or has expired."}'
_GONE = b'{"message":"The document is gone."}'
_AWAY = b'{"message":"The document cannot be read now. Try again."}'


class DocumentDoor:
    def __init__(self, app: App, report: Callable[[BaseException], None]) -> None:
        self._app = app
        self._report = report

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        status, body = await self._answer(scope["query_string"])
        await http.answer(send, status, [JSON, (b"cache-control", b"no-store")], body)

    async def _answer(self, query: bytes) -> tuple[int, bytes]:
        token = parse_qs(query.decode("latin-1")).get("token", [""])[0]
        try:
            link = opened(self._app, token, self._app.clock.now())
            content = await content_of(await self._app.vectors.open(link.version), link.key)
        except Ended:
            return 403, _ENDED
        except VectorsError as error:
            self._report(error)
            return 503, _AWAY
        return (200, content) if content is not None else (404, _GONE)
