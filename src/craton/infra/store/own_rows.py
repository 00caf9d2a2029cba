"""Rows for what AWS gives no name: a setting that an account has one of in each region, or an agreement of the account's.

Owns their names and what else follows from account and region. It must not know what is set or agreed.
"""

from __future__ import annotations

from datetime import datetime

from craton.infra.store.port import Resource


def own_arn(kind: str, account: str, region: str, ident: str = "") -> str:
    """The row's name, Craton's own. `region` as in a `Resource`; `ident` where there is more than one of the kind."""
    return f"arn:craton:bedrock:{region}:{account}:{kind}" + (f"/{ident}" if ident else "")


def own_row(
    kind: str, account: str, region: str, body: bytes, now: datetime, *, ident: str = "", status: str = ""
) -> Resource:
    """A new row of a kind."""
    return Resource(
        account=account,
        region=region,
        kind=kind,
        id=ident or kind,
        arn=own_arn(kind, account, region, ident),
        status=status,
        created_at=now,
        updated_at=now,
        body=body,
    )
