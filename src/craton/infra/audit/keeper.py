"""The supervisor's end of the audit log: takes batches from all workers and makes them durable together.

Owns the methods `audit.append` and `audit.status` and the open `Log`, which is opened by the first batch. What arrives
while a batch is written is written with the next, in one go. It must not know what records say, but for its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from craton.infra.audit.log import Log, LogBusy, Rules
from craton.infra.audit.record import of_the_log
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault

_log = logging.getLogger(__name__)
LOSS = "LoseAuditRecords"


class Keeper:
    """The one writer of a server. It writes in a thread of its own: a disk may be slow, the loop must not be."""

    def __init__(self, path: Path, rules: Rules, now: Callable[[], datetime], account: str, region: str) -> None:
        self._path = path
        self._rules = rules
        self._now = now
        self._account = account
        self._region = region
        self._log: Log | None = None
        self._batch: list[tuple[list[bytes], asyncio.Future[None]]] = []
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._writing: asyncio.Task[None] | None = None
        self.lost = 0
        """Records that workers could not send, as they say."""

    @property
    def methods(self) -> Methods:
        return {"audit.append": self._append, "audit.status": self._status}

    async def close(self) -> None:
        """Let go of the log, after what is being written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._pool.shutdown()
        if self._log is not None:
            self._log.close()

    async def _append(self, call: Call) -> None:
        """`{records, lost}` → None once the records are durable. `lost`: how many the worker had to give up."""
        records, lost = call.params.get("records"), call.params.get("lost", 0)
        if not isinstance(records, list) or not all(_is_record(one) for one in records) or not isinstance(lost, int):
            raise ControlFault("bad_params", "'records' must be JSON objects, 'lost' a number")
        if lost:
            self.lost += lost
            records = [self._own(LOSS, {"count": lost, "worker": call.peer.index}), *records]
        if not records:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._batch.append((records, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="audit")
        await done

    async def _write(self) -> None:
        """Until nothing waits any more."""
        loop = asyncio.get_running_loop()
        while self._batch:
            batch, self._batch = self._batch, []
            fault: ControlFault | None = None
            try:
                await loop.run_in_executor(self._pool, self._append_all, [one for many, _ in batch for one in many])
            except (OSError, LogBusy) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                _log.error("the audit log in %s cannot be written: %s", self._path, reason)
                fault = ControlFault("audit", f"the audit log cannot be written: {reason}")
            for _, done in batch:
                if done.done():
                    continue
                if fault is None:
                    done.set_result(None)
                else:
                    done.set_exception(fault)

    def _append_all(self, records: list[bytes]) -> None:
        if self._log is None:
            self._log = Log(self._path, self._rules, self._now, self._own)
        self._log.append(records)

    async def _status(self, call: Call) -> dict[str, object]:
        """`{}` → where the log is, its last sequence and hash (of this run), how many records were lost."""
        link = self._log.link if self._log is not None else None
        return {
            "directory": str(self._path),
            "sequence": link.sequence if link else None,
            "hash": link.hash if link else None,
            "lost": self.lost,
        }

    def _own(self, name: str, data: dict[str, object]) -> bytes:
        return of_the_log(name, data, now=self._now(), account=self._account, region=self._region)


def _is_record(one: object) -> bool:
    """Whether it can stand in a line of its own."""
    return isinstance(one, bytes) and one[:2] == b'{"' and one[-1:] == b"}" and b"\n" not in one
