"""How many runs of jobs there are, for whoever watches a server. It must not know jobs."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from craton.infra.jobs.tables import RUNS


def states(connection: Connection) -> dict[str, int]:
    """By state."""
    counted = select(RUNS.c.state, func.count()).group_by(RUNS.c.state)
    return {str(state): int(count) for state, count in connection.execute(counted)}
