"""The modules that hold the handlers of CloudWatch Logs."""

from __future__ import annotations

from craton.services.logs import get_events, groups, put_events, resource_policies, streams, tags

HANDLERS = (groups, streams, put_events, get_events, tags, resource_policies)
