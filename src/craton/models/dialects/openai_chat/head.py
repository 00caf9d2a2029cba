"""Reasoning in a tag at the head of a streamed text, told apart as the pieces come.

Of `<think>plan</think>answer`, cut anywhere, the plan is reasoning and the answer text. A text that does not begin
with the tag passes whole. Knows no chunks and no events.
"""

from __future__ import annotations


class Head:
    """`feed` gives (kind, piece) pairs, kind being `reasoning` or `text`; `passed` says that only text can follow."""

    __slots__ = ("_closing", "_held", "_inside", "_opening", "_trim", "passed")

    def __init__(self, tag: str) -> None:
        self._opening = f"<{tag}>"
        self._closing = f"</{tag}>"
        self._held = ""
        self._inside = False
        self._trim = False
        self.passed = False

    def feed(self, text: str) -> list[tuple[str, str]]:
        self._held += text
        if self._trim:
            return self._after()
        if not self._inside:
            lead = self._held.lstrip()
            if self._opening.startswith(lead):
                return [] if lead != self._opening else self._enter("")
            if not lead.startswith(self._opening):
                return self._pass()
            return self._enter(lead[len(self._opening) :])
        return self._reason()

    def close(self) -> list[tuple[str, str]]:
        """The stream ended: what is held is what it looked like so far."""
        held, self._held = self._held, ""
        kind = "reasoning" if self._inside and not self._trim else "text"
        return [(kind, held)] if held else []

    def _enter(self, rest: str) -> list[tuple[str, str]]:
        self._inside = True
        self._held = rest
        return self._reason()

    def _reason(self) -> list[tuple[str, str]]:
        """Reasoning up to the closing tag; what may be the beginning of that tag is held back."""
        thought, found, rest = self._held.partition(self._closing)
        if found:
            self._held = rest
            self._trim = True
            return ([("reasoning", thought)] if thought else []) + self._after()
        keep = next((n for n in range(len(self._closing) - 1, 0, -1) if thought.endswith(self._closing[:n])), 0)
        cut = len(thought) - keep
        self._held = thought[cut:]
        return [("reasoning", thought[:cut])] if cut else []

    def _after(self) -> list[tuple[str, str]]:
        """Line breaks between the reasoning and the answer belong to neither."""
        self._held = self._held.lstrip("\n")
        return self._pass() if self._held else []

    def _pass(self) -> list[tuple[str, str]]:
        self.passed = True
        held, self._held = self._held, ""
        return [("text", held)]
