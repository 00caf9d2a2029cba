"""The engine's paths over a backend that is a list: states, refusals and faults as a client sees them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from craton.engine.application import STALL_S, Application
from craton.engine.backend import Busy, Delta, EngineFault, Generation, Stats
from craton.engine.http import Request
from craton.engine.modeldir import describe
from craton.engine.server import Serving
from craton.engine.tokenizer import Tokenizer
from tests.unit.engine.fake_rows import TINY

CHAT = {"messages": [{"role": "user", "content": "hi"}]}


class Script:
    """A backend that tells these deltas to everyone."""

    def __init__(self, *deltas: Delta, fault: EngineFault | None = None, **stats: Any) -> None:
        self.deltas, self.fault = deltas, fault
        self.told = Stats(**{"state": "ready", "context_tokens": 512, **stats})
        self.cancelled = 0

    def load(self, spec: object) -> None: ...

    async def submit(self, generation: Generation) -> Script:
        if self.fault is not None:
            raise self.fault
        return self

    async def __aiter__(self) -> AsyncIterator[Delta]:
        for delta in self.deltas:
            yield delta

    def cancel(self) -> None:
        self.cancelled += 1

    def stats(self) -> Stats:
        return self.told

    async def load_adapter(self, name: str, path: Path, *, replace: bool = False) -> None: ...

    async def unload_adapter(self, name: str) -> None: ...

    def adapters(self) -> dict[str, Path]:
        return {}

    def close(self) -> None: ...


class Sink:
    """Takes a reply in memory."""

    def __init__(self) -> None:
        self.began = False
        self.status = 0
        self.body = b""
        self.headers: dict[str, str] = {}
        self.ended = False

    async def send(self, status: int, body: bytes, content_type: str = "", extra: dict[str, str] | None = None) -> None:
        self.began, self.status, self.body, self.headers, self.ended = True, status, body, extra or {}, True

    async def begin(self, status: int, content_type: str) -> None:
        self.began, self.status = True, status

    async def write(self, data: bytes) -> None:
        self.body += data

    async def end(self) -> None:
        self.ended = True


def ask(backend: Script | None, path: str, body: Any = None) -> Sink:
    application = Application("m")
    if backend is not None:
        found = describe(TINY)
        application.serving = Serving(found, Tokenizer(TINY / "tokenizer.json", [0], 320), backend)
        application.state = "ready"
    request = Request()
    request.method, request.target = ("GET" if body is None else "POST"), path.encode()
    request.body = json.dumps(body).encode()
    sink = Sink()
    asyncio.run(application(request, sink))  # type: ignore[arg-type]
    return sink


def test_a_model_that_loads_is_not_ready_yet() -> None:
    """Health says loading with 503, and a chat is refused with 503 and a time to come back."""
    assert (ask(None, "/health").status, json.loads(ask(None, "/health").body)["state"]) == (503, "loading")
    refused = ask(None, "/v1/chat/completions", CHAT)
    assert (refused.status, refused.headers) == (503, {"retry-after": "1"})


def test_a_hanging_or_broken_runtime_is_unhealthy() -> None:
    """A step that takes too long is `stalled`; three failures are `broken`."""
    assert json.loads(ask(Script(step_s=STALL_S + 1), "/health").body)["state"] == "stalled"
    broken = ask(Script(state="broken"), "/health")
    assert (broken.status, json.loads(broken.body)["state"]) == (503, "broken")
    assert ask(Script(state="broken"), "/v1/chat/completions", CHAT).status == 503


def test_a_full_queue_is_429() -> None:
    """The client is told to come back."""
    refused = ask(Script(fault=Busy("64 requests are waiting already")), "/v1/chat/completions", CHAT)
    assert (refused.status, refused.headers) == (429, {"retry-after": "1"})
    assert json.loads(refused.body)["error"]["type"] == "rate_limit_error"


def test_a_fault_before_the_first_token_is_an_http_error() -> None:
    """Streaming or not, nothing was told yet."""
    for stream in (True, False):
        backend = Script(Delta([], "error", error="the model runtime failed"))
        failed = ask(backend, "/v1/chat/completions", {**CHAT, "stream": stream})
        assert (failed.status, json.loads(failed.body)["error"]["message"]) == (500, "the model runtime failed")
        assert backend.cancelled == 1


def test_a_fault_in_mid_stream_is_an_error_event() -> None:
    """What was said stays said; the error is the last event, and no [DONE] follows."""
    backend = Script(Delta([60, 61]), Delta([], "error", error="the model runtime failed"))
    failed = ask(backend, "/v1/chat/completions", {**CHAT, "stream": True})
    events = failed.body.split(b"\n\n")
    assert failed.status == 200
    assert b'"error"' in events[-2]
    assert b"[DONE]" not in failed.body
    assert failed.ended


def test_a_stop_string_cancels_the_generation() -> None:
    """Once the text is complete nothing more is computed."""
    tokens = Tokenizer(TINY / "tokenizer.json", [0]).encode("one. two")
    backend = Script(Delta(tokens), Delta([60], "length"))
    told = json.loads(ask(backend, "/v1/chat/completions", {**CHAT, "stop": "."}).body)
    assert told["choices"][0]["message"]["content"] == "one"
    assert backend.cancelled == 1
