"""What principals really called: distinct pairs of action and resource, from which the least policy is drafted.

Owns the bounds, and what of a record is news to somebody who heard of it before. A pair is taken in when it is first
seen; the same call again costs one look-up. It holds names of actions and of resources, nothing of any request. It must
not know verdicts beyond allowed or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from craton.aws.access.recent import Recent

Pair = tuple[str, str]
News = tuple[str, list[Pair], list[Pair]]
"""Of a principal's ARN all pairs that were allowed, and all that were refused."""
MAX_PAIRS: Final = 256
_MAX_PRINCIPALS: Final = 256
_MAX_NEWS: Final = 16
# A longer resource is nobody's ARN; it would only fill the memory.
_MAX_RESOURCE: Final = 512


class Calls:
    """The calls of one principal, those that were allowed and those that were refused."""

    __slots__ = ("allowed", "refused", "told")

    def __init__(self) -> None:
        self.allowed: set[Pair] = set()
        self.refused: set[Pair] = set()
        self.told = 0
        """How many pairs there were when they were last told of."""

    def take(self, pair: Pair, *, allowed: bool) -> None:
        """Note a pair, as long as there is room."""
        kept = self.allowed if allowed else self.refused
        if len(kept) < MAX_PAIRS and len(pair[1]) <= _MAX_RESOURCE:
            kept.add(pair)

    @property
    def full(self) -> bool:
        """Whether calls may be missing."""
        return len(self.allowed) >= MAX_PAIRS


class Record:
    """The calls of all principals, by ARN; of a role's sessions together, by the role's."""

    __slots__ = ("_by_arn",)

    def __init__(self) -> None:
        self._by_arn: Recent[str, Calls] = Recent(_MAX_PRINCIPALS)

    def of(self, arn: str) -> Calls:
        """The calls of a principal, an empty record if it made none."""
        return self._by_arn.get(arn) or self._by_arn.put(arn, Calls())

    def known(self, arn: str) -> Calls | None:
        """The calls of a principal that made any."""
        return self._by_arn.get(arn)

    def news(self) -> list[News]:
        """Some of those who called something new since they were last told of."""
        found: list[News] = []
        for arn, calls in self._by_arn.items():
            count = len(calls.allowed) + len(calls.refused)
            if count != calls.told:
                calls.told = count
                found.append((arn, list(calls.allowed), list(calls.refused)))
                if len(found) == _MAX_NEWS:
                    break
        return found

    def hear(self, news: Iterable[News]) -> None:
        """Take in what another record told."""
        for arn, allowed, refused in news:
            calls = self.of(arn)
            for pairs, verdict in ((allowed, True), (refused, False)):
                for action, resource in pairs:
                    calls.take((action, resource), allowed=verdict)
