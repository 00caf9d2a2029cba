"""Records of a batch: lines out of pieces of a file, a record out of a line, and the line that answers it.

Owns the JSONL of both sides (reference: Bedrock user guide, "Format and upload your batch inference data" and "View the
results of a batch inference job"). `modelInput` is passed on as it stands in the file, byte by byte, and never
decoded. It must not know models, S3 or HTTP. Pure.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import msgspec

MAX_LINE_BYTES = 32 * 1024 * 1024
"""More than the largest body that InvokeModel takes."""
_GENERATED_LETTERS = 11
_BRACE = ord("{")
Place = tuple[int, int]
"""A record's file and line."""
NOWHERE: Place = (-1, 0)
"""Before the first record."""


class BadRecord(Exception):
    """A line that is no record; the text says why, for the job's message."""


class Line(msgspec.Struct, frozen=True):
    """One line that is not empty: which one of its file (from 1), and where the next one begins, in bytes.

    `file` counts the job's files from 0.
    """

    file: int
    number: int
    end: int
    data: bytes


class Record(msgspec.Struct, frozen=True):
    """One line as it was meant. Members beyond these are ignored, as on Bedrock."""

    input: msgspec.Raw = msgspec.field(name="modelInput")
    ident: str | None = msgspec.field(name="recordId", default=None)


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of a record: of which file and line it was, the output's line, and what it counts."""

    file: int
    number: int
    end: int
    line: bytes
    good: bool
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def place(self) -> Place:
        return self.file, self.number


_RECORD = msgspec.json.Decoder(Record)


class Splitter:
    """Lines of a file that comes in pieces. `offset` and `number` say where in the file the first piece begins."""

    def __init__(self, file: int = 0, offset: int = 0, number: int = 0) -> None:
        self._file = file
        self._rest: list[bytes] = []
        self._held = 0
        self._offset = offset
        self._number = number

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The lines that this piece completes. Raises BadRecord for a line without end."""
        if b"\n" not in piece:
            self._rest.append(piece)
            self._held += len(piece)
            if self._held > MAX_LINE_BYTES:
                raise BadRecord(f"line {self._number + 1} is longer than {MAX_LINE_BYTES} bytes")
            return
        lines = b"".join((*self._rest, piece)).split(b"\n")
        last = lines.pop()
        self._rest, self._held = [last], len(last)
        for data in lines:
            yield from self._line(data, len(data) + 1)

    def finish(self) -> Iterator[Line]:
        """The last line, where the file does not end in a line break."""
        data = b"".join(self._rest)
        self._rest, self._held = [], 0
        yield from self._line(data, len(data))

    def _line(self, data: bytes, size: int) -> Iterator[Line]:
        self._number += 1
        self._offset += size
        if size > MAX_LINE_BYTES:
            raise BadRecord(f"line {self._number} is longer than {MAX_LINE_BYTES} bytes")
        if data and not data.isspace():
            yield Line(self._file, self._number, self._offset, data)


def read_record(line: Line) -> Record:
    """The record of a line. Raises BadRecord, never with anything of the line's content."""
    try:
        record = _RECORD.decode(line.data)
    except msgspec.ValidationError:
        raise BadRecord(f"line {line.number} must be a JSON object with a modelInput and, if any, a recordId") from None
    except msgspec.DecodeError:
        raise BadRecord(f"line {line.number} is not valid JSON") from None
    if memoryview(record.input)[0] != _BRACE:
        raise BadRecord(f"the modelInput of line {line.number} is not a JSON object")
    return record


def check_line(line: Line) -> None:
    """What validation looks at, the encoding too. Raises BadRecord."""
    try:
        str(line.data, "utf-8")
    except UnicodeDecodeError:
        raise BadRecord(f"line {line.number} is not UTF-8") from None
    read_record(line)


def record_id(record: Record, job: str, file: str, number: int) -> str:
    """The record's id, or one that is always the same for this line of this file in this job."""
    if record.ident:
        return record.ident
    mark = hashlib.blake2b(f"{job}\n{file}\n{number}".encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return base64.b32encode(mark).decode()[:_GENERATED_LETTERS]


def answered(ident: str, record: Record, output: bytes) -> bytes:
    """The output's line of a record that the model answered."""
    if b"\n" in output or b"\r" in output:
        output = msgspec.json.format(output, indent=-1)
    return b'{"recordId":%b,"modelInput":%b,"modelOutput":%b}\n' % (
        msgspec.json.encode(ident),
        record.input,
        output,
    )


def refused(ident: str, record: Record, code: int, message: str) -> bytes:
    """The output's line of a record that got an error, as Bedrock writes it."""
    error = {"errorCode": code, "errorMessage": message}
    return b'{"recordId":%b,"modelInput":%b,"error":%b}\n' % (
        msgspec.json.encode(ident),
        record.input,
        msgspec.json.encode(error),
    )
