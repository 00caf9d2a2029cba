"""Rows that an account has one of in each region, for a kind of setting that AWS gives no name.

Owns their name and what else follows from account and region. It must not know what is set.
"""

from __future__ import annotations

from datetime import datetime

from craton.infra.store.port import Resource


def regional_arn(kind: str, account: str, region: str) -> str:
    """The row's name. Ours, not AWS's."""
    return f"arn:craton:bedrock:{region}:{account}:{kind}"


def regional_row(kind: str, account: str, region: str, body: bytes, now: datetime) -> Resource:
    """A new row of a kind."""
    return Resource(
        account=account,
        region=region,
        kind=kind,
        id=kind,
        arn=regional_arn(kind, account, region),
        created_at=now,
        updated_at=now,
        body=body,
    )
