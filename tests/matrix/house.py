"""A whole worker in this process, with a model for every caller at every upstream, and no socket between it and a test.

Requests go in where the server would hand them over, so authentication, routes, rules, dialects and providers are the
real ones; only the server's own sockets and its supervisor are not there. The upstreams are real sockets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import uvloop

from craton.config import Settings
from craton.config_tables import ConfigFile
from craton.front.turn import http_scope
from craton.infra.keys.root import RootKey, root_credentials
from craton.supervision import Snapshot
from craton.working import Worker
from tests.acceptance.door_keys import short_term
from tests.running import ACCESS_KEY, SECRET_KEY

ACCOUNT = "000000000000"
T = TypeVar("T")


@dataclass
class Answer:
    """Status, headers by lower-case name, and the body, a stream's joined."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def dropped(self) -> list[str]:
        return _paths(self.headers.get("x-craton-dropped"))

    @property
    def emulated(self) -> list[str]:
        return _paths(self.headers.get("x-craton-emulated"))


def _paths(header: str | None) -> list[str]:
    return header.split(", ") if header else []


class Control:
    """A supervisor that knows where the local model is, and nothing else."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def call(self, method: str, params: object = None, **_: object) -> Any:
        placement = {"deployment": "up-model", "standing": "ready", "seats": [["one", self.url]]}
        return placement if method == "models.ensure" else None


class House:
    """`with House(…) as house:` a worker on a loop of its own.

    `models`: `[[model]]` tables, in which `{key}` is a file with a secret; `local_url`: where the local model's process
    is.
    """

    def __init__(self, home: Path, models: list[dict[str, Any]], local_url: str) -> None:
        key = home / "key"
        key.write_text("sk-matrix-key\n")
        file = {
            "standins": {"enabled": False},
            "routing": {"breaker_failures": 0, "heed_retry_after": False},
            "model": json.loads(json.dumps(models).replace("{key}", str(key))),
        }
        settings = Settings(home=str(home), file=msgspec.convert(file, ConfigFile))
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.worker = Worker(settings, Control(local_url))  # type: ignore[arg-type]
        self.headers = {b"authorization": f"Bearer {short_term()}".encode(), b"content-type": b"application/json"}

    def __enter__(self) -> Self:
        roots = root_credentials([RootKey(ACCOUNT, ACCESS_KEY, SECRET_KEY)])
        self.run(self.worker.take_up(1, msgspec.msgpack.encode(Snapshot(list(roots.secrets.values()), []))))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.worker.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    async def ask(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        """One POST."""
        data = json.dumps(body).encode()
        given = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        length = {b"host": b"127.0.0.1:8765", b"content-length": b"%d" % len(data)}
        scope = http_scope("POST", path.encode(), b"", {**self.headers, **length, **given}, ("127.0.0.1", 4))
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.worker(scope, receive, send)
        return answer
