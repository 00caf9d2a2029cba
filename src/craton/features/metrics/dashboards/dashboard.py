"""A dashboard as a row of the store. Dashboards belong to an account and to no region."""

from __future__ import annotations

from typing import Final

import msgspec

KIND: Final = "cloudwatch-dashboard"
MOST: Final = 5000


class Dashboard(msgspec.Struct, frozen=True):
    """`text` is the body as it was given."""

    text: str
    tags: dict[str, str] = {}


def dashboard_arn(account: str, name: str) -> str:
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}"
