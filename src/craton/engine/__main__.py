"""`python -m craton.engine`: serve one model directory over HTTP, on a Unix socket or on loopback.

Owns the command line and the order of starting and ending. Everything that counts is set before a runtime is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from craton.engine.process import die_with_parent, say

if TYPE_CHECKING:
    from craton.engine.application import Application, Serving
    from craton.engine.backend import ModelSpec

DRAIN_S = 4.0
# Pictures come as base64 in a request: Bedrock's own limit of a body is 25 MB.
IMAGE_BODY_BYTES = 32 << 20
BACKENDS = ("auto", "onnx", "transformers")
# Kind of model → "module:function" that opens its directory: (ModelSpec, event loop) → application.Serving.
OPENERS = {
    "chat": "craton.engine.server:open_chat",
    "embedding": "craton.engine.embeddings.serving:open_encoder",
    "rerank": "craton.engine.embeddings.serving:open_encoder",
    "image": "craton.engine.images.server:open_images",
}


def arguments(given: list[str]) -> argparse.Namespace:
    """Parse the command line; ends the program with status 2 on a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m craton.engine", description="Serve one model directory.")
    parser.add_argument(
        "--model", type=Path, required=True, help="directory of a model, as `craton models add` makes it"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--uds", type=Path, help="Unix socket to listen on (made with mode 0600)")
    where.add_argument("--port", type=int, help="TCP port to listen on; 0 lets the system choose")
    parser.add_argument("--host", default="127.0.0.1", help="address for --port (default: loopback)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores to use (default: all)")
    parser.add_argument("--max-batch", type=int, default=16, help="requests decoded together (default: 16)")
    parser.add_argument("--max-waiting", type=int, default=64, help="requests that may wait (default: 64)")
    parser.add_argument("--context", type=int, default=16384, help="largest context in tokens (default: 16384)")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="who computes (default: by the files)")
    parser.add_argument("--device", default="auto", help="of torch, such as cpu or cuda:0 (default: what there is)")
    parser.add_argument("--max-adapters", type=int, default=128, help="LoRA adapters kept in memory (default: 128)")
    parser.add_argument("--name", help="model id to answer to (default: the directory's own)")
    parser.add_argument("--parent-pid", type=int, help="end at once unless this process is our parent")
    found = parser.parse_args(given)
    for name in ("threads", "max_batch", "context", "max_adapters"):
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
    from craton.engine.application import Application
    from craton.engine.http import BODY_BYTES, HttpServer

    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    application = Application(options.name or options.model.name)
    limit = IMAGE_BODY_BYTES if kind_of(options.model) == "image" else BODY_BYTES
    server = HttpServer(application, _failed, body_bytes=limit)
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


def kind_of(directory: Path) -> str:
    """What the directory's own card says that its model does; chat where it says nothing, or there is no card.

    Without a card sentence-transformers' list of modules tells an encoder.
    """
    try:
        return str(json.loads((directory / "craton.json").read_bytes()).get("kind", "chat"))
    except (OSError, ValueError, AttributeError):
        return "embedding" if (directory / "modules.json").is_file() else "chat"


async def _load(application: Application, options: argparse.Namespace) -> bool:
    """Read and open the model in a thread, so that /health answers meanwhile; False when it cannot be served."""
    from craton.engine.backend import EngineFault, ModelSpec

    spec = ModelSpec(
        options.model,
        options.threads,
        options.max_batch,
        options.max_waiting,
        options.context,
        options.backend,
        options.device,
        options.max_adapters,
    )
    try:
        serving = await asyncio.to_thread(_open, spec, asyncio.get_running_loop())
    except (EngineFault, ValueError) as fault:
        application.state, application.reason = "failed", str(fault)
        say("failed", reason=fault)
        return False
    application.serving = serving
    application.state = "ready"
    if options.name is None:
        application.name = serving.model_id
    stats = serving.stats()
    say(
        "ready",
        model=application.name,
        runtime=stats.kind,
        threads=stats.threads,
        max_batch=stats.max_batch,
        context=stats.context_tokens,
    )
    return True


def _open(spec: ModelSpec, loop: asyncio.AbstractEventLoop) -> Serving:
    """Open a directory by the kind that it names. Raises EngineFault."""
    from craton.engine.backend import EngineFault

    kind = kind_of(spec.path)
    if kind not in OPENERS:
        raise EngineFault(f"{spec.path} holds a model of the kind {kind!r}, which this engine does not serve")
    module, _, function = OPENERS[kind].partition(":")
    opener: Callable[[ModelSpec, asyncio.AbstractEventLoop], Serving] = getattr(import_module(module), function)
    return opener(spec, loop)


def _end(application: Application, options: argparse.Namespace, status: int) -> None:
    """Leave nothing behind; a runtime that hangs in native code is not waited for."""
    if options.uds is not None:
        options.uds.unlink(missing_ok=True)
    say("stopped")
    if application.serving is not None:
        application.serving.close()
        if application.serving.stats().step_s > 0:
            os._exit(status)


if __name__ == "__main__":
    raise SystemExit(main())
