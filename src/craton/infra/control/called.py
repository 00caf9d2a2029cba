"""What principals called in any worker: the supervisor's record, from which a worker drafts policies.

Owns the methods `calls.tell`, by which a worker tells what is new, and `calls.known`, by which it asks for one
principal's calls in all workers. It must not know what a draft is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.aws.access.record import News, Record
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault


class Called:
    """The calls of all workers together."""

    def __init__(self) -> None:
        self._record = Record()

    @property
    def methods(self) -> Methods:
        return {"calls.tell": self._tell, "calls.known": self._known}

    def clear(self) -> None:
        """Forget everything."""
        self._record = Record()

    async def _tell(self, call: Call) -> None:
        """`{news}` → None; the news are rows of ARN, allowed pairs and refused pairs."""
        try:
            self._record.hear(msgspec.convert(call.params.get("news"), list[News]))
        except msgspec.ValidationError as error:
            raise ControlFault("bad_params", f"'news': {error}") from None

    async def _known(self, call: Call) -> list[Any] | None:
        """`{arn}` → what is known of a principal, as news; None where it called nothing."""
        arn = str(call.params.get("arn"))
        found = self._record.known(arn)
        return None if found is None else [arn, list(found.allowed), list(found.refused)]
