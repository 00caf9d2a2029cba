"""Starting one model process: its command, its minimal environment, its limits, its group; and ending it.

Owns: everything between a `ModelSpec` and a running child, and the way from SIGTERM to SIGKILL. Must not know: when
to start or stop, and what a sandbox is made of.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from craton.infra.compute.guard import Guard
from craton.infra.compute.journal import Journal
from craton.infra.compute.port import ModelSpec
from craton.infra.compute.process import (
    available_cores,
    reap,
    signal_group,
    signal_process,
    wait_zombie,
)
from craton.infra.compute.sandbox import Entry, Sandbox, unwalled

# What a child needs to find its interpreter, its libraries and its accelerator. Everything else, above all
# credentials, stays here.
_PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)
_FIXED = {
    # Threads that spin while they wait starve the gateway: 2.5 instead of 101 tokens per second on a busy machine.
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}


_LAST_READS = 16


class Child:
    """A running model process: `pid` is also its process group."""

    def __init__(
        self, process: subprocess.Popen[bytes], threads: int, scratch: Path, journal: Journal, guard: Guard
    ) -> None:
        """Take over a process just started and begin to read its standard error."""
        self.pid = process.pid
        self.threads = threads
        self._process = process  # never asked: reaping is `ended`'s, after the group is gone
        self._scratch = scratch
        self._guard = guard
        guard.add(self.pid)
        self._stop_reading = _pump(process, journal)
        self._ending = asyncio.ensure_future(self._end())

    async def ended(self) -> int:
        """Wait for the exit and return the status; by then the whole group is gone and the child is reaped."""
        return await asyncio.shield(self._ending)

    async def stop(self, grace_s: float) -> int:
        """SIGTERM, then SIGKILL after `grace_s` seconds; return the exit status."""
        if self._ending.done():  # reaped: the number may be somebody else's by now
            return self._ending.result()
        signal_process(self.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await self.ended()
        except TimeoutError:
            signal_group(self.pid, signal.SIGKILL)
            return await self.ended()

    async def _end(self) -> int:
        await wait_zombie(self.pid)
        # Before reaping: an unreaped leader keeps the group's id from being given to somebody else.
        signal_group(self.pid, signal.SIGKILL)
        self._guard.remove(self.pid)
        code = reap(self.pid)
        self._process.returncode = code
        self._stop_reading()
        shutil.rmtree(self._scratch, ignore_errors=True)
        return code


def launch(
    spec: ModelSpec, socket_path: Path, scratch: Path, journal: Journal, guard: Guard, sandbox: Sandbox
) -> Child:
    """Start the process of `spec`, listening on `socket_path` (in `scratch`, its working directory), within walls.

    Raises:
        OSError: the command cannot be run, or not as the sandbox has to be.
    """
    threads = spec.threads or available_cores()
    socket_path.unlink(missing_ok=True)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    if spec.container is not None:
        from craton.infra.compute.containers.start import line_of  # few servers have containers

        line = line_of(spec, socket_path, scratch, threads, sandbox.mode)
        with unwalled() as entry:
            return Child(_started(line.command, line.env, scratch, entry), threads, scratch, journal, guard)
    command, env = _command(spec, socket_path, threads), _environment(spec, threads, scratch)
    with sandbox.around(scratch, spec.reads) as entry:
        return Child(_started(command, env, scratch, entry), threads, scratch, journal, guard)


def _started(command: list[str], env: dict[str, str], scratch: Path, entry: Entry) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*entry.words, *command],
        env=env,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=entry.handles,
        process_group=0,
    )
    try:
        entry.settle()
    except OSError:
        process.communicate()
        raise
    return process


def _command(spec: ModelSpec, socket_path: Path, threads: int) -> list[str]:
    return [word.replace("{uds}", str(socket_path)).replace("{threads}", str(threads)) for word in spec.command]


def _environment(spec: ModelSpec, threads: int, scratch: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed | _FIXED | {"OMP_NUM_THREADS": str(threads), "HOME": str(scratch), "TMPDIR": str(scratch)} | spec.env


def _pump(process: subprocess.Popen[bytes], journal: Journal) -> Callable[[], None]:
    """Feed the child's output to `journal` as it comes; return what ends that, taking up what is left."""
    stream = process.stdout
    if stream is None:  # pragma: no cover - a pipe was asked for
        return lambda: None
    loop = asyncio.get_running_loop()
    handle = stream.fileno()
    os.set_blocking(handle, False)

    def read() -> bool:
        try:
            data = os.read(handle, 65_536)
        except BlockingIOError:
            return False
        if data:
            journal.feed(data)
        else:
            loop.remove_reader(handle)
        return bool(data)

    def stop() -> None:
        for _ in range(_LAST_READS):  # a process that left the group may hold the pipe and go on writing
            if not read():
                break
        loop.remove_reader(handle)
        stream.close()

    loop.add_reader(handle, read)
    return stop
