"""What an environment writes becomes events: lines, frames, what is too long, what is too much."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from craton.features.functions.host.journal import MOST_EVENT_BYTES, TAIL_BYTES, Journal

Events = list[tuple[int, str]]


def kept(work: Callable[[Journal, int, int], object]) -> tuple[Events, bytes]:
    """The events, and the tail, of what `work` writes into the two pipes."""

    async def run() -> tuple[Events, bytes]:
        events: Events = []
        output, output_in = os.pipe()
        frames, frames_in = os.pipe()
        journal = Journal(output, frames, lambda at, text: events.append((at, text)))
        work(journal, output_in, frames_in)
        journal.take()
        tail = journal.tail
        journal.close()
        os.close(output_in)
        os.close(frames_in)
        return events, tail

    return asyncio.run(run())


def frame(text: bytes, at_us: int) -> bytes:
    return b"\xa5\x5a\x00\x03" + len(text).to_bytes(4, "big") + at_us.to_bytes(8, "big") + text


def test_lines_are_events() -> None:
    """A line is an event, its end left out; an unfinished one is an event at the end of the invocation."""

    def work(journal: Journal, output: int, frames: int) -> None:
        os.write(output, b"one\ntw")
        os.write(output, b"o\nthree")

    events, tail = kept(work)
    assert [text for _, text in events] == ["one", "two", "three"]
    assert tail == b"one\ntwo\nthree"


def test_a_frame_is_one_event_with_its_own_time() -> None:
    """Frames come in any pieces, and keep their lines and times; a time that cannot be is now."""
    now_us = time.time_ns() // 1000

    def work(journal: Journal, output: int, frames: int) -> None:
        both = frame(b"first\nsecond", now_us - 5_000_000) + frame(b"third", 1)
        for at in range(0, len(both), 7):
            os.write(frames, both[at : at + 7])
            journal.take()

    events, _ = kept(work)
    assert [text for _, text in events] == ["first\nsecond", "third"]
    assert events[0][0] == (now_us - 5_000_000) // 1000
    assert abs(events[1][0] - now_us // 1000) < 60_000


def test_a_frame_that_is_none_is_dropped() -> None:
    """A function that writes rubbish to the descriptor harms its log alone."""
    assert kept(lambda journal, output, frames: os.write(frames, b"rubbish" * 10))[0] == []


def test_a_long_line_is_cut() -> None:
    """Nothing is longer than an event may be, and nothing is lost by that."""

    def work(journal: Journal, output: int, frames: int) -> None:
        for _ in range(MOST_EVENT_BYTES // 1024 + 10):
            os.write(output, b"x" * 1024)
            journal.take()

    events, _ = kept(work)
    assert sum(len(text) for _, text in events) == (MOST_EVENT_BYTES // 1024 + 10) * 1024
    assert max(len(text) for _, text in events) <= MOST_EVENT_BYTES


def test_the_tail_has_whole_characters() -> None:
    """The last 4 KB do not begin in the middle of a character."""
    _, tail = kept(lambda journal, output, frames: os.write(output, "é".encode() * 3000 + b"!"))
    assert len(tail) <= TAIL_BYTES
    assert tail.decode().endswith("é!")
