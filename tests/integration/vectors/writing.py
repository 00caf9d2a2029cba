"""One draft with every kind of change, for the test that kills it; run as a program it does that itself.

    python -m tests.integration.vectors.writing VERSION-AS-JSON

reads lines of FOLDER, STEP and MILLISECONDS, with tabs between them. For each it forks a process that makes the draft in the
folder and gets a SIGKILL so many milliseconds after the step has begun, and says by which signal it ended. The store is
loaded once, before the first fork, and used by forked processes alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from craton.infra.vectors.port import Version
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import SHAPE, chunk, store

SIZES = Sizes(indexed_from=1, flush_rows=1)
STEPS = ("begin", "remove", "put", "retag", "move", "clear", "finish", "end")


async def steps(folder: Path, visible: Version) -> AsyncIterator[tuple[str, Version | None]]:
    """Each step is told before it is done; the last one with what was written."""
    yield "begin", None
    draft = await store(folder, sizes=SIZES).draft("kb", SHAPE, visible)
    yield "remove", None
    await draft.remove(["doc0"])
    yield "put", None
    await draft.put([chunk(number, "added", "more words", metadata={"fresh": True}) for number in range(100, 120)])
    yield "retag", None
    await draft.retag("doc1", {"tagged": "yes"}, None)
    yield "move", None
    await draft.move("doc2", "doc2 moved", b"[]")
    yield "clear", None
    await draft.remove_source("GONE")
    yield "finish", None
    version = await draft.finish()
    yield "end", version


async def _until(folder: Path, visible: Version, last: str, delay_ms: float) -> None:
    async for step, _ in steps(folder, visible):
        if step == last:
            threading.Timer(delay_ms / 1000, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    await asyncio.sleep(5)


def main() -> None:
    import lancedb  # noqa: F401

    visible = msgspec.json.decode(sys.argv[1], type=Version)
    for line in sys.stdin:
        folder, step, delay_ms = line.rstrip("\n").split("\t")
        if not (child := os.fork()):
            asyncio.run(_until(Path(folder), visible, step, float(delay_ms)))
            os._exit(0)
        print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
