"""What of the requests goes into the audit log: each operation's result, on its way out.

Owns which calls are recorded, and for which the caller waits until the record is durable. Handlers whose calls are not
recorded are left as they are, so that the use of models costs nothing here unless it is wanted. It must not know where
records go, nor what stands in them.
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.faults import Fault, unavailable
from craton.aws.wire.model import Operation
from craton.context import Call, EventStream, Handler
from craton.infra.audit import record
from craton.infra.audit.port import AuditFailed, Trail
from craton.infra.audit.record import Circumstances


class Audit:
    """The audit of one worker. `data_events`: the use of models is recorded as well."""

    def __init__(self, trail: Trail, *, data_events: bool) -> None:
        self._trail = trail
        self._data_events = data_events

    def over(self, operation: Operation, handler: Handler) -> Handler:
        """The handler, with its calls recorded if they are to be."""
        if not self._records(operation):
            return handler
        waits = record.must_be_kept(operation)

        async def recorded(call: Call, request: Any) -> Any:
            call.asked = request
            result = await handler(call, request)
            made = self._record(call, response=None if isinstance(result, EventStream) else result)
            if waits:
                await self._keep(made)
            else:
                self._trail.put(made)
            return result

        return recorded

    def passed(self, call: Call) -> None:
        """Record a call that no wrapped handler has answered."""
        if self._records(call.operation):
            self._trail.put(self._record(call))

    def refused(self, call: Call, fault: Fault) -> None:
        """Record a call that ended with a fault. Who calls is known; requests of nobody are not worth a record."""
        if self._records(call.operation):
            self._trail.put(self._record(call, fault=fault))

    async def _keep(self, made: bytes) -> None:
        try:
            await self._trail.keep(made)
        except AuditFailed as error:
            # What was done is done; but nobody is told so that could not be held to it.
            raise unavailable() from error

    def _records(self, operation: Operation) -> bool:
        return self._data_events or record.category(operation) == "Management"

    def _record(self, call: Call, *, response: Any = None, fault: Fault | None = None) -> bytes:
        about = Circumstances(
            call.request_id, call.region, call.source_ip, call.header(b"user-agent"), call.header(b"host"), call.secure
        )
        return record.record(
            call.operation,
            call.caller,
            about,
            call.now(),
            request=asked_at_door(call) if call.asked is None else call.asked,
            response=response,
            fault=fault,
            home=call.app.settings.account,
        )


def asked_at_door(call: Call) -> Any:
    """What of a request at a vendor's door has AWS's name: the model, or the ARN of the profile or router before it."""
    found = call.resolved
    if found is None:
        return None
    return {"modelId": found.route.model_id if len(found.resources) == 1 else found.resources[0]}
