"""The modules that hold the handlers of EventBridge."""

from __future__ import annotations

from craton.services.events import buses, put_events, rules, tags, targets

HANDLERS = (buses, rules, targets, put_events, tags)
