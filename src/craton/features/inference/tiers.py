"""Bedrock's service tiers as classes of scheduling: who goes first where a target takes only so many at once.

A tier decides the order in a line and nothing else: without `max_concurrent`, and where a model's replicas have a place
free, all are served at once. The table is `ranks`', for a provider with replicas asks it too.
"""

from __future__ import annotations

from craton.context import Call
from craton.models.canon.request import ServiceTier
from craton.models.providers.ranks import DEFAULT, RANKS, UNHURRIED, rank_of

__all__ = ["DEFAULT", "RANKS", "UNHURRIED", "rank"]


def rank(call: Call | None, tier: ServiceTier | None) -> int:
    """The rank of a request: Converse says its tier in the body, InvokeModel in a header."""
    return rank_of(call.headers if call is not None else {}, tier)
