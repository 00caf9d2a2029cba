"""`GET /craton/invocation-logs`: how the delivery of invocation logs stands in this home, for the machine itself.

Counters have the names of Bedrock's metrics, so that what gathers metrics can take them from here.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from craton.front import body as http

PATH = ("GET", "/craton/invocation-logs")
_JSON = (b"content-type", b"application/json")


class LogDoor:
    """Answers from the files of the spool."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        from craton.features.invocations.status import status  # most servers are never asked

        found = await asyncio.to_thread(status, self.path)
        await http.answer(send, 200, [_JSON], msgspec.json.encode(found))
