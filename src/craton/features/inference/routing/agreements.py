"""Which models an account may call: its agreements with their vendors, where the configuration demands any.

Owns the rows' bodies, the record that travels in snapshots, and the rule. Amazon's own models need no agreement, nor does
an id that the catalog does not have. An agreement is the account's, in all regions. It must not know the operations that
make agreements, nor what a refusal says (`routes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from craton.infra.store.own_rows import own_arn, own_row
from craton.infra.store.port import GLOBAL, Resource
from craton.models.catalog.rows import Model

KIND = "model-agreement"
USE_CASE = "model-use-case"
ACTIVE, CANCELLED = "ACTIVE", "CANCELLED"
_OWN, _INQUIRING = "Amazon", "Anthropic"


class AgreementBody(msgspec.Struct, frozen=True):
    """The row's body: the offer that was accepted. The row stays when it is cancelled, with that status."""

    offer: str


class UseCaseBody(msgspec.Struct, frozen=True):
    """The row's body: the form, sealed for its account."""

    sealed: bytes


class StoredAgreement(msgspec.Struct, frozen=True, array_like=True):
    """What serving takes."""

    account: str
    model_id: str
    active: bool


def row_arn(account: str, kind: str, ident: str) -> str:
    """The row of an account."""
    return own_arn(kind, account, GLOBAL, ident)


def new_row(account: str, kind: str, ident: str, body: msgspec.Struct, now: datetime) -> Resource:
    return own_row(kind, account, GLOBAL, msgspec.json.encode(body), now, ident=ident, status=ACTIVE)


def agreement_of(row: Resource) -> StoredAgreement:
    return StoredAgreement(row.account, row.id, row.status == ACTIVE)


def third_party(model: Model) -> bool:
    """Whether there is a vendor to agree with."""
    return model.provider_name != _OWN


def asks_for_form(model: Model) -> bool:
    """Whether the vendor wants to know the use case, once for each account (Bedrock user guide, "Model access")."""
    return model.provider_name == _INQUIRING


class Agreements:
    """The agreements in force. Where they are not `demanded`, every account has access to every model."""

    __slots__ = ("_made", "demanded")

    def __init__(self, stored: Iterable[StoredAgreement] = (), *, demanded: bool = False) -> None:
        self.demanded = demanded
        self._made = frozenset((one.account, one.model_id) for one in stored if one.active)

    def renewed(self, stored: Iterable[StoredAgreement]) -> Agreements:
        """The same rule with other agreements."""
        return Agreements(stored, demanded=self.demanded)

    def allow(self, model: Model | None, account: str) -> bool:
        """Whether the account has access to the model; None is one outside the catalog."""
        return not self.demanded or model is None or not third_party(model) or (account, model.model_id) in self._made
