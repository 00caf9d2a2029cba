"""`GET /craton/documents?token=…`: a document, for whoever has the link that GetDocumentContent gave.

Owns the path's answers. What a link opens and what it leads to is retrieval's. A customer's bytes are never shown by a
browser as a page of this server: they are for saving.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from craton.context import App
from craton.features.rag.retrieval.extract import Ended, Original, content_of, opened, original_of
from craton.front import body as http
from craton.infra.cipher.port import CipherError
from craton.infra.store.port import StoreError
from craton.infra.vectors.port import VectorsError

_JSON, _UNKNOWN = b"application/json", b"application/octet-stream"
_MEDIA = re.compile(r"[\w.+-]+/[\w.+-]+(?:; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)
"""What may stand in a header; a caller may name a document's type as it likes."""
_KEPT = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_SAVED = (b"content-disposition", b"attachment")
_ENDED = b'{"message":"The link is not valid, or has expired."}'
_GONE = b'{"message":"The document is gone."}'
_AWAY = b'{"message":"The document cannot be read now. Try again."}'


class _Content(msgspec.Struct, frozen=True):
    body: bytes
    kind: bytes = _JSON
    saved: bool = False


class DocumentDoor:
    def __init__(self, app: App, report: Callable[[BaseException], None]) -> None:
        self._app = app
        self._report = report

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        status, content = await self._answer(scope["query_string"])
        headers = [(b"content-type", content.kind), *_KEPT, *([_SAVED] if content.saved else [])]
        await http.answer(send, status, headers, content.body)

    async def _answer(self, query: bytes) -> tuple[int, _Content]:
        token = parse_qs(query.decode("latin-1")).get("token", [""])[0]
        try:
            link = opened(self._app, token, self._app.clock.now())
            if isinstance(link, Original):
                content = await self._original(link)
            else:
                text = await content_of(await self._app.vectors.open(link.version), link.key)
                content = None if text is None else _Content(text)
        except Ended:
            return 403, _Content(_ENDED)
        except (VectorsError, StoreError, CipherError) as error:
            self._report(error)
            return 503, _Content(_AWAY)
        return (404, _Content(_GONE)) if content is None else (200, content)

    async def _original(self, link: Original) -> _Content | None:
        found = await original_of(self._app, link)
        if found is None:
            return None
        asked, _ = found
        return _Content(asked.data, asked.mime.encode() if _MEDIA.fullmatch(asked.mime) else _UNKNOWN, saved=True)
