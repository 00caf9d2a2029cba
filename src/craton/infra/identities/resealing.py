"""The secrets of users' access keys, sealed under another secret of the home.

Owns the change itself, in a transaction that is given. The keys stay what they are: who has one notices nothing. It must
not know where the home's secret lies.
"""

from __future__ import annotations

from datetime import datetime

from craton.infra.identities import records
from craton.infra.identities.records import Key
from craton.infra.identities.seal import BadSeal, Sealer
from craton.infra.store.port import Transaction


class Unopened(Exception):
    """A key that the old secret does not open; the text names it."""


def reseal(transaction: Transaction, old: Sealer, new: Sealer, now: datetime) -> int:
    """Seal all access keys anew; how many there are. Raises Unopened."""
    found = list(records.rows(transaction, records.ACCESS_KEY))
    for row in found:
        body, bound = row.read(Key), row.id.encode()
        try:
            body.sealed = new.seal(old.open(body.sealed, bound), bound)
        except BadSeal:
            raise Unopened(f"the old secret does not open the access key {row.id}") from None
        transaction.update(records.rewritten(row, body, now))
    return len(found)
