"""Retrieve as its callers see it: signed requests over HTTP, the question embedded, the index searched, the answer read.

    python -m bench.retrieval [--chunks 100000] [--fake | --precision int8] [--seconds 10]

A server of its own with one knowledge base of synthetic chunks of 384 dimensions (100 tenants, so that a filter on one
keeps 1 %), filled straight through the vector store. Questions are embedded by the packaged small model in a process
beside (with `--fake` by a stub that costs nothing). 8 callers at once in a process of their own, each on one connection.
Prints p50, p99 and the CPU time of all of the server's processes in milliseconds, with and without the filter, for the
default (hybrid) and for SEMANTIC, and beside them the embedding alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from craton import config
from craton.aws.wire.sign import Keys, Signer
from craton.features.rag.resources import KnowledgeBase, base_arn
from craton.infra.store.opening import open_store
from craton.infra.store.port import amend
from craton.infra.vectors.opening import open_vectors
from craton.infra.vectors.port import Entry, Shape, Version
from craton.models.catalog.local import packaged_models
from craton.storing import store_url
from tests.acceptance.knowledge import knowledge
from tests.fakes import embedders
from tests.fakes.upstream import FakeUpstream
from tests.running import ACCESS_KEY, SECRET_KEY, Running, model_config

TITAN, INT8 = "amazon.titan-embed-text-v2:0", "craton.minilm-int8"
CALLERS, TENANTS, DIMENSIONS, WORDS = 8, 100, 384, 20_000
BATCH = 4096
SIGNED = 1000
"""Requests that each caller has ready, to be sent again when they are through."""
SERVICE, REGION = "bedrock", "us-east-1"
TICKS = os.sysconf("SC_CLK_TCK")

Ask = Callable[[int], tuple[str, bytes]]
"""The path and the body of a caller's nth request."""


def entries(count: int) -> Iterator[list[Entry]]:
    """Chunks of 60 words in 500 clusters, a batch at a time."""
    chance = np.random.default_rng(11)
    centres = chance.normal(size=(500, DIMENSIONS))
    for start in range(0, count, BATCH):
        some = min(BATCH, count - start)
        vectors = centres[chance.integers(0, 500, some)] + 0.6 * chance.normal(size=(some, DIMENSIONS))
        words = chance.integers(0, WORDS, (some, 60))
        yield [
            Entry(
                id=f"c{start + at}",
                document=f"SOURCE/s3://bench/{(start + at) // 10}.txt",
                source="SOURCE",
                text=" ".join(f"word{word}" for word in words[at]),
                vector=vectors[at].astype(np.float32),
                location=b'{"type":"S3","s3Location":{"uri":"s3://bench/key.txt"}}',
                start=at,
                end=at + 400,
                metadata={"tenant": f"t{(start + at) % TENANTS}", "year": float(2000 + at % 25)},
            )
            for at in range(some)
        ]


async def fill(settings: config.Settings, index: str, count: int) -> Version:
    vectors = open_vectors(settings.file.vectors, settings.home_path)
    draft = await vectors.draft(index, Shape(DIMENSIONS), None)
    for some in entries(count):
        await draft.put(some)
    version = await draft.finish()
    await vectors.close()
    return version


def make_visible(settings: config.Settings, base: str, version: Version) -> None:
    store = open_store(store_url(settings), durable=True)
    body = lambda row: msgspec.structs.replace(row.read(KnowledgeBase), index=version)  # noqa: E731
    arn = base_arn(settings.account, REGION, base)
    amend(store, arn, lambda row: msgspec.structs.replace(row, body=msgspec.json.encode(body(row))))
    store.close()


def signed(signer: Signer, authority: bytes, path: str, body: bytes) -> bytes:
    """A whole request as it goes over the wire."""
    headers = ((b"content-type", b"application/json"),)
    told = [*headers, *signer.sign(b"POST", path.encode(), body, datetime.now(UTC), headers=headers)]
    told += [(b"content-length", f"{len(body)}".encode())]
    if all(name.lower() != b"host" for name, _ in told):
        told.append((b"host", authority))
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in told)
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + lines + b"\r\n" + body


def call(line: socket.socket, request: bytes) -> float:
    """One exchange; milliseconds."""
    began = time.perf_counter()
    line.sendall(request)
    told = line.recv(1 << 20)
    while (end := told.find(b"\r\n\r\n")) < 0:
        told += line.recv(1 << 20)
    found = re.search(rb"content-length: (\d+)", told[:end], re.IGNORECASE)
    assert found is not None, told[:end]
    while len(told) < end + 4 + int(found[1]):
        told += line.recv(1 << 20)
    took_ms = (time.perf_counter() - began) * 1000
    if not told.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{told[:500]!r}")
    return took_ms


