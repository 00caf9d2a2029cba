"""An application for tests: tells its process and its generation, streams without end, and can be made to fail."""

from __future__ import annotations

import asyncio
import os

from craton.front.worker import Receive, Scope, Seat, Send


class FakeApp:
    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.generation = b"0:"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/stream":
            await self.stream(send)
            return
        if path == "/die":
            os._exit(9)
        texts = {"/pid": str(os.getpid()).encode(), "/generation": self.generation, "/settings": self.seat.settings}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"server", b"fake")]})
        await send({"type": "http.response.body", "body": texts.get(path, b"{}")})

    async def stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"data: bye\n\n", "more_body": False})
            raise

    async def take_up(self, number: int, payload: bytes) -> None:
        if payload == b"poison":
            await asyncio.sleep(600)
        self.generation = b"%d:%s" % (number, payload)

    async def close(self) -> None:
        """Nothing to let go of."""


async def open_app(seat: Seat) -> FakeApp:
    app = FakeApp(seat)
    seat.control.subscribe(app.take_up)
    return app


async def open_plain(seat: Seat) -> FakeApp:
    """Listens to no generations."""
    return FakeApp(seat)


async def open_never(seat: Seat) -> FakeApp:
    await asyncio.sleep(600)
    return FakeApp(seat)


async def open_broken(seat: Seat) -> FakeApp:
    raise ValueError("this application cannot start")
