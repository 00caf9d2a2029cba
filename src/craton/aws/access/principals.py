"""How strongly a policy's Principal element names a caller.

Owns the order NOT < ACCOUNT < ROLE < EXACT, which the rule for resource policies needs: an account hands the decision
on to its own administrators, a role (or everyone) is still held by boundaries and session policies, the exact ARN of a
user or of a session is allowed outright. It must not know effects. Pure.
Source: IAM user guide, "AWS JSON policy elements: Principal", "NotPrincipal" and "Policy evaluation logic".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from craton.aws.access.policy import Named
from craton.aws.access.request import Subject


class Strength(enum.IntEnum):
    """How directly the caller is named."""

    NOT = 0
    ACCOUNT = 1
    ROLE = 2
    EXACT = 3


class Principals:
    """The compiled Principal or NotPrincipal of a statement."""

    __slots__ = ("_accounts", "_arns", "_everyone", "_ids", "_negated", "_providers", "_services")

    def __init__(self, names: Iterable[Named], *, negated: bool) -> None:
        names = tuple(names)
        of_accounts = [name.value for name in names if name.type == "AWS"]
        self._everyone = any(name.type == "*" for name in names)
        self._accounts = frozenset(account for value in of_accounts if (account := _account(value)))
        self._arns = frozenset(value for value in of_accounts if value.startswith("arn:") and not _account(value))
        self._ids = frozenset(value for value in of_accounts if value[:1] == "A")
        self._services = frozenset(name.value for name in names if name.type == "Service")
        self._providers = frozenset(name.value for name in names if name.type == "Federated")
        self._negated = negated

    def strength(self, subject: Subject) -> Strength:
        """How strongly the statement speaks of the caller; NotPrincipal speaks of all others, as of everyone."""
        named = self._named(subject)
        if self._negated:
            return Strength.ROLE if named is Strength.NOT else Strength.NOT
        return named

    def _named(self, subject: Subject) -> Strength:
        if subject.service is not None and (subject.service in self._services or "*" in self._services):
            return Strength.EXACT
        if subject.provider is not None and subject.provider in self._providers:
            return Strength.EXACT
        if subject.arn in self._arns:
            return Strength.EXACT
        if subject.user_id and subject.user_id in self._ids:
            return Strength.EXACT
        # A role's unique id stands before the colon of its sessions' user ids.
        if subject.role_arn in self._arns or (subject.role_arn and subject.user_id.partition(":")[0] in self._ids):
            return Strength.ROLE
        if self._everyone:
            return Strength.ROLE
        return Strength.ACCOUNT if subject.account and subject.account in self._accounts else Strength.NOT


def _account(value: str) -> str | None:
    """The account that a principal stands for as a whole; its root user's ARN means the account."""
    if value.isdigit():
        return value
    return value.split(":")[4] if value.endswith(":root") and value.count(":") == 5 else None
