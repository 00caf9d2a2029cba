"""Server-sent events, bytes in and events out (WHATWG HTML §9.2.6 "Interpreting an event stream").

Sans-IO: knows no socket and not what an event means. `id` and `retry` are read over, since nobody reconnects here.
An event that the end of the stream cuts off is not given out, as the standard says.
"""

from __future__ import annotations

Event = tuple[str, bytes]

_BOM = b"\xef\xbb\xbf"
DEFAULT_LIMIT_BYTES = 8 * 1024 * 1024


class TooLong(Exception):
    """One event is over the limit."""


class Parser:
    """Feed it pieces split anywhere.

    Args:
        limit_bytes: the most that one event may hold before it ends.
    """

    __slots__ = ("_after_cr", "_after_lf", "_held", "_held_bytes", "_limit_bytes", "_started")

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: list[bytes] = []  # pieces of an event that has not ended
        self._held_bytes = 0
        self._after_cr = False  # the last byte was a CR: a line feed that follows belongs to it
        self._after_lf = False  # the last piece ended a line: an empty line may be cut in two
        self._started = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that end in `data`: (type or "", data lines joined by line feeds). Raises TooLong."""
        # `find`, since `in` tries first to take its left side for a number, and fails by a slow exception.
        if self._after_cr or data.find(b"\r") >= 0:
            data = self._normalise(data)
        if not data:
            return []
        ended = data.find(b"\n\n") >= 0 or (self._after_lf and data[0] == 10)
        self._after_lf = data[-1] == 10
        if not ended:
            self._hold(data)
            return []
        if self._held:
            self._held.append(data)
            data = b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
        if not self._started:
            self._started = True
            data = data.removeprefix(_BOM)
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            self._hold(rest)
        events: list[Event] = []
        for block in blocks:
            if block[:6] == b"data: " and block.find(b"\n") < 0:
                events.append(("", block[6:]))
            elif (event := _read(block)) is not None:
                events.append(event)
        return events

    @property
    def cut(self) -> bool:
        """Whether an event has begun and not ended."""
        return any(piece.strip(b"\n") for piece in self._held)

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > self._limit_bytes:
            raise TooLong("a server-sent event is too large")

    def _normalise(self, data: bytes) -> bytes:
        """CRLF and CR become line feeds; the second half of a CRLF that was cut in two is left out."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read(block: bytes) -> Event | None:
    """One event's lines. A name and one line of data, as Anthropic sends them, are read without a loop."""
    if block.startswith(b"event: "):
        name, _, rest = block.partition(b"\n")
        if rest.startswith(b"data: ") and rest.find(b"\n") < 0:
            return name[7:].decode("utf-8", "replace"), rest[6:]
    return _read_lines(block)


def _read_lines(block: bytes) -> Event | None:
    name = ""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return (name, b"\n".join(data)) if data else None
