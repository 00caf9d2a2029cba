"""The control methods about models: `models.ensure`, `.status`, `.stop`, `.log`, and `fleet.report`.

Owns: their parameters, results and fault codes (`model_unknown`, `model_failed`, `model_stopped`). Must not know: how
replicas are run or counted; that is what answers (`Served`).
"""

from __future__ import annotations

from typing import Any, Protocol

from craton.infra.compute.port import ModelError, ModelFailed
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault


class Served(Protocol):
    """What runs the models, by the ids of their deployments."""

    async def ensure(self, deployment: str) -> Any | None:
        """Where its replicas are, once one serves; None if there is no such deployment.

        Raises:
            ModelError: it cannot be brought up, or was stopped meanwhile.
        """
        ...

    def report(self, source: str, told: dict[str, Any]) -> list[Any]:
        """Take up the load that a gateway's process sees; what all others have under way at each replica.

        Raises:
            ValueError: it is no report.
        """
        ...

    def status(self) -> list[Any]:
        """One row per deployment."""
        ...

    async def stop(self, deployment: str) -> bool:
        """End all its replicas at once; False when none ran."""
        ...

    def log(self, deployment: str, replica: str = "") -> list[str]:
        """The last lines of a replica: the one named, or the one that a person most likely asks about."""
        ...


def worker_source(index: int, pid: int) -> str:
    """The name under which a worker's reports are kept."""
    return f"worker/{index}/{pid}"


def model_methods(served: Served) -> Methods:
    """Make the table of methods over `served`."""

    async def ensure(call: Call) -> Any:
        """`{model_id}` → its placement, once a replica serves."""
        model_id = call.text("model_id")
        try:
            found = await served.ensure(model_id)
        except ModelFailed as error:
            message = f"model {model_id} cannot be started: {error}"
            raise ControlFault("model_failed", message, error.retry_after_s) from error
        except ModelError as error:
            raise ControlFault("model_stopped", str(error)) from error
        if found is None:
            raise ControlFault("model_unknown", f"there is no model {model_id}")
        return found

    async def report(call: Call) -> list[Any]:
        """`{loads, seats}` (features/hosting/loads.py) → `[[replica, requests, tokens], …]` of all others."""
        try:
            return served.report(worker_source(call.peer.index, call.peer.pid), call.params)
        except ValueError as error:
            raise ControlFault("bad_params", str(error)) from None

    async def status(_call: Call) -> list[Any]:
        """`{}` → one row per deployment, each with its replicas."""
        return served.status()

    async def stop(call: Call) -> bool:
        """`{model_id}` → whether it ran."""
        return await served.stop(call.text("model_id"))

    async def log(call: Call) -> list[str]:
        """`{model_id, replica?}` → the last lines of a replica."""
        return served.log(call.text("model_id"), str(call.params.get("replica") or ""))

    return {
        "models.ensure": ensure,
        "models.status": status,
        "models.stop": stop,
        "models.log": log,
        "fleet.report": report,
    }
