"""Stop strings: text passes through until one of them is complete, and no part of it ever leaks.

Pure: text in, text out. Knows no tokens and no requests.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopFinder:
    """Holds back the longest end of the text that could still become a stop string."""

    __slots__ = ("_held", "_longest", "_stops", "matched")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest = max((len(stop) for stop in self._stops), default=0)
        self._held = ""
        # The stop string that ended the text, once one did.
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """The text that may be shown now. After a match (`matched`) nothing more comes out."""
        if self.matched is not None:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = [(text.find(stop), stop) for stop in self._stops]
        hits = [(at, -len(stop), stop) for at, stop in found if at >= 0]
        if hits:
            # The earliest wins; of two that begin together the longer one.
            at, _, self.matched = min(hits)
            self._held = ""
            return text[:at]
        keep = self._held_back(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def close(self) -> str:
        """What was held back and did not become a stop string."""
        held, self._held = self._held, ""
        return held

    def _held_back(self, text: str) -> int:
        for size in range(min(len(text), self._longest - 1), 0, -1):
            end = text[-size:]
            if any(stop.startswith(end) for stop in self._stops):
                return size
        return 0
