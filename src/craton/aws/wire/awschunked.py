"""The `aws-chunked` coding: a body in pieces, each of which may be signed, with checksums in trailers after it.

This file owns the framing, the chain of signatures and the caps on what is not content. Bytes in, bytes out; a piece is
given out as it comes and its signature judged when it has ended, so nothing may be kept of a body before `end`. It must
not know HTTP, nor what the trailers say. Sans-IO.
Source: "Signature calculations … transferring payload in multiple chunks" (with and without trailing headers), S3 API
reference; botocore's AwsChunkedWrapper is the other end in the tests.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from craton.aws.wire import s3_faults

if TYPE_CHECKING:
    from craton.aws.wire.faults import Fault
    from craton.aws.wire.s3_auth import ChunkKey

MOST_LINE_BYTES: Final = 1024
MOST_TRAILER_BYTES: Final = 8192
_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?\Z")
_TRAILER: Final = re.compile(rb"([A-Za-z0-9-]+)[ \t]*:[ \t]*([\x21-\x7e]*)[ \t]*\Z")
_SIGNATURE: Final = "x-amz-trailer-signature"
_EMPTY: Final = sha256().hexdigest()
_LINE, _DATA, _AFTER, _TRAILERS, _DONE = range(5)


class Decoder:
    """Decodes one body.

    Args:
        key: what its pieces are signed with; None where they are not.
        trailer: whether trailers follow it.

    Attributes:
        trailers: by lower-case name, once the body has ended.
    """

    def __init__(self, key: ChunkKey | None, *, trailer: bool) -> None:
        self.trailers: dict[str, str] = {}
        self._key = key
        self._before = key.seed if key is not None else ""
        self._has_trailer = trailer
        self._state = _LINE
        self._line = b""  # of a line that has not ended
        self._left = 0  # bytes of the piece that are to come
        self._signature = ""
        self._digest = sha256()
        self._trailing: list[bytes] = []
        self._trailing_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """What these bytes hold of the content, in order; raises Fault."""
        found: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if self._state == _DATA:
                piece = data[at : at + self._left] if at or self._left < end else data
                at += len(piece)
                self._left -= len(piece)
                if self._key is not None:
                    self._digest.update(piece)
                found.append(piece)
                if not self._left:
                    self._state = _AFTER
            elif self._state == _DONE:
                raise s3_faults.incomplete_body()
            else:
                at = self._read_line(data, at)
        return found

    def end(self) -> None:
        """The bytes have ended; raises Fault where the body has not."""
        if self._state != _DONE:
            raise s3_faults.incomplete_body()

    def _read_line(self, data: bytes, at: int) -> int:
        """Take up to the next line feed; returns where to go on."""
        found = data.find(b"\n", at)
        stop = len(data) if found < 0 else found + 1
        self._line += data[at:stop]
        if len(self._line) > MOST_LINE_BYTES:
            raise _malformed()
        if found >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                raise _malformed()
            self._take_line(line[:-2])
        return stop

    def _take_line(self, line: bytes) -> None:
        if self._state == _AFTER:
            if line:
                raise _malformed()
            self._judge()
            self._state = _LINE
        elif self._state == _LINE:
            self._begin(line)
        elif line:
            self._trailing_bytes += len(line)
            if self._trailing_bytes > MOST_TRAILER_BYTES:
                raise s3_faults.malformed_trailer()
            self._trailing.append(line)
        else:
            self._finish()

    def _begin(self, line: bytes) -> None:
        """The head of a piece."""
        head = _HEAD.match(line)
        if head is None or (head[2] is None) != (self._key is None):
            raise _malformed()
        self._left = int(head[1], 16)
        self._signature = (head[2] or b"").decode()
        if self._left:
            self._state = _DATA
            return
        self._judge()
        self._state = _TRAILERS

    def _judge(self) -> None:
        """The signature of the piece that has ended."""
        if self._key is None:
            return
        digest, self._digest = self._digest.hexdigest(), sha256()
        self._compare("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{digest}", self._signature)
        self._before = self._signature

    def _compare(self, kind: str, what: str, signature: str) -> None:
        key = self._key
        assert key is not None  # noqa: S101 - only signed bodies are compared
        text = f"{kind}\n{key.timestamp}\n{key.place}\n{self._before}\n{what}".encode()
        made = sha256(key.outer + sha256(key.inner + text).digest()).hexdigest()
        if not hmac.compare_digest(made, signature):
            raise s3_faults.bad_signature()

    def _finish(self) -> None:
        """All has come: the trailers, and over them one more signature."""
        if self._trailing and not self._has_trailer:
            raise _malformed()
        signed = b""
        for line in self._trailing:
            found = _TRAILER.match(line)
            name = found[1].decode().lower() if found is not None else ""
            if found is None or name in self.trailers:
                raise s3_faults.malformed_trailer()
            self.trailers[name] = found[2].decode()
            if name != _SIGNATURE:
                signed += name.encode() + b":" + found[2] + b"\n"
        if self._key is not None and self._has_trailer:
            self._compare("AWS4-HMAC-SHA256-TRAILER", sha256(signed).hexdigest(), self.trailers.get(_SIGNATURE, ""))
        self._state = _DONE


def _malformed() -> Fault:
    return s3_faults.fault("InvalidRequest", "The request body is not valid in the aws-chunked encoding.")
