"""The port of model processes: what to run, how each replica is doing, and what one may ask of a host.

Owns: `ModelSpec`, `ReplicaStatus`, `Room`, the errors, the `ModelHost` Protocol. Must not know: how a host keeps its
processes (children here, a cluster elsewhere), how many there should be, or what a model answers; requests go to a
replica's address directly.

Errors, all `ModelError`: `ModelFailed` (it cannot be brought up; why, and when to ask again), `ModelStopped` (it was
stopped while someone waited for it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

State = Literal["stopped", "starting", "ready", "waiting", "failed", "stopping"]
"""`waiting`: it died and is started again after a pause; `failed`: it died too often and is left alone for a while."""


class Mount(msgspec.Struct, frozen=True, array_like=True):
    """A folder of this machine as a container sees it, read-only."""

    folder: str
    at: str


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """What to run in a container: an OCI image by name, the folder of a root file system, or the command of a spec.

    It listens on `port` inside (0: on the Unix socket that its command names); the host of models makes that reachable
    at the replica's address. It reaches nothing outside. `scratch_bytes` is what it may keep in memory under `/tmp`,
    `runtime`, `options`, `user` and `pull` are the OCI program, further options for its `run`, and two of these.
    """

    image: str = ""
    root: str = ""
    port: int = 8080
    mounts: tuple[Mount, ...] = ()
    processes: int = 512
    scratch_bytes: int = 1 << 30
    runtime: str = ""
    options: tuple[str, ...] = ()
    user: str = ""
    pull: Literal["never", "missing"] = "never"


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to run one replica of a model.

    In every word of `command`, `{uds}` becomes the path of the Unix socket to listen on and `{threads}` the number of
    threads. `env` is added to the host's minimal environment and must hold no secrets.
    """

    id: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    reads: tuple[str, ...] = ()
    """Folders that it must be able to read, wherever they are: the model's own files."""
    container: Container | None = None
    health: str = "/health"
    """The path that answers 200 once it serves; `/ping` of SageMaker's containers."""
    threads: int = 0
    """0: as many as the machine has cores for this process."""
    gpus: float = 0.0
    memory_bytes: int = 0
    """What a replica is expected to need, by which it is placed; 0: unknown."""
    memory_limit_bytes: int = 0
    """Resident bytes of the whole process tree above which it is ended; 0: no limit."""
    start_timeout_s: float = 120.0


def digest_of(spec: ModelSpec) -> str:
    """Tells a spec from any other, in twelve letters that are the same in every process."""
    return hashlib.sha256(msgspec.msgpack.encode(spec)).hexdigest()[:12]


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one replica is doing; figures are of its whole process tree, 0 while no process runs."""

    id: str
    deployment: str
    state: State
    address: str
    """`unix:/path` of its socket, or `http://host:port`."""
    node: str = ""
    pid: int = 0
    threads: int = 0
    uptime_s: float = 0.0
    rss_bytes: int = 0
    pss_bytes: int = 0
    restarts: int = 0
    last_error: str = ""
    retry_after_s: float = 0.0
    """When asking for a failed one again makes sense."""
    stats: dict[str, float] = {}
    """What it says of itself by its health: `running`, `waiting`, `tokens_per_s` …"""
    digest: str = ""
    """Of the spec that it runs (`digest_of`)."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What the host has left for further replicas."""

    memory_bytes: int
    cores: float
    gpus: float = 0.0


class ModelError(Exception):
    """A model cannot serve."""


class ModelFailed(ModelError):
    """The model cannot be brought up; `retry_after_s` says when asking again makes sense."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        """Keep the reason (exit status and last lines of the process's stderr) and the wait in seconds."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class ModelStopped(ModelError):
    """The model was stopped while someone waited for it."""


class ModelHost(Protocol):
    """Keeps replicas running: those that it was told to start, until it is told to stop them.

    One that dies is started again after a pause, one that dies too often is left alone for a while. `on_change` is
    called, in the host's loop, whenever a replica's state, address or figures of its health changed.
    """

    on_change: Callable[[], None]

    def start(self, replica: str, spec: ModelSpec) -> None:
        """Begin to keep a replica; returns at once. A replica that is there already is left as it is."""
        ...

    async def stop(self, replica: str, grace_s: float = 5.0) -> bool:
        """End a replica and all its processes; False when there was none."""
        ...

    def replicas(self) -> list[ReplicaStatus]:
        """One row per replica that was started and not stopped, by id."""
        ...

    def log(self, replica: str) -> list[str]:
        """The last lines that a replica wrote, also after it ended; oldest first."""
        ...

    def room(self) -> Room:
        """What is really free now."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...
