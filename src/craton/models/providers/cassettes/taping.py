"""How a cassette is used, as plain data: what a configuration says, before any file is opened."""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["once", "new_episodes", "none", "all"]
MATCH_ON = ("model", "messages", "system", "tools", "inference")


class Taping(msgspec.Struct, frozen=True, kw_only=True):
    """`speed` is that of the recording times this, 0 waits for nothing; the modes are `cassette`'s table.

    `match_on` names parts of a request (`request.PARTS`); `repeats`: a recording may be played more than once.
    """

    path: str
    mode: Mode = "none"
    match_on: tuple[str, ...] = MATCH_ON
    speed: float = 0.0
    repeats: bool = True
