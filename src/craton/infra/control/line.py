"""A worker's line to the supervisor: the model processes it may ask for, the rows it tells of, a reset.

Owns what `context.Supervisor` names, in calls on the control channel. It must not know what runs behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from craton.aws.access.record import News, Record
from craton.aws.wire.faults import Fault, model_not_ready, unavailable
from craton.infra.control.client import ControlClient
from craton.infra.control.wire import ControlFault, ControlLost

_ENSURE_TIMEOUT_S = 120.0
_PARCELS_AT_ONCE = 16
_TELL_TARGETS_EVERY_S = 1.0
_TELL_CALLS_EVERY_S = 1.0


class WorkerSupervisor:
    """A worker's line to the supervisor (`context.Supervisor`)."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    async def placement(self, model_id: str) -> dict[str, Any]:
        """Where the model's replicas are, once one serves (a `Placement` as builtins). Raises Fault."""
        try:
            found: dict[str, Any] = await self._control.call(
                "models.ensure", {"model_id": model_id}, timeout_s=_ENSURE_TIMEOUT_S
            )
        except ControlFault as fault:
            raise model_not_ready(retry_after_s=fault.retry_after_s or None) from fault
        except (ControlLost, TimeoutError) as error:
            raise model_not_ready() from error
        return found

    async def report(self, told: dict[str, Any]) -> list[Any]:
        """Tell what this worker sees of the load (features/hosting/loads.py); what others have under way. Raises Fault."""
        found: list[Any] = await self._ask("fleet.report", **told)
        return found

    async def parcels(self, names: Iterable[bytes]) -> dict[bytes, bytes]:
        """The parcels of a snapshot, a few at a time. Raises ControlFault for one that is gone, ControlLost."""
        found: dict[bytes, bytes] = {}
        left = list(names)
        while left:
            some, left = left[:_PARCELS_AT_ONCE], left[_PARCELS_AT_ONCE:]
            found.update(zip(some, await self._control.call("parcels", {"names": some}), strict=True))
        return found

    async def deployments(self) -> list[dict[str, Any]]:
        """What is served by replicas, as `models.status` has it. Raises Fault."""
        rows: list[dict[str, Any]] = await self._ask("models.status")
        return rows

    async def reset(self) -> None:
        await self._control.call("reset")

    async def targets(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = await self._ask("targets.exchange", rows=rows)
        return [{"worker": index, **row} for index, row in found]

    async def tell_targets(self, rows: Callable[[], list[dict[str, Any]]]) -> None:
        """Tell now and then how this worker's targets are, so that any worker can show all; until cancelled."""
        told: list[dict[str, Any]] = []
        while True:
            await asyncio.sleep(_TELL_TARGETS_EVERY_S)
            now = rows()
            if now != told:
                with contextlib.suppress(Fault):
                    await self.targets(now)
                    told = now

    async def tell_calls(self, record: Callable[[], Record]) -> None:
        """Tell now and then who called something new, so that any worker can draft from it; until cancelled."""
        while True:
            await asyncio.sleep(_TELL_CALLS_EVERY_S)
            fresh = record().news()
            if fresh:
                with contextlib.suppress(Fault):  # they are told of again when the principal next calls something new
                    await self._ask("calls.tell", news=fresh)

    async def calls(self, arn: str) -> News | None:
        found = await self._ask("calls.known", arn=arn)
        return None if found is None else msgspec.convert(found, News)

    async def keep_response(self, account: str, ident: str, body: bytes) -> bool:
        return bool(await self._ask("responses.keep", account=account, id=ident, body=body))

    async def kept_response(self, account: str, ident: str) -> bytes | None:
        body: bytes | None = await self._ask("responses.kept", account=account, id=ident)
        return body

    async def forget_response(self, account: str, ident: str) -> bool:
        return bool(await self._ask("responses.forget", account=account, id=ident))

    async def _ask(self, method: str, **params: object) -> Any:
        try:
            return await self._control.call(method, params)
        except (ControlFault, ControlLost, TimeoutError) as error:
            raise unavailable() from error

    async def refresh(self) -> None:
        """Return when every worker lives by what the store holds now."""
        try:
            await self._control.call("refresh")
        except (ControlFault, ControlLost, TimeoutError) as error:
            # What was written is kept and spreads by itself; that it has spread already cannot be promised.
            raise unavailable() from error
