"""What each worker last said of its targets: the supervisor's board, so that any worker can show all of them.

Owns the method `targets.exchange`, by which a worker pins its rows and reads everybody's. It must not know what a row
says. Workers that have gone are taken down.
"""

from __future__ import annotations

from typing import Any

from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault

_MAX_ROWS = 10_000


class Board:
    """Rows by worker."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Any]] = {}

    @property
    def methods(self) -> Methods:
        return {"targets.exchange": self._exchange}

    async def _exchange(self, call: Call) -> list[list[Any]]:
        """`{rows}` → [worker, row] of every worker that is connected."""
        rows = call.params.get("rows")
        if not isinstance(rows, list) or len(rows) > _MAX_ROWS:
            raise ControlFault("bad_params", f"'rows' must be a list of at most {_MAX_ROWS}")
        if call.peer.role == "worker":
            self._rows[call.peer.index] = rows
        alive = {peer.index for peer in call.server.peers if peer.role == "worker"}
        for gone in self._rows.keys() - alive:
            del self._rows[gone]
        return [[index, row] for index, pinned in sorted(self._rows.items()) for row in pinned]
