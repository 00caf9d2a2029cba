"""The modules that hold the handlers of CloudWatch Logs."""

from __future__ import annotations

from craton.services.logs import (
    get_events,
    groups,
    put_events,
    queries,
    query_definitions,
    records,
    resource_policies,
    streams,
    tags,
)

HANDLERS = (
    groups, streams, put_events, get_events, tags, resource_policies, queries, query_definitions, records,
)  # fmt: skip
