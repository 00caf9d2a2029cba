"""Which condition keys policies speak of: in their conditions, and as policy variables.

Owns the search. A key is named as the policy first writes it, since names are compared without regard to case. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from craton.aws.access.policy import Policy, Statement
from craton.aws.access.variables import Variable, tokens

_NAME = re.compile(r"\$\{\s*([^},]+?)\s*[},]")


def context_keys(policies: Iterable[Policy]) -> list[str]:
    """The keys of all policies together, in the order of their first mention."""
    found: dict[str, str] = {}
    for policy in policies:
        for statement in policy.statements:
            for key in _keys(statement, variables=policy.variables):
                found.setdefault(key.lower(), key)
    return list(found.values())


def _keys(statement: Statement, *, variables: bool) -> Iterator[str]:
    if variables:
        for text in (*statement.resources, *statement.not_resources):
            yield from _within(text)
    for condition in statement.conditions:
        yield condition.key
        if variables:
            for value in condition.values:
                yield from _within(value)


def _within(text: str) -> Iterator[str]:
    """The variables in a string; what only looks like one is left out."""
    if "${" not in text:
        return
    real = {token.key for token in tokens(text, variables=True, wildcards=True) if isinstance(token, Variable)}
    yield from (name for name in _NAME.findall(text) if name.lower() in real)
