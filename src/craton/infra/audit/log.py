"""The one writer of an audit log: appends records, begins new segments, removes old ones, and never changes a line.

Owns the order of what is made durable: lines, then the head that vouches for them. What a crash left behind the head
was never acknowledged; whole lines that continue the chain are kept, the rest is cut off. It must not know who sends
records. Blocking, and used by one thread at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from craton.infra.audit import chain, folder
from craton.infra.audit.chain import Broken, Head, Link


class LogBusy(Exception):
    """Another process writes this log."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """`segment_bytes`: where a segment ends, besides at midnight (UTC). `keep_days`: 0 keeps everything."""

    segment_bytes: int = 64 * 1024 * 1024
    keep_days: int = 0
    durable: bool = True
    """False: the system may write when it likes; for homes that end with their server."""


class Log:
    """An open log. `own` makes the log's own records, of an event's name and its data."""

    def __init__(
        self, path: Path, rules: Rules, now: Callable[[], datetime], own: Callable[[str, dict[str, object]], bytes]
    ) -> None:
        """Open the log in the folder `path`, made if there is none.

        Raises:
            LogBusy: somebody else writes it.
            OSError: it cannot be read or written.
        """
        self._path = path
        self._rules = rules
        self._now = now
        self._own = own
        folder.make(path)
        self._head = folder.open_file(path / folder.HEAD, os.O_RDWR)
        self._file: int | None = None
        self._name = ""
        self._size = 0
        self.link = Link()
        """The last record that is kept."""
        try:
            self._lock()
            self._recover()
        except BaseException:
            self.close()
            raise

    def append(self, records: Sequence[bytes]) -> None:
        """Keep records (JSON objects); when this returns, they are durable and the head vouches for them.

        Raises:
            OSError: none of them is kept.
        """
        today = self._now().astimezone(UTC).date()
        if self._file is None or self._size >= self._rules.segment_bytes or folder.day_of(self._name) != today:
            self._begin(folder.segment_name(self.link.sequence + 1, today))
        file, link, lines = self._file, self.link, []
        for record in records:
            made, link = chain.line(record, link)
            lines.append(made + b"\n")
        self._write(file, b"".join(lines))
        self.link = link
        self._vouch()

    def close(self) -> None:
        """Let go of the files."""
        for handle in (self._file, self._head):
            if handle is not None and handle >= 0:
                os.close(handle)
        self._file, self._head = None, -1

    # --- within ---

    def _lock(self) -> None:
        try:
            fcntl.flock(self._head, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogBusy(f"another process writes the audit log in {self._path}") from None

    def _write(self, file: int | None, data: bytes) -> None:
        """All of the data and durable, or nothing of it."""
        if file is None:  # pragma: no cover - `append` has opened it
            raise ValueError("no segment is open")
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            if self._rules.durable:
                os.fdatasync(file)
        except OSError:
            os.ftruncate(file, self._size)
            raise
        self._size += len(data)

    def _vouch(self) -> None:
        folder.write_head(self._head, Head(self.link.sequence, self.link.hash, self._name, self._size))

    def _begin(self, name: str) -> None:
        """Go on in a new segment; afterwards the oldest ones may go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._file = folder.open_file(self._path / name, os.O_WRONLY | os.O_APPEND)
        self._name, self._size = name, 0
        if self._rules.durable:
            folder.sync_folder(self._path)
        self._retire()

    def _retire(self) -> None:
        """Remove segments that are older than the days to keep, after saying so in the log."""
        if not self._rules.keep_days:
            return
        oldest = self._now().astimezone(UTC).date() - timedelta(days=self._rules.keep_days)
        names = folder.segments(self._path)
        old = [name for name in names[:-1] if folder.day_of(name) < oldest]
        if not old:
            return
        kept = folder.first_of(names[len(old)])
        record = self._own("RetireAuditSegments", {chain.KEPT_FROM: kept, "segments": old})
        made, link = chain.line(record, self.link)
        self._write(self._file, made + b"\n")
        self.link = link
        self._vouch()
        for name in old:
            (self._path / name).unlink(missing_ok=True)

    def _recover(self) -> None:
        """Find the end of the chain: at the head, or behind it where a crash came between the two."""
        names = folder.segments(self._path)
        lost = ""
        try:
            head = folder.read_head(self._path)
        except folder.BadHead:
            head, lost = None, "damaged"
        if head is not None:
            self.link = head.link
            found = [name for name in names if name >= head.segment]
            at = head.size_bytes
        else:
            found, at = names[-1:], 0
            lost = lost or ("missing" if names else "")
        for name in found:
            self._take_up(name, at if head is not None and name == head.segment else 0, trusted=head is not None)
        if lost:
            # What is missing before stays missing, and `verify` finds it; this only says since when.
            self.append([self._own("RecoverAuditHead", {"head": lost})])

    def _take_up(self, name: str, start: int, *, trusted: bool) -> None:
        """Follow the chain through a segment from an offset, and go on writing there."""
        if self._file is not None:
            os.close(self._file)
        self._file = folder.open_file(self._path / name, os.O_RDWR | os.O_APPEND)
        self._name = name
        size = os.fstat(self._file).st_size
        data = os.pread(self._file, max(0, size - start), start)
        good = 0
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                if not trusted:
                    sequence, previous, _ = chain.place(line[:-1])
                    self.link, trusted = Link(sequence - 1, previous), True
                self.link = chain.follow(line[:-1], self.link)
            except Broken:
                break
            good += len(line)
        self._size = min(size, start + good)
        if size > self._size:
            os.ftruncate(self._file, self._size)