def callers(port: int, ask: Ask, seconds: float) -> list[float]:
    """What `CALLERS` at once measure. They share the machine with the server, so what they do is least: all is signed before."""
    authority = f"127.0.0.1:{port}".encode()
    signer = Signer(Keys(ACCESS_KEY, SECRET_KEY), service=SERVICE, region=REGION, authority=authority)
    requests = [signed(signer, authority, *ask(number)) for number in range(CALLERS * SIGNED)]
    found: list[float] = []

    def run(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 60) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end, at = time.monotonic() + seconds, number
            while time.monotonic() < end:
                found.append(call(line, requests[at % len(requests)]))
                at += CALLERS

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _callers(pipe: Any, port: int, kind: str, base: str, seconds: float) -> None:
    pipe.send(callers(port, asks(base)[kind], seconds))


def asks(base: str) -> dict[str, Ask]:
    path = f"/knowledgebases/{base}/retrieve"

    def retrieve(number: int, **search: Any) -> tuple[str, bytes]:
        text = f"what is word{number * 7919 % WORDS} beside word{number * 104_729 % WORDS}"
        request: dict[str, Any] = {"retrievalQuery": {"text": text}}
        request["retrievalConfiguration"] = {"vectorSearchConfiguration": {"numberOfResults": 10, **search}}
        return path, json.dumps(request).encode()

    def tenant(number: int) -> dict[str, Any]:
        return {"filter": {"equals": {"key": "tenant", "value": f"t{number % TENANTS}"}}}

    def embedding(number: int) -> tuple[str, bytes]:
        body = {"inputText": f"what is word{number * 7919 % WORDS} beside that", "dimensions": 256}
        return f"/model/{TITAN.replace(':', '%3A')}/invoke", json.dumps(body).encode()

    return {
        "embedding alone": embedding,
        "hybrid": retrieve,
        "hybrid, filter keeps 1 %": lambda number: retrieve(number, **tenant(number)),
        "semantic": lambda number: retrieve(number, overrideSearchType="SEMANTIC"),
        "semantic, filter keeps 1 %": lambda number: retrieve(number, overrideSearchType="SEMANTIC", **tenant(number)),
    }


def measured(port: int, kind: str, base: str, seconds: float) -> list[float]:
    """The callers in a process of their own, so that they and the server do not wait for each other's interpreter."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_callers, args=(there, port, kind, base, seconds))
    process.start()
    found: list[float] = here.recv()
    process.join()
    return found


def cpu_s(root: int) -> float:
    """CPU seconds of a process and of all below it."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                used[int(entry.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    below = {root}
    for _ in range(5):
        below |= {one for one, parent in parents.items() if parent in below}
    return sum(used[one] for one in below if one in used)


def row(name: str, times: Sequence[float], seconds: float, cpu: float) -> str:
    ordered = sorted(times)
    p99, cpu_ms = ordered[int(len(ordered) * 0.99)], cpu * 1000 / len(ordered)
    return f"| {name} | {statistics.median(ordered):.1f} | {p99:.1f} | {len(ordered) / seconds:.0f} | {cpu_ms:.1f} |"


def add_int8(home: Path) -> None:
    """The packaged model converted, as `docs/models/minilm-l6-v2.md` advises for large collections."""
    words = ["models", "add", packaged_models()[0].directory, "--id", INT8, "--precision", "int8", "--home", f"{home}"]
    subprocess.run([sys.executable, "-m", "craton.cli.main", *words], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fake", action="store_true", help="embed by a stub")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="of the packaged model")
    given = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lines = ""
        if given.fake:
            up = stack.enter_context(FakeUpstream(fallback=embedders.natural))
            lines = model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small")
        if given.precision == "int8":
            add_int8(home)
            lines = f'[[model]]\nid = "{TITAN}"\n[[model.target]]\nprovider = "local"\nmodel = "{INT8}"\n'
        server = stack.enter_context(Running(home, lines))
        known = knowledge(server, "bench")
        settings = config.load(home=str(home))
        began = time.perf_counter()
        version = asyncio.run(fill(settings, known.base.lower(), given.chunks))
        make_visible(settings, known.base, version)
        print(f"{version.chunks} chunks written and indexed in {time.perf_counter() - began:.0f} s\n")
        print("| 8 callers | p50 ms | p99 ms | requests/s | CPU ms a request |\n|---|---|---|---|---|")
        assert server.process is not None
        for kind in asks(known.base):
            measured(server.port, kind, known.base, min(2.0, given.seconds))  # warm
            before = cpu_s(server.process.pid)
            times = measured(server.port, kind, known.base, given.seconds)
            print(row(kind, times, given.seconds, cpu_s(server.process.pid) - before), flush=True)


if __name__ == "__main__":
    main()
