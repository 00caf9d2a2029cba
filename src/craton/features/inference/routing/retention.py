"""Whether a model's vendor may keep what it is sent: the mode of an account in a region, and which targets it allows.

Owns the row's body, the record that travels in snapshots, and the rule. A target says of its vendor whether it keeps
data (`retains_data`); `none` allows no such target, nor does `aws_review`, under which nothing may reach a provider's
own storage. `inherit` leaves it to the configuration. It must not know the operations that set a mode. Source: Bedrock
user guide, "Data retention"; the names of the modes are botocore's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import msgspec

from craton.aws.wire.faults import validation
from craton.features.inference.routing.profiles import all_rows
from craton.infra.store.port import Reader, Resource

if TYPE_CHECKING:
    from craton.features.inference.routing.routes import Route

Mode = Literal["default", "none", "aws_review", "provider_data_share", "inherit"]
KIND = "data-retention"
STRICT = frozenset({"none", "aws_review"})
# The first half is Bedrock's own text for a model that a mode rules out.
NOT_AVAILABLE = (
    "data retention mode '{mode}' is not available for this model: every target of {model} is at a vendor that keeps "
    "what it is sent"
)


class RetentionBody(msgspec.Struct, frozen=True):
    """The row's body."""

    mode: Mode


class StoredMode(msgspec.Struct, frozen=True, array_like=True):
    """What serving takes: the mode that an account has set in a region."""

    account: str
    region: str
    mode: Mode


def stored_modes(store: Reader) -> list[StoredMode]:
    """The modes of all accounts and regions."""
    return [mode_of(row) for row in all_rows(store, KIND)]


def mode_of(row: Resource) -> StoredMode:
    return StoredMode(row.account, row.region, row.read(RetentionBody).mode)


class Modes:
    """The modes in force. `broadest` holds where an account has none of its own."""

    __slots__ = ("_broadest", "_set")

    def __init__(self, broadest: Mode = "default", stored: Iterable[StoredMode] = ()) -> None:
        self._broadest = broadest
        self._set = {(one.account, one.region): one.mode for one in stored if one.mode != "inherit"}

    def of(self, account: str, region: str) -> Mode:
        """The mode of an account in a region, never `inherit`."""
        return self._set.get((account, region), self._broadest)

    def narrowed(self, stored: Iterable[StoredMode]) -> Modes:
        """The same with other modes of accounts."""
        return Modes(self._broadest, stored)

    def allowed(self, route: Route, account: str, region: str) -> Route:
        """The route without the targets that the mode rules out. Raises ValidationException if none is left."""
        mode = self.of(account, region)
        if mode not in STRICT or not any(target.retains_data for target in route.targets):
            return route
        left = tuple(target for target in route.targets if not target.retains_data)
        if not any(target.weight or target.fallback for target in left):
            raise validation(NOT_AVAILABLE.format(mode=mode, model=route.model_id))
        return replace(route, targets=left)
