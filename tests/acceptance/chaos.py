"""Vendors that die, stall and lie on command, and clients that keep asking: what the chaos tests are made of.

A `Vendor` is an OpenAI-shaped server on a port of its own that can be killed and started again there; it notes for
each request id what it did. A `Client` is one keep-alive connection that sends signed requests and reads the answers
byte by byte, so that nothing is tried twice behind the test's back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from dataclasses import dataclass, field

from tests.acceptance import rawhttp
from tests.fakes import scripts
from tests.running import Running

_ID = re.compile(rb"request-\d+-\d+")
ERRORS = {
    "500": scripts.error_openai(500)[0],
    "503": scripts.error_openai(503)[0],
    "429": scripts.error_openai(429)[0],
    "wait": scripts.error_openai(429, {"retry-after-ms": "300"})[0],
    "garbage": b"\x00\x01 this is no HTTP\r\n\r\n",
    "nonsense": scripts.plain(b'{"choices": "none"}'),
}


@dataclass
class Vendor:
    """`mode`: `well`, a name of ERRORS, `stall` (says nothing) or `cut` (takes the request and hangs up)."""

    name: str
    port: int = 0
    mode: str = "well"
    done: dict[bytes, float] = field(default_factory=dict)  # request id → when its answer was whole
    again: list[bytes] = field(default_factory=list)  # ids that were answered whole a second time
    begun: set[bytes] = field(default_factory=set)  # ids whose stream began and was cut
    asked: int = 0
    killed_at: list[float] = field(default_factory=list)

    async def start(self) -> None:
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Refuse all that comes and reset all that is there."""
        self.killed_at.append(time.monotonic())
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = re.search(rb"content-length: (\d+)", head.lower())
                body = await reader.readexactly(int(size[1]) if size else 0)
                self.asked += 1
                if self.mode == "stall":
                    await reader.read(1)  # until it is given up
                    return
                await self._answer(body, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        found = _ID.findall(body)
        await asyncio.sleep(random.uniform(0.002, 0.02))
        if self.mode == "cut":
            raise ConnectionResetError
        if self.mode in ERRORS:
            writer.write(ERRORS[self.mode])
            await writer.drain()
            return
        text = f"{found[-1].decode()} by {self.name}"
        script = scripts.openai_stream([text, " and more"]) if b'"stream":true' in body else scripts.openai_reply(text)
        for number, step in enumerate(script):
            assert isinstance(step, bytes)
            if number:
                self.begun.add(found[-1])
                await asyncio.sleep(0.002)
            if writer.transport.is_closing():
                raise ConnectionResetError
            writer.write(step)
            await writer.drain()
        self.begun.discard(found[-1])
        if found[-1] in self.done:
            self.again.append(found[-1])
        self.done[found[-1]] = time.monotonic()


@dataclass
class Client:
    """One connection; `answers` holds what came back for each id, `refused` what was no answer."""

    server: Running
    number: int
    model: str
    answers: dict[bytes, bytes] = field(default_factory=dict)
    refused: dict[bytes, bytes] = field(default_factory=dict)

    async def ask_until(self, end: float, *, streams: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        sent = 0
        while time.monotonic() < end:
            sent += 1
            ident = f"request-{self.number}-{sent}".encode()
            action = "converse-stream" if streams and sent % 2 else "converse"
            writer.write(self.request(ident, action))
            answer = await asyncio.wait_for(read_answer(reader), 30)
            good = answer.startswith(b"HTTP/1.1 200") and (action == "converse" or b"totalTokens" in answer)
            (self.answers if good else self.refused)[ident] = answer
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def request(self, ident: bytes, action: str) -> bytes:
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": ident.decode()}]}]}).encode()
        target = f"/model/{self.model}/{action}"
        signed = rawhttp.sign("POST", self.server.url + target, body)
        return rawhttp.head(self.server, "POST", target, [*signed.items(), ("Content-Length", str(len(body)))]) + body


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """One HTTP answer, head and body, as it came."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    if length:
        return head + await reader.readexactly(int(length[1]))
    got = head
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        got += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return got
