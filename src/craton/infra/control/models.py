"""The control methods about models: `models.ensure`, `.touch`, `.status`, `.stop`, `.log`.

Owns: their parameters, results and fault codes (`model_unknown`, `model_failed`, `model_stopped`). Must not know:
how a host runs models or where specs are kept; both are given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from craton.infra.compute.port import ModelError, ModelFailed, ModelHost, ModelSpec, ModelStatus
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault

FindSpec = Callable[[str], Awaitable[ModelSpec | None]]
"""Returns how to run the model with this id, or None if there is no such model."""


def model_methods(host: ModelHost, find_spec: FindSpec) -> Methods:
    """Make the table of methods over `host`; every id is looked up with `find_spec` at each `ensure`."""

    async def ensure(call: Call) -> dict[str, Any]:
        """`{model_id}` → `{base_url}`, once it is healthy."""
        model_id = call.text("model_id")
        spec = await find_spec(model_id)
        if spec is None:
            raise ControlFault("model_unknown", f"there is no model {model_id}")
        try:
            return {"base_url": await host.ensure(spec)}
        except ModelFailed as error:
            message = f"model {model_id} cannot be started: {error}"
            raise ControlFault("model_failed", message, error.retry_after_s) from error
        except ModelError as error:
            raise ControlFault("model_stopped", str(error)) from error

    async def touch(call: Call) -> None:
        """`{model_ids}`: these were used since the last call."""
        for model_id in call.params.get("model_ids", []):
            host.touch(str(model_id))

    async def status(_call: Call) -> list[ModelStatus]:
        """`{}` → one row per model."""
        return host.status()

    async def stop(call: Call) -> bool:
        """`{model_id}` → whether it ran."""
        return await host.stop(call.text("model_id"))

    async def log(call: Call) -> list[str]:
        """`{model_id}` → its last lines."""
        return host.log(call.text("model_id"))

    return {
        "models.ensure": ensure,
        "models.touch": touch,
        "models.status": status,
        "models.stop": stop,
        "models.log": log,
    }
