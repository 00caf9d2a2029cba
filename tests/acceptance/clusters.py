"""Several gateways before one store and one Ray cluster, and a TCP balancer before them, as a place at scale has them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from botocore.config import Config

from tests.postgres import PASSWORD, PostgreSQL
from tests.running import Running

MODEL = "openai.gpt-oss-20b-1:0"
HELLO = [{"role": "user", "content": [{"text": "Who are you?"}]}]
REPLICA = Path(__file__).parents[1] / "fakes" / "openai_replica.py"
SECRET = "a secret that all gateways of the place share"


def hosted(replicas: int) -> str:
    """A model of so many replicas, all always there."""
    return f"""
[[model]]
id = "{MODEL}"
[model.container]
command = ["{sys.executable}", "{REPLICA}", "{{uds}}"]
port = 0
speaks = "openai"
threads = 1
least = {replicas}
most = {replicas}
"""


@contextmanager
def gateway(postgresql: PostgreSQL, database: str, home: Path, extra: str) -> Iterator[Running]:
    """A server on the store."""
    url = postgresql.url(database, with_password=False)
    config = f'[store]\nurl = "{url}"\npassword = "env:STORE_PASSWORD"\nsecret = "env:STORE_SECRET"\n{extra}'
    with Running(home, config, env={"STORE_PASSWORD": PASSWORD, "STORE_SECRET": SECRET}) as running:
        yield running


def client(url: str, running: Running) -> Any:
    """A client as everybody has it: default retries, an address that is the balancer's."""
    return running.client("bedrock-runtime", endpoint_url=url, config=Config(read_timeout=30, connect_timeout=5))


def who(runtime: Any) -> int:
    """The process that answered."""
    answer = runtime.converse(modelId=MODEL, messages=HELLO)
    return int(answer["output"]["message"]["content"][0]["text"])


class Balancer:
    """Connections in turn to whichever of the ports takes them."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.url = ""
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._meet, "127.0.0.1", 0), self._loop).result()
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2 * len(self.ports)):
            self._turn += 1
            try:
                there, back = await asyncio.open_connection("127.0.0.1", self.ports[self._turn % len(self.ports)])
            except OSError:
                continue
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
            return
        writer.transport.abort()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


class Load:
    """Clients that ask one after the other until they are told to stop; what went wrong is kept."""

    def __init__(self, url: str, running: Running, clients: int) -> None:
        self.answered: list[int] = []
        self.took_s: list[float] = []
        self.errors: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(client(url, running),)) for _ in range(clients)]

    def _ask(self, runtime: Any) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                self.answered.append(who(runtime))
                self.took_s.append(time.monotonic() - began)
            except Exception as error:  # whatever a caller would have seen
                self.errors.append(f"{type(error).__name__}: {error}")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
