"""Reads a `multipart/form-data` body whose last part is a file, as S3's forms are: small fields first, then a stream.

This file owns the framing and the caps on what comes before the file. Bytes in, bytes out: `feed` gives what the bytes
hold of the file. It must not know what a field means. Sans-IO. Source: RFC 7578; "POST Object", S3 API reference.
"""

from __future__ import annotations

import re
from typing import Final

from craton.aws.wire import s3_faults
from craton.aws.wire.faults import Fault

MOST_FIELD_BYTES: Final = 20 * 1024
MOST_HEAD_BYTES: Final = 4096
_BOUNDARY: Final = re.compile(rb'boundary=(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_DISPOSITION: Final = re.compile(
    rb"\Acontent-disposition[ \t]*:[ \t]*form-data[ \t]*;(.*)\Z", re.IGNORECASE | re.DOTALL
)
_PARAMETER: Final = re.compile(rb'[ \t]*([A-Za-z*]+)[ \t]*=[ \t]*(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]+))[ \t]*;?')
_ESCAPED: Final = re.compile(rb"\\(.)")
_OPEN, _AFTER, _HEAD, _FIELD, _FILE, _DONE = range(6)


class FormReader:
    """Reads one form.

    Attributes:
        fields: by name in lower case, as far as they have come.
        filename: what the client calls its file; None until the file begins.
        complete: the form has ended as it should.
    """

    def __init__(self, content_type: bytes) -> None:
        """Raises Fault for a type without boundary."""
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise _malformed()
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.complete = False
        self._end = b"\r\n--" + (found[1] or found[2])
        self._held = b"\r\n"  # so that the first boundary looks like the others
        self._state = _OPEN
        self._name = ""
        self._field_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """What the bytes hold of the file; raises Fault for what is no form, or too large a one."""
        self._held += data
        found: list[bytes] = []
        while self._step(found):
            pass
        return found

    def _step(self, found: list[bytes]) -> bool:
        """Take what can be taken of what is held; whether to go on."""
        if self._state == _FILE:
            return self._file(found)
        if self._state == _DONE:
            self._held = b""
            return False
        return _STEPS[self._state](self)

    def open(self) -> bool:
        if len(self._held) < len(self._end):
            return False
        if not self._held.startswith(self._end):
            raise _malformed()
        self._held = self._held[len(self._end) :]
        self._state = _AFTER
        return True

    def after(self) -> bool:
        """Behind a boundary: two bytes say whether another part comes."""
        if len(self._held) < 2:
            return False
        mark, self._held = self._held[:2], self._held[2:]
        if mark == b"--":
            self._state, self.complete = _DONE, True
        elif mark == b"\r\n" and self.filename is None:
            self._state = _HEAD
        elif mark == b"\r\n":  # what comes after the file is not heard
            self._state, self.complete = _DONE, True
        else:
            raise _malformed()
        return True

    def head(self) -> bool:
        head, ends, rest = self._held.partition(b"\r\n\r\n")
        if not ends:
            if len(self._held) > MOST_HEAD_BYTES:
                raise _malformed()
            return False
        self._name, filename = _disposition(head)
        # The value's own end may follow at once, and begins with the line break.
        self._held = rest
        if self._name == "file":
            self.filename = filename or ""
            self._state = _FILE
        else:
            self._state = _FIELD
        return True

    def field(self) -> bool:
        value, ends, rest = self._held.partition(self._end)
        size = self._field_bytes + len(value)
        if size > MOST_FIELD_BYTES:
            raise s3_faults.fault(
                "MaxPostPreDataLengthExceededError",
                "Your POST request fields preceding the upload file were too large.",
            )
        if not ends:
            return False
        self._field_bytes = size + len(self._name)
        if self._name in self.fields:
            raise s3_faults.invalid_argument(f"POST requires exactly one value of {self._name}.", self._name, "")
        try:
            self.fields[self._name] = value.decode()
        except UnicodeDecodeError:
            raise _malformed() from None
        self._held, self._state = rest, _AFTER
        return True

    def _file(self, found: list[bytes]) -> bool:
        at = self._held.find(self._end)
        if at >= 0:
            piece, self._held = self._held[:at], self._held[at + len(self._end) :]
            self._state = _AFTER
        else:
            safe = len(self._held) - len(self._end) + 1  # of the rest, the boundary may have begun
            if safe <= 0:
                return False
            piece, self._held = self._held[:safe], self._held[safe:]
        if piece:
            found.append(piece)
        return at >= 0


_STEPS = {_OPEN: FormReader.open, _AFTER: FormReader.after, _HEAD: FormReader.head, _FIELD: FormReader.field}


def _disposition(head: bytes) -> tuple[str, str | None]:
    """The name and the file's name that a part's head gives."""
    for line in head.split(b"\r\n"):
        row = _DISPOSITION.match(line)
        if row is None:
            continue
        given = {
            one[1].lower(): _ESCAPED.sub(rb"\1", one[2]) if one[2] is not None else one[3]
            for one in _PARAMETER.finditer(row[1])
        }
        name = given.get(b"name")
        if name:
            filename = given.get(b"filename")
            return name.decode("utf-8", "replace").lower(), filename.decode("utf-8", "replace") if filename else None
    raise _malformed()


def _malformed() -> Fault:
    return s3_faults.fault(
        "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )
