"""What every model process answers, whatever it serves: health, statistics, its model, and refusals in OpenAI's form.

Owns routing, statuses and the model's state. What a kind of model answers besides comes with its `Serving`; the only
file that knows of kinds is `__main__`. Nothing that a client sent reaches a log.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from craton.engine import openai_reply
from craton.engine.backend import (
    AdapterRefused,
    AdapterUnknown,
    AdapterUnsupported,
    Busy,
    EngineFault,
    GrammarRefused,
    Stats,
    Unavailable,
)
from craton.engine.http import Reply, Request
from craton.engine.openai_request import BadRequest
from craton.engine.template import TemplateRefused

# A single step that takes longer means a runtime that hangs, not one that is slow.
STALL_S = 60.0
# (status, OpenAI's error type, code) for what the backend may refuse.
FAULTS: tuple[tuple[type[EngineFault], int, str, str], ...] = (
    (Busy, 429, "rate_limit_error", "queue_full"),
    (Unavailable, 503, "server_error", "model_not_ready"),
    (GrammarRefused, 400, "invalid_request_error", "invalid_schema"),
    (TemplateRefused, 400, "invalid_request_error", "template_refused"),
    (AdapterUnsupported, 400, "invalid_request_error", "adapter_unsupported"),
    (AdapterRefused, 400, "invalid_request_error", "adapter_refused"),
    (AdapterUnknown, 404, "invalid_request_error", "model_not_found"),
    (EngineFault, 500, "server_error", "engine_fault"),
)

# What /health says of the load, for whoever keeps replicas.
LOAD = ("running", "waiting", "max_batch", "adapters", "generated_tokens")

Handler = Callable[[Request, Reply, str], Awaitable[None]]
"""Answers one request of a model that is ready; the last argument is the name that it is served under."""


class Serving(Protocol):
    """A loaded model of some kind."""

    @property
    def model_id(self) -> str:
        """The directory's own id."""

    @property
    def context_tokens(self) -> int:
        """The most tokens that a request may have."""

    @property
    def routes(self) -> Mapping[str, tuple[str, Handler]]:
        """Path → method and handler."""

    def stats(self) -> Stats:
        """See Backend.stats; called for every request, so it costs nothing."""

    def close(self) -> None:
        """End every request and release the model, within two seconds."""


class Application:
    """Answers requests. `serving` is None until the model's directory is read; `state` says why.

    A path of its own that the model serves as well is the model's once that is ready.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.serving: Serving | None = None
        self.state = "loading"
        self.reason = ""
        self._began = time.monotonic()
        self._created = int(time.time())
        self._own: dict[str, Callable[[], tuple[int, Any]]] = {
            "/health": self._health,
            "/stats": self._stats,
            "/metrics": self._stats,
            "/v1/models": self._models,
        }

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request; every refusal becomes an OpenAI error object."""
        try:
            await self._route(request, reply)
        except BadRequest as fault:
            kind = "invalid_request_error"
            await reply.send(fault.status, openai_reply.error(fault.message, kind, fault.param, fault.code))
        except EngineFault as fault:
            _, status, kind, code = next(row for row in FAULTS if isinstance(fault, row[0]))
            extra = {"retry-after": "1"} if status in (429, 503) else None
            await reply.send(status, openai_reply.error(str(fault), kind, None, code), extra=extra)

    def health(self) -> str:
        """loading, ready, draining, broken, stalled or failed."""
        if self.state != "ready" or self.serving is None:
            return self.state
        stats = self.serving.stats()
        if stats.state == "ready" and stats.step_s > STALL_S:
            return "stalled"
        return stats.state

    async def _route(self, request: Request, reply: Reply) -> None:
        path = request.target.partition(b"?")[0].decode("latin-1")
        state = self.health()
        serving = self.serving
        own = self._own.get(path)
        if own is not None and not (state == "ready" and serving is not None and path in serving.routes):
            _check_method(request, path, "GET")
            status, told = own()
            await reply.send(status, openai_reply.ENCODE(told))
            return
        if serving is not None:
            if path not in serving.routes:
                raise BadRequest(f"There is no {path}", code="not_found", status=404)
            method, handler = serving.routes[path]
            _check_method(request, path, method)
            if state == "ready":
                await handler(request, reply, self.name)
                return
        raise Unavailable(f"The model '{self.name}' is {state}")

    def _health(self) -> tuple[int, Any]:
        state = self.health()
        told: dict[str, Any] = {"state": state, "model": self.name, **({"reason": self.reason} if self.reason else {})}
        if self.serving is not None:
            stats = self.serving.stats()
            told.update((name, getattr(stats, name)) for name in LOAD)
            told |= {"tokens_per_s": round(stats.tokens_per_s, 1), "memory_bytes": rss_bytes()}
        return (200 if state == "ready" else 503), told

    def _stats(self) -> tuple[int, Any]:
        told: dict[str, Any] = {
            "state": self.health(),
            "model": self.name,
            "uptime_s": round(time.monotonic() - self._began, 3),
            "rss_bytes": rss_bytes(),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        if self.serving is not None:
            told = {**msgspec.to_builtins(self.serving.stats()), **told}
        return 200, told

    def _models(self) -> tuple[int, Any]:
        model: dict[str, Any] = {"id": self.name, "object": "model", "created": self._created, "owned_by": "craton"}
        if self.serving is not None:
            model["max_model_len"] = self.serving.context_tokens
        return 200, {"object": "list", "data": [model]}


def check_model(asked: str, *names: str) -> None:
    """Refuse a request that names another model than this process serves. Raises BadRequest."""
    if asked and asked not in names:
        raise BadRequest(f"The model '{asked}' is not served here", "model", "model_not_found", 404)


def _check_method(request: Request, path: str, method: str) -> None:
    if request.method != method:
        raise BadRequest(f"{path} answers {method} only", code="method_not_allowed", status=405)


def rss_bytes() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm") as opened:
        return int(opened.read().split()[1]) * resource.getpagesize()
