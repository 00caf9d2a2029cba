"""Bedrock's service tiers as classes of scheduling: who goes first where a target takes only so many at once.

A tier decides the order in a target's line and nothing else: without `max_concurrent` all are served at once. Reserved
capacity comes before priority, flex after everybody, and with flex what nobody waits for (batches). Source: Bedrock user guide, "Service tiers for inference".
"""

from __future__ import annotations

from craton.context import Call
from craton.models.canon.request import ServiceTier

RANKS = {"reserved": 0, "priority": 1, "default": 2, "flex": 3}
DEFAULT = RANKS["default"]
_HEADER = b"x-amzn-bedrock-service-tier"
UNHURRIED = b"x-craton-priority", b"batch"
"""The header of a request that nobody waits for, whichever tier its body names."""


def rank(call: Call | None, tier: ServiceTier | None) -> int:
    """The rank of a request: Converse says its tier in the body, InvokeModel in a header."""
    if call is not None and call.headers.get(UNHURRIED[0]) == UNHURRIED[1]:
        return RANKS["flex"]
    if tier is not None:
        return RANKS[tier.type]
    told = call.headers.get(_HEADER) if call is not None else None
    return RANKS.get(told.decode("latin-1"), DEFAULT) if told else DEFAULT
