"""A replica for tests: OpenAI's chat shape on a Unix socket, with adapters, and the process's number in every answer.

Usage: fleet_replica.py SOCKET WORD DELAY_S. Each answer's text is `WORD PID-MARK` (behind the adapter's name and a blank, if
`model` names a loaded one), after DELAY_S seconds, in four pieces if it is streamed. SIGTERM ends it at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

SOCKET, WORD, DELAY_S = sys.argv[1], sys.argv[2], float(sys.argv[3])
MARK = f"{os.getpid()}-{os.urandom(4).hex()}"  # within a namespace of its own every process may have the same number
ADAPTERS: dict[str, str] = {}
RUNNING: set[int] = set()
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


async def answered(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status and the body of a whole answer."""
    if path == "/health":
        return 200, {"status": "ok", "running": len(RUNNING), "waiting": 0}
    if path == "/v1/load_lora_adapter":
        if not Path(body["lora_path"]).is_dir():
            return 400, {"error": {"message": "no such adapter"}}
        ADAPTERS[body["lora_name"]] = body["lora_path"]
        return 200, {}
    if path == "/v1/unload_lora_adapter":
        return (200, {}) if ADAPTERS.pop(body["lora_name"], None) else (404, {})
    await asyncio.sleep(DELAY_S)
    message = {"role": "assistant", "content": said(body)}
    return 200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}


def said(body: dict[str, Any]) -> str:
    name = str(body.get("model"))
    return f"{name + ' ' if name in ADAPTERS else ''}{WORD} {MARK}"


async def stream(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    for piece in (*said(body).partition(" "), ""):
        delta: dict[str, Any] = {"index": 0, "delta": {"content": piece}, "finish_reason": None if piece else "stop"}
        writer.write(b"data: %s\n\n" % json.dumps({"choices": [delta]}).encode())
        await writer.drain()
        await asyncio.sleep(DELAY_S / 4)
    writer.write(b"data: %s\n\ndata: [DONE]\n\n" % json.dumps({"choices": [], "usage": USAGE}).encode())
    await writer.drain()


async def turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request; whether another may follow on this connection."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}")
    path = lines[0].split()[1]
    if path.startswith("/v1/chat"):
        RUNNING.add(id(writer))
    if body.get("stream"):
        await stream(writer, body)
        return False
    status, reply = await answered(path, body)
    data = json.dumps(reply).encode()
    kind = b"Content-Type: application/json"
    writer.write(b"HTTP/1.1 %d OK\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (status, kind, len(data), data))
    await writer.drain()
    RUNNING.discard(id(writer))
    return True


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await turn(reader, writer):
            pass
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        RUNNING.discard(id(writer))
        writer.close()


async def main() -> None:
    server = await asyncio.start_unix_server(serve, SOCKET)
    print(f"{WORD} serves", flush=True)
    await server.serve_forever()


asyncio.run(main())
