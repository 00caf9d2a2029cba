"""What an alarm's action may lead to: functions, and the addresses that the configuration names.

Owns the forms of actions. Callers never name an address themselves, so that nobody makes the server call what it should
not. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

FUNCTION: Final = "arn:aws:lambda:"
NAMED: Final = "arn:craton:webhook:::"
LAMBDA, WEBHOOK = "lambda", "webhook"
_FUNCTION = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]+(?::(?:\$LATEST|[a-zA-Z0-9_-]+))?"
)


def kind_of(target: str, webhooks: Mapping[str, str]) -> str | None:
    """How a target is reached; None for one that is not."""
    if _FUNCTION.fullmatch(target):
        return LAMBDA
    return WEBHOOK if url_of(target, webhooks) else None


def url_of(target: str, webhooks: Mapping[str, str]) -> str:
    """The address or key, or what holds it, that the configuration has for a target; "" for none."""
    return webhooks.get(target) or webhooks.get(target.removeprefix(NAMED) if target.startswith(NAMED) else "", "")
