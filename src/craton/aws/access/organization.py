"""The organisation's guard policies: what nobody in any account may go beyond, root included.

Owns how policy files become levels of a guard. As in AWS's organisations a level must allow; one that holds nothing but
Denies stands beside an Allow for everything, which AWS attaches to each level by itself. It must not know where the
texts come from. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from craton.aws.access.compile import PolicySet
from craton.aws.access.policy import Policy, parse

FULL_ACCESS = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
FULL_ACCESS_FOR_ALL = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}'
)
_NAMES: dict[Literal["scp", "rcp"], tuple[str, str]] = {
    "scp": ("FullAWSAccess", FULL_ACCESS),
    "rcp": ("RCPFullAWSAccess", FULL_ACCESS_FOR_ALL),
}


class Organization:
    """The guards of all accounts. `policies` hold callers, `resource_policies` resources; never changes."""

    __slots__ = ("id", "resource_control", "service_control")

    def __init__(
        self, ident: str | None = None, policies: Iterable[Policy] = (), resource_policies: Iterable[Policy] = ()
    ) -> None:
        self.id = ident
        self.service_control = _level("scp", policies)
        self.resource_control = _level("rcp", resource_policies)

    @property
    def guards(self) -> bool:
        """Whether there is any guard at all."""
        return bool(self.service_control or self.resource_control)


def _level(kind: Literal["scp", "rcp"], policies: Iterable[Policy]) -> tuple[PolicySet, ...]:
    """The policies of one kind as one level: none without policies."""
    read = list(policies)
    if not read:
        return ()
    if not any(statement.effect == "Allow" for policy in read for statement in policy.statements):
        name, text = _NAMES[kind]
        read.append(parse(text, kind, name))
    return (PolicySet(read),)
