"""A range of one blob's file, read and checked batch by batch.

Owns the open file and the position; blocking, for threads, one call at a time. No byte leaves that its checksum does
not vouch for. It must not know loops, nor who asks for which range.
"""

from __future__ import annotations

import os

from craton.infra.blobs.folder import worded
from craton.infra.blobs.port import BlobDamaged, NoSuchBlob
from craton.infra.blobs.sheet import FRAME_BYTES, Damaged, Sheet, tail_start

BATCH_BYTES = 8 * FRAME_BYTES
"""What one call reads at most: enough to be worth a thread, little enough for many readers at once."""


class Reading:
    """`next` until `done`, then `close`.

    Args:
        stop: None for the end.
    """

    def __init__(self, path: str, ident: str, start: int, stop: int | None) -> None:
        self._path, self._ident = path, ident
        self._at, self._stop = start, stop
        self._file = -1
        self._sheet: Sheet | None = None
        self._held = b""  # the whole file of a small blob
        self.done = False

    def next(self) -> bytes:
        """The next bytes; b"" where the range holds none. Raises NoSuchBlob, BlobDamaged, BlobsUnavailable."""
        try:
            sheet = self._sheet or self._opened()
            stop = sheet.size if self._stop is None else min(self._stop, sheet.size)
            wanted = self._batch(sheet, stop) if self._at < stop else b""
            self.done = self._at >= stop
            return wanted
        except FileNotFoundError:
            raise NoSuchBlob(self._ident) from None
        except Damaged as damage:
            raise BlobDamaged(self._ident, str(damage)) from None
        except OSError as error:
            raise worded(error) from error

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _opened(self) -> Sheet:
        self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        file_bytes = os.fstat(self._file).st_size
        if file_bytes <= BATCH_BYTES:
            self._held = tail = self._read(0, file_bytes)
        else:
            begin = tail_start(file_bytes)
            tail = self._read(begin, file_bytes - begin)
        self._sheet = Sheet(self._ident, tail, file_bytes)
        return self._sheet

    def _batch(self, sheet: Sheet, stop: int) -> bytes:
        frame = self._at // FRAME_BYTES
        begin = frame * FRAME_BYTES
        end = min(-(-stop // FRAME_BYTES) * FRAME_BYTES, begin + BATCH_BYTES, sheet.size)
        data = self._held[begin:end] if self._held else self._read(begin, end - begin)
        sheet.check(frame, memoryview(data))
        wanted = data[self._at - begin : stop - begin]
        self._at = min(end, stop)
        return wanted

    def _read(self, begin: int, count: int) -> bytes:
        data = os.pread(self._file, count, begin)
        while len(data) < count:
            more = os.pread(self._file, count - len(data), begin + len(data))
            if not more:
                raise Damaged("it was cut short")
            data += more
        return data
