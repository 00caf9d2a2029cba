"""The port of model processes: what to run, how it is doing, and the four things one may ask of a host.

Owns: `ModelSpec`, `ModelStatus`, the errors, the `ModelHost` Protocol. Must not know: how a host keeps its processes
(children here, a cluster elsewhere) or what a model answers; requests go to the returned address directly.

Errors, all `ModelError`: `ModelFailed` (it cannot be brought up; why, and when to ask again), `ModelStopped` (it was
stopped while someone waited for it).
"""

from __future__ import annotations

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
    """What to run in a container: an OCI image by name, or the folder of a root file system.

    It listens on `port` inside; the host of models makes that reachable at the replica's address. It reaches nothing
    outside.
    """

    image: str = ""
    root: str = ""
    port: int = 8080
    mounts: tuple[Mount, ...] = ()


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
    idle_timeout_s: float = 900.0
    """Seconds without use after which it is stopped; 0: never."""
    start_timeout_s: float = 120.0


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


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What the host has left for further replicas."""

    memory_bytes: int
    cores: float
    gpus: float = 0.0


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `status`: figures are of the whole process tree, 0 while no process runs."""

    id: str
    state: State
    address: str
    """`unix:/path` of the model server's socket."""
    pid: int = 0
    threads: int = 0
    uptime_s: float = 0.0
    idle_s: float = 0.0
    rss_bytes: int = 0
    pss_bytes: int = 0
    restarts: int = 0
    last_error: str = ""


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


class ReplicaHost(Protocol):
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


class ModelHost(Protocol):
    """Keeps model processes."""

    async def ensure(self, spec: ModelSpec) -> str:
        """Return the address of a healthy process for `spec`, starting it if needed; concurrent calls share one start.

        Raises:
            ModelError: it cannot be brought up.
        """
        ...

    def touch(self, model_id: str) -> None:
        """Note that the model is in use, so that it is not stopped for being idle."""
        ...

    async def stop(self, model_id: str) -> bool:
        """Stop the model and all its processes; False when none ran."""
        ...

    def status(self) -> list[ModelStatus]:
        """One row per model that was asked for since the host began, by id."""
        ...

    def log(self, model_id: str) -> list[str]:
        """The last lines that the model's process wrote to its standard error, oldest first."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...
