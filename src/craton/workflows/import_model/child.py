"""A program run beside the job: converting and measuring need torch, which the job's own process never loads.

Owns its environment (no secrets, no network of hubs), its end with the job's, and its last words. What it starts itself
goes with it. It must not know what the program does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from craton.infra.compute.guard import Guard
from craton.infra.compute.process import available_cores, signal_group, signal_process
from craton.infra.compute.sandbox import Sandbox

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "CUDA_VISIBLE_DEVICES")
_FIXED = {
    "PYTHONUNBUFFERED": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
_LINES = 40
_LARGEST_FILE_BYTES = 1 << 42
_LONGEST_LINE = 64 * 1024
_LONGEST_QUESTION = 8 * 1024 * 1024


class Ended(msgspec.Struct, frozen=True):
    """How a program ended: its status (negative: the signal), and what it said last on each stream."""

    code: int
    said: list[str]
    complained: list[str]


async def run(
    words: list[str], folder: Path, sandbox: Sandbox, *, reads: Sequence[str] = (), threads: int = 0,
    hear: Callable[[bytes], None] | None = None, stop: Callable[[], Awaitable[None]] | None = None,
    replies: asyncio.Queue[bytes] | None = None,
) -> Ended:  # fmt: skip
    """Run `python -m WORDS…` in a folder, which is also its home, to its end; cancelled, it is ended with all its own.

    It reaches no network and writes to this folder alone, as far as the sandbox holds here; of the home it reads that,
    and `reads`. `hear` gets each line that it says, as it comes. Once `stop` returns it is sent SIGTERM. `replies` are
    lines for its standard input, which an empty one ends, as SIGTERM does. Raises OSError.
    """
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    cores = str(threads or available_cores())
    with sandbox.around(folder, [str(folder), *reads], _LARGEST_FILE_BYTES) as entry:
        child = await asyncio.create_subprocess_exec(
            *entry.words, sys.executable, "-P", "-m", *words,
            cwd=folder,
            env={**passed, **_FIXED, "OMP_NUM_THREADS": cores, "HOME": str(folder), "TMPDIR": str(folder)},
            stdin=asyncio.subprocess.DEVNULL if replies is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE if replies is None else _LONGEST_QUESTION,
            start_new_session=True,  # and with it a group of its own; uvloop knows no `process_group`
            pass_fds=entry.handles,
        )  # fmt: skip
        try:
            entry.settle()
        except OSError:
            await child.wait()
            raise
    guard = Guard()
    guard.add(child.pid)
    beside = [asyncio.create_task(_stopped(child.pid, stop, replies))] if stop is not None else []
    if child.stdin is not None and replies is not None:
        beside.append(asyncio.create_task(_fed(child.stdin, replies)))
    try:
        said, complained, code = await asyncio.gather(_last(child.stdout, hear), _last(child.stderr), child.wait())
    except BaseException:
        signal_group(child.pid, signal.SIGKILL)
        await child.wait()
        raise
    finally:
        for task in beside:
            task.cancel()
        guard.remove(child.pid)
        guard.close()
    return Ended(code, said, complained)


async def _stopped(pid: int, stop: Callable[[], Awaitable[None]], replies: asyncio.Queue[bytes] | None) -> None:
    await stop()
    signal_process(pid, signal.SIGTERM)
    if replies is not None:
        replies.put_nowait(b"")  # so that it does not wait for what nobody answers


async def _fed(stdin: asyncio.StreamWriter, replies: asyncio.Queue[bytes]) -> None:
    with suppress(ConnectionError):  # it ended first
        while line := await replies.get():
            stdin.write(line)
            await stdin.drain()
    stdin.close()


async def _last(stream: asyncio.StreamReader | None, hear: Callable[[bytes], None] | None = None) -> list[str]:
    lines: deque[str] = deque(maxlen=_LINES)
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:  # a line longer than the limit; what follows is read on
            continue
        if not line:
            break
        if hear is not None:
            hear(line)
        text = line.decode(errors="replace").strip()
        if text:
            lines.append(text)
    return list(lines)
