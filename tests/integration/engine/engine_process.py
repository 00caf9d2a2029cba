"""The engine as its supervisor starts it, and a small client for its Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TINY = Path(__file__).resolve().parents[2] / "data" / "engine" / "tiny"


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float = 60) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class EngineProcess:
    """`with EngineProcess(tmp_path) as engine:`; ended at the latest when the block is left."""

    def __init__(self, home: Path, *options: str, model: Path = TINY, wait: bool = True) -> None:
        self.uds = home / "engine.sock"
        self.log = home / "engine.log"
        self._wait = wait
        command = [sys.executable, "-m", "craton.engine", "--model", str(model), "--uds", str(self.uds)]
        self.command = [*command, "--threads", "1", *options]

    def __enter__(self) -> Self:
        with self.log.open("wb") as opened:
            self.process = subprocess.Popen(self.command, stderr=opened, stdout=opened)
        if self._wait:
            self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait_ready(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(self.log.read_text())
            try:
                if self.get("/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("not ready: " + self.log.read_text())

    def connect(self) -> UnixConnection:
        return UnixConnection(self.uds)

    def get(self, path: str) -> tuple[int, Any]:
        return self.request("GET", path, None)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        return self.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())

    def request(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        connection = self.connect()
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def chat(self, text: str = "hi", **fields: Any) -> tuple[int, Any]:
        asked = {"messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0, **fields}
        return self.post("/v1/chat/completions", asked)

    def stream(self, path: str = "/v1/chat/completions", **fields: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a stream; checks that it ends with [DONE]."""
        asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 16, "stream": True, **fields}
        connection = self.connect()
        try:
            connection.request("POST", path, json.dumps(asked).encode())
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            assert (answer.getheader("content-type") or "").startswith("text/event-stream")
            last = b""
            for line in answer:
                if line.strip():
                    last = line.strip()
                    if last != b"data: [DONE]":
                        yield json.loads(last.removeprefix(b"data: "))
            assert last == b"data: [DONE]"
        finally:
            connection.close()

    def until(self, field: str, value: Any) -> None:
        end = time.monotonic() + 90
        while self.get("/stats")[1][field] != value:
            assert time.monotonic() < end, self.get("/stats")
            time.sleep(0.01)
