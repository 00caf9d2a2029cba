"""Craton alone: how soon it answers, what it keeps, and a thousand streams at once.

    python bench/server.py [--starts 5] [--streams 1000] [--chunks 20] [--gap 0.5]

Start: from the start of the process to the first 200 of `/health`, with the CPU that all its processes spent. Memory:
the proportional share (PSS) of the supervisor and one worker, idle, then while all streams are open. Streams: a fake
upstream sends one chunk per `gap` seconds into each; every stream must end whole. Nothing here is a timed test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from gateway import ACCESS_KEY, SECRET_KEY, converse_body, cpu_s, free_port, process, pss_mib, signed

from craton.aws.wire.eventstream import Decoder

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(delta: dict, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return (
        b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
    )


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Upstream:
    """Sends `chunks` pieces of text into each stream, one per `gap_s` seconds."""

    def __init__(self, chunks: int, gap_s: float) -> None:
        self.chunks, self.gap_s = chunks, gap_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        usage = {"prompt_tokens": 1, "completion_tokens": self.chunks, "total_tokens": self.chunks + 1}
        end = chunk({}, "stop") + b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]))  # type: ignore[index]
                writer.write(HEAD + framed(chunk({"role": "assistant", "content": ""})))
                for number in range(self.chunks):
                    await asyncio.sleep(self.gap_s)
                    writer.write(framed(chunk({"content": f" word{number}"})))
                writer.write(framed(end + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


async def read_stream(port: int, message: bytes, chunks: int) -> bool:
    """Whether the stream came whole: every piece, and the metadata last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    decoder, deltas, last = Decoder(), 0, ""
    while size := int(await reader.readline() or b"0", 16):
        for event in decoder.feed((await reader.readexactly(size + 2))[:-2]):
            last = event.name
            deltas += last == "contentBlockDelta"
    writer.close()
    return b" 200 " in head[:20] and deltas == chunks and last == "metadata"


def command(folder: Path, port: int, *options: str) -> list[str]:
    words = [sys.executable, "-m", "craton.cli.main", "serve", "--port", str(port), "--home", str(folder / "home")]
    return [*words, *options]


def start(stack: ExitStack, port: int, words: list[str]) -> subprocess.Popen[bytes]:
    env = {**os.environ, "CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    return stack.enter_context(process(words, f"http://127.0.0.1:{port}/health", stdout=subprocess.DEVNULL, env=env))


def measure_starts(count: int) -> None:
    for _ in range(count):
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            port, began = free_port(), time.monotonic()
            child = start(stack, port, command(Path(name), port))
            wall, cpu = time.monotonic() - began, cpu_s(child.pid)
            time.sleep(1)
            print(f"first 200 after {wall:.2f} s ({cpu:.2f} s of CPU), idle {pss_mib(child.pid):.1f} MiB")


async def measure_streams(streams: int, chunks: int, gap_s: float) -> None:
    upstream = await asyncio.start_server(Upstream(chunks, gap_s).serve, "127.0.0.1", 0, backlog=4096)
    port, body = free_port(), converse_body()
    url = f"http://127.0.0.1:{port}/model/bench.stream/converse-stream"
    fields = {**signed(url, body), "Host": f"127.0.0.1:{port}", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    message = f"POST /model/bench.stream/converse-stream HTTP/1.1\r\n{lines}\r\n".encode() + body
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        config = Path(name) / "craton.toml"
        target = (
            f'base_url = "http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1"\nmodel = "m"\ntimeout_s = 600'
        )
        config.write_text(f'[[model]]\nid = "bench.stream"\n[[model.target]]\nprovider = "openai"\n{target}\n')
        child = await asyncio.to_thread(start, stack, port, command(Path(name), port, "--config", str(config)))
        for number in range(1, 4):
            before = cpu_s(child.pid)
            tasks = [asyncio.create_task(read_stream(port, message, chunks)) for _ in range(streams)]
            await asyncio.sleep(chunks * gap_s * 0.8)
            memory = pss_mib(child.pid)
            whole = sum(one is True for one in await asyncio.gather(*tasks, return_exceptions=True))
            cpu_us = (cpu_s(child.pid) - before) / streams / chunks * 1e6
            print(
                f"round {number}: {whole} of {streams} streams whole, {memory:.1f} MiB, {cpu_us:.0f} CPU µs per chunk"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--gap", type=float, default=0.5)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    measure_starts(args.starts)
    asyncio.run(measure_streams(args.streams, args.chunks, args.gap))


if __name__ == "__main__":
    main()
