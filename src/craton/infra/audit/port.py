"""What the rest of the server knows of the audit log: a place to put records, now or surely."""

from __future__ import annotations

from typing import Protocol


class AuditFailed(Exception):
    """A record could not be kept; what it tells of has happened all the same."""


class Trail(Protocol):
    """Takes records: JSON objects, encoded."""

    def put(self, record: bytes) -> None:
        """Keep a record soon; never waits. When too many wait already, it is lost and counted."""
        ...

    async def keep(self, record: bytes) -> None:
        """Return when the record is durable.

        Raises:
            AuditFailed: it is not.
        """
        ...
