"""The status of something that is nothing but replicas, read from its deployment's row of `models.status`.

Owns the rule for provisioned throughput. It must not know how the row came about, nor where a status is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

CREATING: Final = "Creating"
IN_SERVICE: Final = "InService"
UPDATING: Final = "Updating"
FAILED: Final = "Failed"
Status = Literal["Creating", "InService", "Updating", "Failed"]
GONE = "The server does not know how to serve it."
NO_ROOM_AFTER_S = 60.0
"""How long replicas for which there is no room are waited for, before that counts as a failure: others may still go."""


class Standing(msgspec.Struct, frozen=True):
    """How it is now, and what went wrong."""

    status: Status
    message: str = ""


def standing(known: Status, row: Mapping[str, Any] | None, *, changing: bool, age_s: float) -> Standing:
    """From the status that was last known and the row (None: there is none).

    `changing`: its model was exchanged and not all replicas are known to be of the new one; `age_s`: seconds since it was
    made or changed. What was in service stays so while replicas are started again, for instance with the server: whoever
    calls it meanwhile is told to come back.
    """
    if row is None or row["state"] == "broken":
        return Standing(FAILED, row["last_error"] if row is not None else GONE)
    ready = sum(one["current"] and one["state"] == "ready" for one in row["replicas"])
    if ready >= row["least"]:
        return Standing(IN_SERVICE)
    if row["state"] == "failed":
        return Standing(FAILED, row["last_error"])
    message = ""
    if row["lacks"]:
        message = f"{ready} of {row['least']} replicas are ready, and there is no room for more: {row['lacks']}"
        if age_s > NO_ROOM_AFTER_S:
            return Standing(FAILED, message)
    if changing:
        return Standing(UPDATING, message)
    return Standing(IN_SERVICE if known == IN_SERVICE else CREATING, message)
