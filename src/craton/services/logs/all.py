"""The modules that hold the handlers of CloudWatch Logs."""

from __future__ import annotations

from craton.services.logs import (
    get_events,
    groups,
    metric_filters,
    put_events,
    queries,
    query_definitions,
    records,
    resource_policies,
    streams,
    subscription_filters,
    tags,
)

HANDLERS = (
    groups, streams, put_events, get_events, tags, resource_policies, queries, query_definitions, records, metric_filters,
    subscription_filters,
)  # fmt: skip
