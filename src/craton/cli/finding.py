"""What a check of `craton doctor` says: how things stand, and how to mend them.

Owns the record alone; the checks lie in `checks_*.py`, one file per thing that is looked at.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """One line of the doctor's report. `mend` is a command or a sentence; "" where nothing is to be done."""

    level: Level
    subject: str
    text: str
    mend: str = ""
