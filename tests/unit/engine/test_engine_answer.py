"""From tokens to what a client is told: characters whole, stops exact, calls apart from text, tokens counted."""

from __future__ import annotations

import pytest

from craton.engine.answer import Answer
from craton.engine.backend import Delta
from craton.engine.guidance import CallMarkers
from craton.engine.tokenizer import Tokenizer
from craton.engine.toolcalls import CallArguments, CallBegan, Event, Text
from tests.unit.engine.fake_rows import TINY

MARKERS = CallMarkers("<tool_call>", "</tool_call>", 5, 6)
CALL = '<tool_call>{"name":"f","arguments":{"a":"x. y"}}</tool_call>'


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(TINY / "tokenizer.json", [0], 320)


def told(answer: Answer, tokens: list[int], finish: str = "stop") -> list[Event]:
    """The events of an answer whose tokens come one by one."""
    events: list[Event] = []
    for token in tokens:
        events += answer.feed(Delta([token]))
        if answer.reason is not None:
            return events
    return events + answer.feed(Delta([], finish))  # type: ignore[arg-type]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def test_text_and_usage(tokenizer: Tokenizer) -> None:
    """A plain answer is its text, ended as the backend says, every token counted."""
    ids = tokenizer.encode("the čas 🙂")
    answer = Answer(tokenizer, 7)
    assert text_of(told(answer, ids, "length")) == "the čas 🙂"
    assert (answer.reason, answer.usage.prompt, answer.usage.completion) == ("length", 7, len(ids))


def test_a_stop_string_ends_and_is_named(tokenizer: Tokenizer) -> None:
    """The text stops before it, tokens after it are not counted."""
    ids = tokenizer.encode("one. two. three")
    answer = Answer(tokenizer, 1, [". t"])
    assert text_of(told(answer, ids)) == "one"
    assert (answer.reason, answer.stop) == ("stop", ". t")
    assert answer.usage.completion < len(ids)


def test_calls_are_told_apart_and_stops_do_not_cut_them(tokenizer: Tokenizer) -> None:
    """Marker tokens open a call; a stop string inside of its JSON is no stop."""
    answer = Answer(tokenizer, 1, [". "], tools=True, markers=MARKERS)
    events = told(answer, tokenizer.encode("Look" + CALL))
    assert text_of(events) == "Look"
    assert [event for event in events if isinstance(event, CallBegan)] == [CallBegan(0, "f")]
    assert "".join(event.text for event in events if isinstance(event, CallArguments)) == '{"a":"x. y"}'
    assert (answer.reason, answer.stop) == ("tool_calls", None)


def test_a_call_that_is_cut_off_says_length(tokenizer: Tokenizer) -> None:
    """Running out of tokens inside a call is `length`, not `tool_calls`."""
    answer = Answer(tokenizer, 1, tools=True, markers=MARKERS)
    told(answer, tokenizer.encode(CALL)[:-6], "length")
    assert answer.reason == "length"


def test_markers_without_tools_are_no_text(tokenizer: Tokenizer) -> None:
    """When no tools were offered, special tokens are dropped as always."""
    answer = Answer(tokenizer, 1)
    assert text_of(told(answer, tokenizer.encode("a<tool_call>b"))) == "ab"


def test_held_back_text_comes_before_a_call(tokenizer: Tokenizer) -> None:
    """Text that might have become a stop string is told before the call that follows it."""
    answer = Answer(tokenizer, 1, ["END"], tools=True, markers=MARKERS)
    events = told(answer, tokenizer.encode("xEN" + CALL))
    assert events[0] == Text("x")
    assert text_of(events[: events.index(CallBegan(0, "f"))]) == "xEN"
