"""The port of model processes: what to run, how it is doing, and the four things one may ask of a host.

Owns: `ModelSpec`, `ModelStatus`, the errors, the `ModelHost` Protocol. Must not know: how a host keeps its processes
(children here, a cluster elsewhere) or what a model answers; requests go to the returned address directly.

Errors, all `ModelError`: `ModelFailed` (it cannot be brought up; why, and when to ask again), `ModelStopped` (it was
stopped while someone waited for it).
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

State = Literal["stopped", "starting", "ready", "waiting", "failed", "stopping"]
"""`waiting`: it died and is started again after a pause; `failed`: it died too often and is left alone for a while."""


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to run one model.

    In every word of `command`, `{uds}` becomes the path of the Unix socket to listen on and `{threads}` the number of
    threads. `env` is added to the host's minimal environment and must hold no secrets.
    """

    id: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    reads: tuple[str, ...] = ()
    """Folders that it must be able to read, wherever they are: the model's own files."""
    threads: int = 0
    """0: as many as the machine has cores for this process."""
    memory_limit_bytes: int = 0
    """Resident bytes of the whole process tree above which it is ended; 0: no limit."""
    idle_timeout_s: float = 900.0
    """Seconds without use after which it is stopped; 0: never."""
    start_timeout_s: float = 120.0


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
