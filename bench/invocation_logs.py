"""What invocation logs cost a Converse: CPU microseconds per request with logs off and on, and of the writing.

Owns the comparison. The whole worker runs in this process as in `access_converse`; with logs on every request is kept
in the spool (sealed, on the disk), and the CPU of the thread that does it is counted apart. The two take turns; the
lowest decile is what the code costs, the median what neighbours on the machine add.

    python -m bench.invocation_logs [--rounds 30]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from typing import Any

from bench import access_converse as converse
from craton.features.invocations.terms import StoredTerms
from craton.models.providers import http
from craton.working import Worker

BATCH = 300
TERMS = StoredTerms(converse.ACCOUNT, "us-east-1", b'{"s3Config":{"bucketName":"logs"}}')


async def ask(app: Worker, asked: dict[str, Any], *, logged: bool) -> list[float]:
    """CPU microseconds of this thread for each of a batch's requests, until it is answered."""
    app.logging = [TERMS] if logged else []
    app.take_up_log()
    spent = []
    for _ in range(BATCH):
        began = time.thread_time_ns()
        await app(asked, receive, send)
        spent.append((time.thread_time_ns() - began) / 1e3)
    if app.log is not None:
        while app.log.ring.held_bytes:  # noqa: ASYNC110 - the ring has nobody else to tell
            await asyncio.sleep(0.02)
    return spent


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": converse.BODY, "more_body": False}


async def send(message: dict[str, Any]) -> None:
    """Nobody reads."""


def timed(app: Worker) -> list[float]:
    """CPU microseconds of the writing thread for a record of each batch, as they come."""
    spent: list[float] = []
    if app.log is None:
        return spent
    keep = app.log.spool._keep

    def kept(encode: Any) -> Any:
        began = time.thread_time_ns()
        left = keep(encode)
        spent.append((time.thread_time_ns() - began) / 1e3 / BATCH)
        return left

    app.log.spool._keep = kept  # type: ignore[method-assign]
    return spent


async def sealed(account: str, purpose: str, key: str | None, plaintext: bytes, *_: object, **__: object) -> bytes:
    """A segment's key, which is sealed once a second; there is no store here to keep the account's key in."""
    return plaintext


async def measure(rounds: int) -> None:
    http.Pool.fetch = converse.upstream  # type: ignore[assignment, method-assign]
    with tempfile.TemporaryDirectory() as home:
        app, asked = converse.worker(home), converse.scope(converse.ROOT)
        app.cipher.seal = sealed  # type: ignore[method-assign]
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 50)  # as in a worker
        await ask(app, asked, logged=True)
        written, off, on = timed(app), [], []
        for _ in range(rounds):
            off += await ask(app, asked, logged=False)
            on += await ask(app, asked, logged=True)
        await app.close()
    print("| µs of CPU | lowest decile | median |\n|---|---|---|")
    show("a Converse, logs off", off)
    show("a Converse, logs on", on)
    show("its record, sealed and on the disk, in another thread", written)


def show(name: str, times: list[float]) -> None:
    print(f"| {name} | {statistics.quantiles(times, n=10)[0]:.1f} | {statistics.median(times):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    asyncio.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
