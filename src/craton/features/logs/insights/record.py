"""An event, or a row of figures, as a query sees it: fields by name.

Owns the fields that every event has, and which are discovered: members of a JSON message by path (`user.ids.0` or
`user.ids[0]`), and what the lines of Lambda's runtime tell (`@requestId`, `@type`, `@duration` …). They are looked for
only when asked for. Times are ms. Pure.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from craton.features.logs.insights.values import Moment

TIMESTAMP, INGESTED, MESSAGE, STREAM, LOG, POINTER = (
    "@timestamp", "@ingestionTime", "@message", "@logStream", "@log", "@ptr",
)  # fmt: skip
MOST_DISCOVERED = 1000
"""Fields of one message that are told of; by name every one is found."""
_DEEPEST = 32
_PLACE = re.compile(r"\[(\d+)\]")
_REQUEST = re.compile(
    r"(?:RequestId: |^\[[A-Z]+\]\t\S+\t|^\S+\t)([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)
_TYPE = re.compile(r"(START|END|REPORT|INIT_START) ")
_REPORT: dict[str, tuple[re.Pattern[str], float]] = {
    "@duration": (re.compile(r"\tDuration: ([\d.]+) ms"), 1),
    "@billedDuration": (re.compile(r"\tBilled Duration: ([\d.]+) ms"), 1),
    "@initDuration": (re.compile(r"\tInit Duration: ([\d.]+) ms"), 1),
    "@memorySize": (re.compile(r"\tMemory Size: (\d+) MB"), 1e6),
    "@maxMemoryUsed": (re.compile(r"\tMax Memory Used: (\d+) MB"), 1e6),
}
_RAW = msgspec.json.Decoder()


class Record:
    """One event. `made` holds what commands added, and comes before what the event has itself."""

    __slots__ = ("_json", "at_ms", "data", "ident", "kept_ms", "log", "made", "stream")

    def __init__(self, ident: int, at_ms: int, kept_ms: int, stream: str, log: str, data: bytes) -> None:
        self.ident = ident
        self.at_ms = at_ms
        self.kept_ms = kept_ms
        self.stream = stream
        self.log = log
        self.data = data
        self.made: dict[str, Any] = {}
        self._json: Any = msgspec.UNSET

    def get(self, name: str) -> Any:
        """A field's value; None where there is none."""
        if name in self.made:
            return self.made[name]
        if name == MESSAGE:
            return self.data.decode("utf-8", "replace")
        if name == TIMESTAMP:
            return Moment(self.at_ms)
        if name[:1] == "@":
            found = self._own(name)
            if found is not None:
                return found
        message = self.json
        return None if message is None else reached(message, name)

    @property
    def json(self) -> dict[str, Any] | list[Any] | None:
        """The message, if it is an object or a list."""
        if self._json is msgspec.UNSET:
            self._json = read_json(self.data)
        found: dict[str, Any] | list[Any] | None = self._json
        return found

    def discovered(self) -> Iterator[tuple[str, Any]]:
        """The fields of the message by their paths."""
        if self.json is not None:
            yield from _flat(self.json)
        for name in ("@requestId", "@type", *_REPORT):
            value = self._lambda(name)
            if value is not None:
                yield name, value

    def _own(self, name: str) -> Any:
        if name == STREAM:
            return self.stream
        if name == LOG:
            return self.log
        if name == INGESTED:
            return Moment(self.kept_ms)
        if name == POINTER:
            return pointer(self.log, self.stream, self.ident)
        return self._lambda(name)

    def _lambda(self, name: str) -> Any:
        if name not in _REPORT and name not in ("@requestId", "@type"):
            return None
        line = self.data[:4096].decode("utf-8", "replace")
        if name == "@type":
            kind = _TYPE.match(line)
            return None if kind is None else kind[1]
        if name == "@requestId":
            asked = _REQUEST.search(line)
            return None if asked is None else asked[1]
        form, factor = _REPORT[name]
        found = form.search(line) if line.startswith("REPORT ") else None
        return None if found is None else float(found[1]) * factor


class Row:
    """A row of figures; it has what was made and nothing else."""

    __slots__ = ("made",)

    def __init__(self, made: dict[str, Any]) -> None:
        self.made = made

    def get(self, name: str) -> Any:
        return self.made.get(name)


def read_json(data: bytes) -> dict[str, Any] | list[Any] | None:
    start = data.lstrip()[:1]
    if start not in (b"{", b"["):
        return None
    try:
        found = _RAW.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, (dict, list)) else None


def reached(value: Any, name: str) -> Any:
    """What lies at a path; a member whose own name has dots is found too."""
    if isinstance(value, dict) and name in value:
        return value[name]
    if "[" in name:
        name = _PLACE.sub(r".\1", name)
    for _ in range(_DEEPEST):
        if isinstance(value, dict):
            if name in value:
                return value[name]
            head, dot, name = _step(value, name)
            value = value.get(head)
        elif isinstance(value, list):
            head, dot, name = name.partition(".")
            value = value[int(head)] if head.isdigit() and len(head) < 9 and int(head) < len(value) else None
        else:
            return None
        if not dot or value is None:
            return value
    return None


def _step(value: dict[str, Any], name: str) -> tuple[str, str, str]:
    """The member that a path leads to first: the shortest part of it that is one."""
    at = name.find(".")
    while at >= 0:
        if name[:at] in value:
            return name[:at], ".", name[at + 1 :]
        at = name.find(".", at + 1)
    return name, "", ""


def _flat(value: Any) -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    told = 0
    while waiting and told < MOST_DISCOVERED:
        prefix, value, depth = waiting.pop()
        parts: list[tuple[str, Any]]
        parts = list(value.items()) if isinstance(value, dict) else [(str(at), one) for at, one in enumerate(value)]
        for name, part in parts:
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(part, (dict, list)) and part and depth < _DEEPEST:
                waiting.append((path, part, depth + 1))
            else:
                yield path, part
                told += 1


def pointer(log: str, stream: str, ident: int) -> str:
    """What names one event to GetLogRecord; whoever hands it in is judged there."""
    return base64.urlsafe_b64encode(msgspec.json.encode((log, stream, str(ident)))).decode()


def pointed(given: str) -> tuple[str, str, int] | None:
    """The log, stream and ident that a pointer names; None for what is no pointer."""
    try:
        log, stream, ident = msgspec.json.decode(base64.urlsafe_b64decode(given), type=tuple[str, str, str])
        return log, stream, int(ident) if ident.isdigit() and len(ident) < 60 else 0
    except (ValueError, msgspec.DecodeError):
        return None
