"""From token deltas to what a client is told: text, tool calls, why it ended, what it cost.

Owns the order of the stages (tokens, characters, tool calls, stop strings) and the counting. Pure but for its input;
knows no HTTP and no JSON of any API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from craton.engine.backend import Delta
from craton.engine.guidance import CallMarkers
from craton.engine.stops import StopFinder
from craton.engine.tokenizer import Tokenizer
from craton.engine.toolcalls import CallParser, Event, Text

Reason = Literal["stop", "length", "tool_calls", "error"]


@dataclass(slots=True)
class Usage:
    """Tokens of one answer; `cached` counts those of the prompt that were not computed again."""

    prompt: int
    completion: int = 0
    cached: int = 0


class Answer:
    """One answer as it grows. After `reason` is set nothing more comes, and the generation can be cancelled."""

    __slots__ = ("_characters", "_markers", "_parser", "_stops", "_tokenizer", "reason", "stop", "usage")

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt_tokens: int,
        stops: Sequence[str] = (),
        *,
        tools: bool = False,
        markers: CallMarkers | None = None,
    ) -> None:
        """`tools`: calls are looked for, between `markers` or, without them, as bare JSON."""
        self._tokenizer = tokenizer
        self._characters = tokenizer.stream()
        self._stops = StopFinder(stops)
        self._parser = CallParser(markers.start, markers.end) if tools and markers else None
        if tools and not markers:
            self._parser = CallParser(None, None)
        # Markers that are single tokens have no text of their own; see `_spelled`.
        self._markers = {markers.start_id, markers.end_id} if tools and markers else set()
        self.usage = Usage(prompt_tokens)
        self.reason: Reason | None = None
        # The stop string that ended the answer.
        self.stop: str | None = None

    def feed(self, delta: Delta) -> list[Event]:
        """What these tokens add for the client. Tokens after a stop string are neither shown nor counted."""
        events: list[Event] = []
        self.usage.cached = max(self.usage.cached, delta.cached_tokens)
        for token in delta.tokens:
            self.usage.completion += 1
            self._show(self._spelled(token), events)
            if self._stops.matched is not None:
                self.reason, self.stop = "stop", self._stops.matched
                return events
        if delta.finish is not None:
            self._finish(delta.finish, events)
        return events

    def _spelled(self, token: int) -> str:
        """A token's text; markers that are special tokens have none of their own, and the parser wants to see them."""
        if token in self._markers:
            return self._characters.close() + self._tokenizer.spelling(token)
        return self._characters.feed(token)

    def _show(self, text: str, events: list[Event]) -> None:
        if not text:
            return
        for event in self._parser.feed(text) if self._parser else [Text(text)]:
            self._say(event, events)

    def _say(self, event: Event, events: list[Event]) -> None:
        """Stop strings end ordinary text only: a call's JSON is never cut into."""
        if not isinstance(event, Text):
            held = self._stops.close()
            if held:
                events.append(Text(held))
            events.append(event)
            return
        shown = self._stops.feed(event.text)
        if shown:
            events.append(Text(shown))

    def _finish(self, finish: Literal["stop", "length", "error"], events: list[Event]) -> None:
        self._show(self._characters.close(), events)
        for event in self._parser.close() if self._parser else []:
            self._say(event, events)
        if self._stops.matched is not None:
            self.reason, self.stop = "stop", self._stops.matched
            return
        held = self._stops.close()
        if held:
            events.append(Text(held))
        called = self._parser is not None and self._parser.calls > 0
        self.reason = "tool_calls" if called and finish == "stop" else finish
