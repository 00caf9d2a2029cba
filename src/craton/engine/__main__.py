"""`python -m craton.engine`: serve one model directory over HTTP, on a Unix socket or on loopback.

Owns the command line and the order of starting and ending. Everything that counts is set before a runtime is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from craton.engine.process import die_with_parent, say

if TYPE_CHECKING:
    from craton.engine.server import Application

DRAIN_S = 4.0


def arguments(given: list[str]) -> argparse.Namespace:
    """Parse the command line; ends the program with status 2 on a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m craton.engine", description="Serve one model directory.")
    parser.add_argument("--model", type=Path, required=True, help="directory in ONNX Runtime GenAI's format")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--uds", type=Path, help="Unix socket to listen on (made with mode 0600)")
    where.add_argument("--port", type=int, help="TCP port to listen on; 0 lets the system choose")
    parser.add_argument("--host", default="127.0.0.1", help="address for --port (default: loopback)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores to use (default: all)")
    parser.add_argument("--max-batch", type=int, default=16, help="requests decoded together (default: 16)")
    parser.add_argument("--max-waiting", type=int, default=64, help="requests that may wait (default: 64)")
    parser.add_argument("--context", type=int, default=16384, help="largest context in tokens (default: 16384)")
    parser.add_argument("--name", help="model id to answer to (default: the directory's own)")
    parser.add_argument("--parent-pid", type=int, help="end at once unless this process is our parent")
    found = parser.parse_args(given)
    for name in ("threads", "max_batch", "context"):
        if getattr(found, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    return found


def main(given: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit status is 0 then, 1 when the model cannot be served."""
    options = arguments(sys.argv[1:] if given is None else given)
    die_with_parent(options.parent_pid)
    # Read by OpenMP pools of whatever a runtime brings along: waiting threads must not burn cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    import uvloop

    status: int = uvloop.run(_serve(options))
    return status


async def _serve(options: argparse.Namespace) -> int:
    from craton.engine.http import HttpServer
    from craton.engine.server import Application

    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    application = Application(options.name or options.model.name)
    server = HttpServer(application, _failed)
    try:
        address = await server.listen(options.uds, options.host, options.port or 0)
    except OSError as fault:
        say("failed", reason=f"cannot listen on {options.uds or options.port}: {fault.strerror or fault}")
        return 1
    say("loading", model=application.name, address=address, pid=os.getpid())
    loading = asyncio.create_task(_load(application, options))
    stopping = asyncio.create_task(asked_to_stop.wait())
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    failed = loading.done() and not loading.result()
    if not failed:
        await stopping
        application.state = "draining"
        say("draining")
        await server.drain(DRAIN_S)
    _end(application, options, 1 if failed else 0)
    return 1 if failed else 0


def _failed(fault: Exception) -> None:
    """Name an exception that no rule foresaw and where it arose, never its text: that may hold what a client sent."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    say("request-failed", reason=type(fault).__name__, at=f"{Path(last.filename).name}:{last.lineno}")


async def _load(application: Application, options: argparse.Namespace) -> bool:
    """Read and open the model in a thread, so that /health answers meanwhile; False when it cannot be served."""
    from craton.engine.backend import EngineFault, ModelSpec
    from craton.engine.modeldir import describe, verify
    from craton.engine.onnx_backend import OnnxBackend
    from craton.engine.server import Serving
    from craton.engine.tokenizer import Tokenizer

    loop = asyncio.get_running_loop()

    def open_model() -> Serving:
        found = describe(options.model)
        verify(found)
        tokenizer = Tokenizer(found.path / "tokenizer.json", found.eos, found.vocabulary)
        backend = OnnxBackend(loop, tokenizer, found.eos)
        context = min(options.context, found.context_tokens)
        serving = Serving(found, tokenizer, backend)
        backend.load(ModelSpec(found.path, options.threads, options.max_batch, options.max_waiting, context))
        return serving

    try:
        serving = await asyncio.to_thread(open_model)
    except (EngineFault, ValueError) as fault:
        application.state, application.reason = "failed", str(fault)
        say("failed", reason=fault)
        return False
    application.serving = serving
    application.state = "ready"
    if options.name is None:
        application.name = serving.found.model_id
    stats = serving.backend.stats()
    say(
        "ready",
        model=application.name,
        runtime=stats.kind,
        threads=stats.threads,
        max_batch=stats.max_batch,
        context=stats.context_tokens,
    )
    return True


def _end(application: Application, options: argparse.Namespace, status: int) -> None:
    """Leave nothing behind; a runtime that hangs in native code is not waited for."""
    if options.uds is not None:
        options.uds.unlink(missing_ok=True)
    say("stopped")
    if application.serving is not None:
        application.serving.backend.close()
        if application.serving.backend.stats().step_s > 0:
            os._exit(status)


if __name__ == "__main__":
    raise SystemExit(main())
