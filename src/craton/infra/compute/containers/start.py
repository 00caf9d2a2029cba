"""How a spec with a container becomes a command line: the relay around bubblewrap, around podman or docker, or alone.

Owns the choice, the environment that SageMaker's containers expect, and what happens where the walls are missing: a
container is refused, unless the sandbox is switched off. Must not know how processes are started or watched.
Source of the contract: AWS's "Use your own inference code with hosting services".
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from craton.infra.compute.containers import bubble, oci
from craton.infra.compute.port import Container, ModelSpec
from craton.infra.compute.sandbox import Mode, Refused

MODEL_FOLDER: Final = "/opt/ml/model"
SERVE: Final = ("serve",)
_RELAY: Final = str(Path(__file__).with_name("relay.py"))
_NO_WALLS: Final = (
    "a container that is a command or a root folder needs bubblewrap (the program bwrap): install it, or set "
    '[compute] sandbox = "off" to run it without walls'
)
_NO_ROOT: Final = "a root folder needs bubblewrap (the program bwrap): without it there is no way into it"
_FOREIGN: Final = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


class Line(msgspec.Struct, frozen=True):
    """What to start, and its whole environment."""

    command: list[str]
    env: dict[str, str]


def line_of(spec: ModelSpec, socket_path: Path, scratch: Path, threads: int, mode: Mode) -> Line:
    """The command line of one replica in a container, listening on `socket_path`.

    Raises:
        Refused: the walls that the mode asks for are not to be had here.
        FileNotFoundError: a program, a folder or a runtime is missing.
    """
    container = spec.container or Container()
    words = [word.replace("{uds}", str(socket_path)).replace("{threads}", str(threads)) for word in spec.command]
    plan: dict[str, Any] = {"socket": str(socket_path), "port": container.port}
    if container.image:
        return _of_image(spec, container, words, plan, scratch, threads)
    words = words or list(SERVE)
    plan.update(memory=spec.memory_limit_bytes, processes=container.processes)
    if bubble.available() and (mode != "off" or container.root):  # there is no way into a root folder without
        env = inside(spec, container.port, threads)
        plan.update(hold=True, filter=base64.b64encode(bubble.call_filter()).decode())
        walls = bubble.arguments(spec, container, _told(words, container.port), env, scratch)
        return Line(_relay(plan, walls), _outside())
    if mode != "off":
        raise Refused(0, _NO_WALLS)
    return _bare(spec, container, words, plan, scratch, threads)


def _of_image(
    spec: ModelSpec, container: Container, words: list[str], plan: dict[str, Any], scratch: Path, threads: int
) -> Line:
    runtime = oci.found(container.runtime)
    oci.sweep(runtime)
    name = f"craton-{secrets.token_hex(6)}"
    env = inside(spec, container.port, threads)
    run = oci.arguments(runtime, name, spec, container, env, scratch)
    plan["bounded"] = spec.memory_limit_bytes
    if container.port:  # else it listens on the socket itself, and nobody needs to enter its network
        plan["runtime"], plan["name"] = list(runtime), name
    return Line(_relay(plan, [*run, *_told(words, container.port)]), oci.environment())


def _bare(
    spec: ModelSpec, container: Container, words: list[str], plan: dict[str, Any], scratch: Path, threads: int
) -> Line:
    """Without walls, as the mode "off" asks for: a port of this machine's own stands for the container's."""
    if container.root:
        raise Refused(0, _NO_ROOT)
    plan["port"] = port = free_port() if container.port else 0
    plan["at"] = spec.reads[0] if spec.reads else ""
    folders = {mount.at: mount.folder for mount in container.mounts}
    env = inside(spec, port, threads) | {"HOME": str(scratch), "TMPDIR": str(scratch)}
    seen = {name: folders.get(value, value) for name, value in env.items()}
    return Line(_relay(plan, [folders.get(word, word) for word in _told(words, port)]), _outside() | seen)


def inside(spec: ModelSpec, port: int, threads: int) -> dict[str, str]:
    """The environment within: what SageMaker sets, what keeps threads from spinning, and the spec's own."""
    given = {
        "HOME": "/tmp",  # noqa: S108 - the one place that it may write to
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}",
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    return given | spec.env


def _told(words: list[str], port: int) -> list[str]:
    return [word.replace("{port}", str(port)) for word in words]


def _relay(plan: dict[str, Any], command: list[str]) -> list[str]:
    # -I -S: no site packages, nothing of the environment; it starts fast and stays small.
    return [sys.executable, "-I", "-S", _RELAY, json.dumps(plan), *command]


def _outside() -> dict[str, str]:
    return {name: os.environ[name] for name in _FOREIGN if name in os.environ}


def free_port() -> int:
    """A port of the loopback device that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port
