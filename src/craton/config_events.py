"""The table of the config file that says how events reach their targets.

Owns names, types and defaults. Reading is `config`'s; must not know events.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Positive = Annotated[float, Meta(gt=0)]


class EventsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """EventBridge. A target that cannot be reached is tried again after `retry_s`, then after twice as long each time.

    `minute_s` is how long a minute of `rate(…)` lasts: less than 60 is for tests.
    """

    retry_s: _Positive = 1.0
    retry_most_s: _Positive = 600.0
    minute_s: _Positive = 60.0
