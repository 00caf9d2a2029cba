"""The window that every stream of canonical events passes: hold, release, replace.

A guardrail must be able to hold text back until it is judged, let it go or put other text in its place. Every
stream goes through such a window from the first day; `OPEN` is the one that holds nothing.
"""

from __future__ import annotations

from typing import Protocol

from craton.models.canon.events import StreamEvent


class Window(Protocol):
    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Take what the model said; give what the caller may have now."""
        ...

    def close(self) -> list[StreamEvent]:
        """The model ended; give what is still held."""
        ...


class OpenWindow:
    """Holds nothing back."""

    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        return events

    def close(self) -> list[StreamEvent]:
        return []


OPEN = OpenWindow()
