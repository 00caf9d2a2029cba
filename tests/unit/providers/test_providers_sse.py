"""Server-sent events: every split of every spelling gives the same events."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.models.providers.sse import Parser, TooLong

STREAM = (
    b": a comment\n\n"
    b'event: message_start\ndata: {"a": 1}\n\n'
    b"data: plain\n\n"
    b"data:no space\n\n"
    b"id: 7\nretry: 10\ndata: one\ndata: two\n\n"
    b"event: alone\n\n"
    b"data\n\n"
    b"\n\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [
    ("message_start", b'{"a": 1}'),
    ("", b"plain"),
    ("", b"no space"),
    ("", b"one\ntwo"),
    ("", b""),
    ("", b"[DONE]"),
]


def parse(pieces: list[bytes]) -> list[tuple[str, bytes]]:
    parser = Parser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_split_of_any_line_end_gives_the_same_events(end, cuts):
    """Where the socket cuts the stream, and how lines end, makes no difference."""
    stream = STREAM.replace(b"\n", end)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert parse(pieces) == EVENTS


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_byte_by_byte(end):
    """A stream fed byte by byte gives the same events."""
    assert parse([bytes([byte]) for byte in STREAM.replace(b"\n", end)]) == EVENTS


def test_byte_order_mark_is_skipped():
    """A byte order mark at the very start belongs to no line."""
    assert parse([b"\xef\xbb\xbfda", b"ta: x\n\n"]) == [("", b"x")]


def test_event_without_its_empty_line_is_not_given_out():
    """Half an event at the end of the stream is none, and the parser knows that it was cut."""
    parser = Parser()
    assert parser.feed(b'data: whole\n\ndata: {"ha') == [("", b"whole")]
    assert parser.cut


def test_complete_stream_is_not_cut():
    """After an empty line nothing is outstanding."""
    parser = Parser()
    parser.feed(b"data: x\n\n")
    assert not parser.cut


def test_event_over_the_limit_is_refused():
    """An event that never ends does not grow for ever."""
    parser = Parser(limit_bytes=1000)
    with pytest.raises(TooLong):
        for _ in range(100):
            parser.feed(b"data: " + b"x" * 50)


def test_many_events_in_one_read():
    """One read may bring many events; their order holds."""
    assert [data for _, data in parse([b"".join(b"data: %d\n\n" % n for n in range(500))])] == [
        b"%d" % n for n in range(500)
    ]
