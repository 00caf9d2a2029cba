"""Who goes first where a target takes only so many at once: Bedrock's service tiers as ranks.

Owns the table and where a request says its tier: Converse in the body, InvokeModel in a header. Reserved capacity comes
before priority, flex after everybody, and with flex what nobody waits for (batches). Source: Bedrock user guide,
"Service tiers for inference".
"""

from __future__ import annotations

from collections.abc import Mapping

from craton.models.canon.request import ServiceTier

RANKS = {"reserved": 0, "priority": 1, "default": 2, "flex": 3}
COUNT = len(RANKS)
DEFAULT = RANKS["default"]
HEADER = b"x-amzn-bedrock-service-tier"
UNHURRIED = b"x-craton-priority", b"batch"
"""The header of a request that nobody waits for, whichever tier its body names."""


def rank_of(headers: Mapping[bytes, bytes], tier: ServiceTier | None) -> int:
    """The rank of a request by its headers and, where it is Converse's, by its body."""
    if headers.get(UNHURRIED[0]) == UNHURRIED[1]:
        return RANKS["flex"]
    if tier is not None:
        return RANKS[tier.type]
    told = headers.get(HEADER)
    return RANKS.get(told.decode("latin-1"), DEFAULT) if told else DEFAULT
