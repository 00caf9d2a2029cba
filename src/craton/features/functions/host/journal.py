"""An environment's output on its way to a log: lines and frames become events, and the last of an invocation is kept.

Owns the cutting (a line is an event; a frame of AWS's runtime client is one, however many lines it has), the cap on what one
invocation may write, and the tail of 4 KB. What lies in a pipe is taken without waiting. It must not know where logs go.
Source of the framing: `FramedTelemetryLogSink` of AWS's runtime client.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final

TAIL_BYTES: Final = 4096
MOST_EVENT_BYTES: Final = 256 * 1024 - 32
_READ_BYTES: Final = 64 * 1024
_MOST_BYTES: Final = 16 * 1024 * 1024
"""Of one invocation; what is more is counted and thrown away."""
_READS_AT_ONCE: Final = 64
_FRAME_HEAD: Final = 16
_FRAMES: Final = b"\xa5\x5a"

Put = Callable[[int, str], None]
"""Takes one event: its time in milliseconds, and its text without the line's end."""


class Journal:
    """The output of one environment, read while the loop runs. `output` and `frames` are pipes' reading ends."""

    def __init__(self, output: int, frames: int, put: Put) -> None:
        self._put = put
        self._handles = {output: self._text, frames: self._framed}
        self._line = bytearray()
        self._frame = bytearray()
        self._tail = bytearray()
        self._written = 0
        self._lost = 0
        loop = asyncio.get_running_loop()
        for handle in self._handles:
            os.set_blocking(handle, False)
            loop.add_reader(handle, self._read, handle)

    def begin(self) -> None:
        """An invocation begins: its tail does."""
        self._tail.clear()
        self._written = self._lost = 0

    def say(self, text: str) -> None:
        """A line of the platform's own; "" for none."""
        if text:
            self._flush()
            self._event(text.encode(), _now_ms())

    def take(self) -> None:
        """What was written until now, and the count of what was too much."""
        for handle in list(self._handles):
            for _ in range(_READS_AT_ONCE):
                if not self._read(handle):
                    break
        self._flush()
        if self._lost:
            lost, self._lost = self._lost, 0
            self._put(_now_ms(), f"[WARN] {lost} bytes of output were dropped: an invocation wrote too much")

    @property
    def tail(self) -> bytes:
        """The last 4 KB of this invocation, of whole characters."""
        return bytes(self._tail[-TAIL_BYTES:]).decode("utf-8", "ignore").encode()

    def close(self) -> None:
        self.take()
        loop = asyncio.get_running_loop()
        for handle in list(self._handles):
            loop.remove_reader(handle)
            os.close(handle)
        self._handles = {}

    def _read(self, handle: int) -> bool:
        """Whether there was something."""
        feed = self._handles.get(handle)
        if feed is None:
            return False
        try:
            data = os.read(handle, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(handle)
            return False
        room = _MOST_BYTES - self._written
        self._written += len(data)
        if room > 0 or feed == self._framed:  # frames have to be followed to be found again
            feed(data)
        else:
            self._lost += len(data)
        return True

    def _text(self, data: bytes) -> None:
        now, line = _now_ms(), self._line
        line += data
        if b"\n" not in data:
            if len(line) >= MOST_EVENT_BYTES:
                self._flush()
            return
        *lines, rest = bytes(line).split(b"\n")
        self._line = bytearray(rest)
        for one in lines:
            self._event(one + b"\n", now)

    def _framed(self, data: bytes) -> None:
        frame = self._frame
        frame += data
        while len(frame) >= _FRAME_HEAD:
            if not frame.startswith(_FRAMES):  # the function wrote to the descriptor itself
                frame.clear()
                return
            size = int.from_bytes(frame[4:8], "big")
            if size > _MOST_BYTES:
                frame.clear()
                return
            if len(frame) < _FRAME_HEAD + size:
                return
            at_ms = int.from_bytes(frame[8:16], "big") // 1000
            text = bytes(frame[_FRAME_HEAD : _FRAME_HEAD + size])
            del frame[: _FRAME_HEAD + size]
            if self._written <= _MOST_BYTES:
                self._event(text if text.endswith(b"\n") else text + b"\n", _plausible(at_ms))
            else:
                self._lost += size

    def _flush(self) -> None:
        """An unfinished line is an event too, when nothing follows it."""
        if self._line:
            line, self._line = bytes(self._line), bytearray()
            self._event(line, _now_ms())

    def _event(self, line: bytes, at_ms: int) -> None:
        self._tail += line
        if len(self._tail) > 4 * TAIL_BYTES:
            del self._tail[: len(self._tail) - TAIL_BYTES]
        text = line.rstrip(b"\n")
        for start in range(0, len(text), MOST_EVENT_BYTES):
            self._put(at_ms, text[start : start + MOST_EVENT_BYTES].decode("utf-8", "replace"))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _plausible(at_ms: int) -> int:
    """The time that the function's side told, unless it is far from now."""
    now = _now_ms()
    return at_ms if abs(at_ms - now) < 3_600_000 else now
