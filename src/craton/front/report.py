"""Where an error that nobody expected came from, on standard error, for whoever runs the server.

The error's own text is left out: it may quote a prompt or a key. One that comes again and again from the same place
is told once in a while, with the number of times, so that a flood of requests is not a flood of lines.
"""

from __future__ import annotations

import sys
import time
import traceback

_QUIET_S = 10.0
_PLACES = 256


class Reporter:
    """Call it with the error."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, int], tuple[float, int]] = {}

    def __call__(self, error: BaseException) -> None:
        places = traceback.extract_tb(error.__traceback__)
        last = places[-1] if places else None
        key = (type(error).__name__, last.filename if last else "", (last.lineno or 0) if last else 0)
        now = time.monotonic()
        told_at, held_back = self._told.get(key, (-_QUIET_S, 0))
        if now - told_at < _QUIET_S:
            self._told[key] = (told_at, held_back + 1)
            return
        if len(self._told) >= _PLACES:
            self._told.clear()
        self._told[key] = (now, 0)
        again = f" ({held_back} more since it was last told)" if held_back else ""
        lines = "".join(f"\n  {place.filename}:{place.lineno} in {place.name}" for place in places)
        print(f"craton: unexpected {type(error).__name__}{again}{lines}", file=sys.stderr, flush=True)
