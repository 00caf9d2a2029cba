"""The registered local models as rows of the store: add, list, remove.

A row is written only when the model's directory is complete, so a row always leads to files. Converting and copying
are the command line's business; running is the supervisor's.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from craton.infra.store.port import GLOBAL, AlreadyExists, NotFound, Query, Reader, Resource, Store
from craton.models.catalog.local import LocalModel

KIND = "local-model"
_PAGE_ROWS = 500


class NameTaken(Exception):
    """A model with this id is registered already."""


def registered(store: Reader, account: str) -> list[LocalModel]:
    """The registered models of an account, oldest first."""
    found: list[LocalModel] = []
    query = Query(kind=KIND, account=account, limit=_PAGE_ROWS)
    while True:
        page = store.list(query)
        found += [row.read(LocalModel) for row in page.items]
        if page.after is None:
            return found
        query = msgspec.structs.replace(query, after=page.after)


def registration_of(row: Resource) -> tuple[str, LocalModel]:
    """The account of a registered model, and the model."""
    return row.account, row.read(LocalModel)


def add(store: Store, account: str, model: LocalModel, now: datetime) -> None:
    """Register a model whose directory is complete. Raises NameTaken."""
    row = Resource(
        account=account,
        region=GLOBAL,
        kind=KIND,
        id=model.id,
        arn=arn_of(account, model.id),
        name=model.id,
        status="Active",
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(model),
    )
    try:
        store.create(row)
    except AlreadyExists:
        raise NameTaken(model.id) from None


def remove(store: Store, account: str, model_id: str) -> LocalModel | None:
    """Forget a model; None if it was not registered. Its files are the caller's to delete, after this."""
    row = store.get(arn_of(account, model_id))
    if row is None:
        return None
    try:
        store.delete(row.arn)
    except NotFound:
        return None
    return row.read(LocalModel)


def arn_of(account: str, model_id: str) -> str:
    """Ours, not AWS's: it never leaves the store."""
    return f"arn:craton:models::{account}:local-model/{model_id}"
