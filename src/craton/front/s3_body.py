"""The body of an S3 request on its way in: pieces as they come, decoded if they are chunked, checked as they pass.

Joins what the server hands over (`turn`) with `awschunked` and `payload`. Owns which headers announce what of a body,
and how large one may be. Nothing is read before somebody iterates, so a client that asked whether to send its body
(`Expect: 100-continue`) is told when its request is known to be worth it. Knows no operation by name.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from craton.aws.wire import checksums, s3_faults
from craton.aws.wire.awschunked import Decoder
from craton.aws.wire.payload import Checks, Incoming
from craton.aws.wire.s3_auth import CHUNKED_TRAILER, STREAMING, UNSIGNED, UNSIGNED_TRAILER, ChunkKey
from craton.front import turn

MOST_OBJECT_BYTES: Final = 5 * 1024**3
MOST_DOCUMENT_BYTES: Final = 8 * 1024**2

Headers = Mapping[bytes, bytes]


def incoming(
    receive: turn.Receive, headers: Headers, content: str, chunks: ChunkKey | None, *, whole_object: bool = False
) -> Incoming:
    """The body of a request whose head is verified.

    Args:
        receive: gives its bytes.
        headers: by lower-case name.
        content: what `x-amz-content-sha256` says.
        chunks: the key of signed pieces.
        whole_object: the checksum headers speak of an object and not of this body (CompleteMultipartUpload).

    Raises:
        Fault: for headers that contradict each other, or announce what no body can be.
    """
    chunked = content in STREAMING
    length = _length(headers, chunked=chunked)
    if length is not None and length > MOST_OBJECT_BYTES:
        raise s3_faults.too_large(length, MOST_OBJECT_BYTES)
    has_trailer = content in (CHUNKED_TRAILER, UNSIGNED_TRAILER)
    declared = {} if whole_object else _declared(headers)
    checks = Checks(
        length=length,
        sha256=None if chunked or content == UNSIGNED else content,
        md5=_md5(headers),
        checksums=declared,
        announced=_announced(headers) if has_trailer else (),
    )
    if not chunked:
        return Incoming(pieces(receive), checks)
    decoder = Decoder(chunks, trailer=has_trailer)
    return Incoming(_decoded(receive, decoder), checks, decoder.trailers)


def form_checks(fields: Mapping[str, str]) -> Checks:
    """What the fields of a form say of its file."""
    headers = {name.encode(): value.encode("latin-1", "replace") for name, value in fields.items()}
    return Checks(md5=_md5(headers), checksums=_declared(headers))


async def pieces(receive: turn.Receive) -> AsyncGenerator[bytes]:
    """The bytes as they come; raises Fault IncompleteBody, RequestTimeout."""
    more = True
    while more:
        try:
            message = await receive()
        except turn.BodyLate:
            raise s3_faults.timed_out() from None
        if message["type"] == "http.disconnect":
            raise s3_faults.incomplete_body()
        more = message.get("more_body", False)
        body: bytes = message.get("body", b"")
        if body:
            yield body


async def _decoded(receive: turn.Receive, decoder: Decoder) -> AsyncGenerator[bytes]:
    async for data in pieces(receive):
        for piece in decoder.feed(data):
            yield piece
    decoder.end()


def _length(headers: Headers, *, chunked: bool) -> int | None:
    """The number of bytes of the content, None where nothing says it."""
    raw = headers.get(b"x-amz-decoded-content-length" if chunked else b"content-length")
    if raw is None:
        if chunked or b"transfer-encoding" in headers:
            raise s3_faults.fault("MissingContentLength", "You must provide the Content-Length HTTP header.")
        return None
    if not raw.isdigit() or len(raw) > 15:
        raise s3_faults.invalid_argument("The length is not a number.", "Content-Length", raw[:32].decode("latin-1"))
    return int(raw)


def _md5(headers: Headers) -> bytes | None:
    raw = headers.get(b"content-md5")
    if raw is None:
        return None
    try:
        found = base64.b64decode(raw.strip(), validate=True)
    except ValueError:
        found = b""
    if len(found) != checksums.SIZES["MD5"]:
        raise s3_faults.fault("InvalidDigest", "The Content-MD5 you specified was invalid.")
    return found


def _declared(headers: Headers) -> dict[str, str]:
    """The checksum that a header states, by algorithm."""
    found: dict[str, str] = {}
    for name, algorithm in checksums.HEADERS.items():
        raw = headers.get(name.encode())
        if raw is None:
            continue
        value = raw.decode("latin-1").strip()
        if checksums.parsed(algorithm, value) is None:
            raise s3_faults.invalid_checksum(algorithm)
        found[algorithm] = value
    if len(found) > 1:
        raise s3_faults.fault(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    return found


def _announced(headers: Headers) -> tuple[str, ...]:
    """The algorithms of the checksums that come in trailers."""
    names = headers.get(b"x-amz-trailer", b"").decode("latin-1").lower().split(",")
    found = tuple(checksums.HEADERS[name.strip()] for name in names if name.strip() in checksums.HEADERS)
    if not found or len(found) != len(names):
        raise s3_faults.fault("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    return found
