"""The value of an expression.

Owns the walk over its tree, and how it speaks of other queries: by id, by METRICS(), by SEARCH(). Both are given, since
they may have to be read. It must not know requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from craton.features.metrics.math.functions import FUNCTIONS, OPERATORS, WORDS, operate
from craton.features.metrics.math.parse import Called, Constant, Listed, Name, Node, Quoted
from craton.features.metrics.math.series import MOST_SERIES, MathFault, Series, Text, Value, number, several

Find = Callable[[str], Awaitable[Value]]
Metrics = Callable[[str], Awaitable[list[Series]]]
Search = Callable[[str, str, int], Awaitable[list[Series]]]


class Reckoner:
    """Reckons expressions of one request.

    Args:
        find: the value of an id. Raises MathFault for one that is not there.
        metrics: the series of all queries that are no expression, whose id holds the text.
        search: the series that a search finds, with a statistic and a period.
    """

    def __init__(self, find: Find, metrics: Metrics, search: Search) -> None:
        self._find = find
        self._metrics = metrics
        self._search = search

    async def value(self, node: Node) -> Value:
        """Raises MathFault."""
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Quoted):
            return Text(node.text)
        if isinstance(node, Name):
            return Text(node.name) if node.name.upper() in WORDS else await self._find(node.name)
        if isinstance(node, Listed):
            return bounded([one for item in node.items for one in several(await self.value(item))])
        return await self._called(node)

    async def _called(self, node: Called) -> Value:
        if node.name not in FUNCTIONS and node.name not in OPERATORS and node.name not in ("METRICS", "SEARCH"):
            raise MathFault(f"the function {node.name} is not supported")
        given = [await self.value(one) for one in node.arguments]
        if node.name == "METRICS":
            return bounded(await self._metrics(_text(given[0]) if given else ""))
        if node.name == "SEARCH":
            if len(given) not in (2, 3):
                raise MathFault("SEARCH needs 2 or 3 arguments")
            period_s = int(number(given[2])) if len(given) == 3 else 0
            return bounded(await self._search(_text(given[0]), _text(given[1]), period_s))
        if node.name in OPERATORS:
            return operate(node.name, given)
        return FUNCTIONS[node.name](given)


def bounded(found: list[Series]) -> list[Series]:
    if len(found) > MOST_SERIES:
        raise MathFault(f"an expression may have {MOST_SERIES} time series at most")
    return found


def _text(value: Value) -> str:
    if isinstance(value, Text):
        return value.text
    raise MathFault("a text is needed")
