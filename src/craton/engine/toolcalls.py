"""Tool calls in the text of an answer: found, taken apart and handed on while they are still being written.

Pure: text in, events out. It relies on the grammar for well-formed JSON, but never trusts it: what does not look like
a call in the end is given back as text. Knows no tokens, no HTTP.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# What precedes the arguments; "parameters" is what some Llama templates teach.
HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*')
LONGEST_HEAD = 512


@dataclass(frozen=True, slots=True)
class Text:
    """Ordinary text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A tool's name is known; `index` counts the calls of this answer from 0."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """A further piece of the JSON text of that call's arguments."""

    index: int
    text: str


Event = Text | CallBegan | CallArguments


class JsonEnd:
    """Finds where one JSON value ends in text that arrives in pieces."""

    __slots__ = ("_depth", "_escaped", "_quoted", "_scalar")

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._scalar = False

    def feed(self, text: str) -> int | None:
        """The index after the value's last character in this piece, None while it goes on."""
        for at, char in enumerate(text):
            if self._quoted:
                if self._step_in_string(char):
                    return at + 1
            elif char == '"':
                self._quoted = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                if self._depth == 0:
                    return at
                self._depth -= 1
                if self._depth == 0:
                    return at + 1
            elif self._depth == 0 and char in " \n,":
                if self._scalar:
                    return at
            else:
                self._scalar = True
        return None

    def _step_in_string(self, char: str) -> bool:
        """Whether this character ends a value that is a bare string."""
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._quoted = False
            return self._depth == 0
        return False


class CallParser:
    """Splits an answer into text and calls. `start` and `end` are the model's markers; bare JSON needs neither."""

    __slots__ = ("_end", "_held", "_json", "_start", "_state", "calls")

    def __init__(self, start: str | None, end: str | None) -> None:
        self._start = start
        self._end = end
        self._held = ""
        # text: outside of calls; head: before the arguments; arguments: inside them; tail: up to the end marker.
        self._state = "text" if start else "head"
        self._json = JsonEnd()
        self.calls = 0

    def feed(self, text: str) -> list[Event]:
        """The events that this piece completes."""
        self._held += text
        events: list[Event] = []
        while self._advance(events):
            pass
        return events

    def close(self) -> list[Event]:
        """The rest. A call that was cut off in its name is dropped: it cannot be named to anyone."""
        held, self._held = self._held, ""
        return [Text(held)] if self._state == "text" and held else []

    def _advance(self, events: list[Event]) -> bool:
        """One transition; False when more text is needed."""
        if not self._held:
            return False
        return {"text": self._text, "head": self._head, "arguments": self._arguments, "tail": self._tail}[self._state](
            events
        )

    def _text(self, events: list[Event]) -> bool:
        if self._start is None:
            # Bare JSON is one call and nothing else.
            self._held = ""
            return False
        at = self._held.find(self._start)
        if at >= 0:
            self._say(self._held[:at], events)
            self._held = self._held[at + len(self._start) :]
            self._state = "head"
            return True
        keep = _overlap(self._held, self._start)
        self._say(self._held[: len(self._held) - keep], events)
        self._held = self._held[len(self._held) - keep :]
        return False

    def _say(self, text: str, events: list[Event]) -> None:
        # Blanks between two calls belong to the format, not to the answer.
        if text and (self.calls == 0 or not text.isspace()):
            events.append(Text(text))

    def _head(self, events: list[Event]) -> bool:
        found = HEAD.match(self._held)
        # A match that uses up all there is may still grow by blanks: the arguments' first character settles it.
        if found is None or found.end() == len(self._held):
            if len(self._held) > LONGEST_HEAD and found is None:
                events.append(Text((self._start or "") + self._held))
                self._held, self._state = "", "text"
            return False
        events.append(CallBegan(self.calls, _unquoted(found.group(1))))
        self.calls += 1
        self._held = self._held[found.end() :]
        self._json = JsonEnd()
        self._state = "arguments"
        return True

    def _arguments(self, events: list[Event]) -> bool:
        end = self._json.feed(self._held)
        piece = self._held if end is None else self._held[:end]
        if piece:
            events.append(CallArguments(self.calls - 1, piece))
        self._held = self._held[len(piece) :]
        if end is not None:
            self._state = "tail"
        return end is not None

    def _tail(self, events: list[Event]) -> bool:
        if self._end is None:
            self._held, self._state = "", "text"
            return False
        at = self._held.find(self._end)
        if at < 0:
            return False
        self._held = self._held[at + len(self._end) :]
        self._state = "text"
        return True


def _overlap(text: str, marker: str) -> int:
    """How many characters at the end of `text` could begin `marker`."""
    for size in range(min(len(text), len(marker) - 1), 0, -1):
        if marker.startswith(text[-size:]):
            return size
    return 0


def _unquoted(literal: str) -> str:
    """The string that a JSON string literal stands for; a malformed one as it is."""
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal[1:-1]
