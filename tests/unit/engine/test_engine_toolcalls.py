"""Tool calls found in text: the same events whether the text comes whole or letter by letter."""

from __future__ import annotations

import json

import pytest

from craton.engine.toolcalls import CallArguments, CallBegan, CallParser, Event, Text

CALL = '<c>{"name":"f","arguments":{"a":"}\\"</c>","b":[1,{"c":2}]}}</c>'


def merged(events: list[Event]) -> list[Event]:
    """Neighbouring pieces of the same thing joined."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, Text) and isinstance(last, Text):
            out[-1] = Text(last.text + event.text)
        elif isinstance(event, CallArguments) and isinstance(last, CallArguments) and last.index == event.index:
            out[-1] = CallArguments(event.index, last.text + event.text)
        else:
            out.append(event)
    return out


def parse(text: str, size: int, start: str | None = "<c>", end: str | None = "</c>") -> list[Event]:
    parser = CallParser(start, end)
    events: list[Event] = []
    for at in range(0, len(text), size):
        events += parser.feed(text[at : at + size])
    return merged(events + parser.close())


ARGUMENTS = '{"a":"}\\"</c>","b":[1,{"c":2}]}'
F = [CallBegan(0, "f"), CallArguments(0, ARGUMENTS)]
CASES: list[tuple[str, list[Event]]] = [
    ("plain text", [Text("plain text")]),
    ("a < b <c", [Text("a < b <c")]),
    (CALL, F),
    ("I look. " + CALL, [Text("I look. "), *F]),
    (CALL + "\n" + CALL, [*F, CallBegan(1, "f"), CallArguments(1, ARGUMENTS)]),
    ('<c>\n{ "name" : "g", "parameters" : {} }\n</c>', [CallBegan(0, "g"), CallArguments(0, "{}")]),
    ('<c>{"name":"q\\"t","arguments":{}}</c>', [CallBegan(0, 'q"t'), CallArguments(0, "{}")]),
    ('<c>{"name":"f","arguments":{"a":1', [CallBegan(0, "f"), CallArguments(0, '{"a":1')]),
    ('<c>{"na', []),
    ('<c>{"name":"f","arguments":12}</c>', [CallBegan(0, "f"), CallArguments(0, "12")]),
    ('<c>{"name":"f","arguments":"s"}</c>', [CallBegan(0, "f"), CallArguments(0, '"s"')]),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("text", "events"), CASES)
def test_events_do_not_depend_on_the_pieces(text: str, events: list[Event], size: int) -> None:
    """One table of texts and events, fed in pieces of several sizes."""
    assert parse(text, size) == events


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_bare_json_is_one_call(size: int) -> None:
    """Without markers the whole answer is one call, and nothing of it is text."""
    assert parse('{"name":"f","arguments":{"a":1}}', size, None, None) == [
        CallBegan(0, "f"),
        CallArguments(0, '{"a":1}'),
    ]


def test_arguments_stream_before_they_are_complete() -> None:
    """A client sees arguments as they are written, not at the end."""
    parser = CallParser("<c>", "</c>")
    parser.feed('<c>{"name":"f","arguments":{"long":"')
    assert parser.feed("abc") == [CallArguments(0, "abc")]


def test_what_is_no_call_in_the_end_is_text() -> None:
    """A marker followed by something endless that names no tool is handed back."""
    text = "<c>" + "x" * 600
    assert parse(text, 50) == [Text(text)]


def test_the_arguments_are_the_json_that_was_written() -> None:
    """What streams joins to the JSON text of the call."""
    assert json.loads(F[1].text) == {"a": '}"</c>', "b": [1, {"c": 2}]}
