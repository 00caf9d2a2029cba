"""An image model's path: what a request does between HTTP and the painter.

Owns the queue before the one thread that paints, and the reply's JSON. Prompts and pictures never reach a log.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from craton.engine.application import STALL_S, Handler, check_model
from craton.engine.backend import Busy, EngineFault, ModelSpec, Stats
from craton.engine.http import Reply, Request
from craton.engine.images import files
from craton.engine.images.opening import open_painter
from craton.engine.images.painter import CannotPaint, Painter, Painting
from craton.engine.images.request import decode, job_of
from craton.engine.openai_request import BadRequest

GENERATIONS = "/v1/images/generations"
_MAX_WAITING = 64
_encode = msgspec.json.Encoder().encode


class ImageServing:
    """A loaded image model: see application.Serving. One job at a time: a pipeline keeps every core busy."""

    def __init__(self, model_id: str, painter: Painter, spec: ModelSpec) -> None:
        self.model_id = model_id
        self.context_tokens = 0
        self.painter = painter
        self.routes: dict[str, tuple[str, Handler]] = {GENERATIONS: ("POST", self._generate)}
        self._spec = spec
        self._waiting = 0
        self._painted = 0
        self._began = 0.0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paint")

    def stats(self) -> Stats:
        """See application.Serving. A picture may take minutes, which is no stall."""
        step_s = min(time.monotonic() - self._began, STALL_S / 2) if self._waiting and self._began else 0.0
        return Stats(
            "ready",
            running=min(self._waiting, 1),
            waiting=max(0, self._waiting - 1),
            requests=self._painted,
            threads=self._spec.threads,
            kind=str(self.painter.stats()["kind"]),
            step_s=step_s,
        )

    def close(self) -> None:
        """Start no further job; one that runs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _generate(self, request: Request, reply: Reply, name: str) -> None:
        if self._waiting > (self._spec.max_waiting or _MAX_WAITING):
            raise Busy("Too many requests wait")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(self._thread, self._answer, request.body, name)
            self._painted += 1
        except CannotPaint as fault:
            raise BadRequest(str(fault), fault.param or None, fault.code) from fault
        finally:
            self._waiting -= 1
        await reply.send(200, body)

    def _answer(self, body: bytes, name: str) -> bytes:
        """A request's body → the reply's; runs in the painting thread. Raises CannotPaint, BadRequest."""
        asked = decode(body)
        check_model(asked.model, name, self.model_id)
        self._began = time.monotonic()
        try:
            painting = self.painter.paint(job_of(asked))
            return _encode(_told(painting, asked.output_format, name))
        finally:
            self._began = 0.0


def open_images(spec: ModelSpec, loop: asyncio.AbstractEventLoop) -> ImageServing:
    """Open a directory. Raises EngineFault for one that holds nothing that paints."""
    try:
        painter = open_painter(spec.path, spec.threads)
        card = spec.path / "craton.json"
        model_id = json.loads(card.read_bytes()).get("id") if card.is_file() else None
    except (OSError, ValueError, KeyError) as fault:
        raise EngineFault(f"{spec.path} cannot be served: {fault}") from fault
    return ImageServing(str(model_id or spec.path.resolve().name), painter, spec)


def _told(painting: Painting, kind: str, name: str) -> dict[str, Any]:
    data = [_datum(painting, index, kind) for index in range(len(painting.pictures))]
    told: dict[str, Any] = {"created": int(time.time()), "model": name, "data": data}
    if painting.mask is not None:
        told["mask"] = _base64(files.mask_file(painting.mask))
    if painting.ignored:
        told["ignored"] = painting.ignored
    if painting.emulated:
        told["emulated"] = painting.emulated
    return told


def _datum(painting: Painting, index: int, kind: str) -> dict[str, Any]:
    if index in painting.filtered:
        return {"b64_json": "", "seed": painting.seeds[index], "finish": "filtered output"}
    return {"b64_json": _base64(files.written(painting.pictures[index], kind)), "seed": painting.seeds[index]}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
