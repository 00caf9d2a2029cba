"""Bodies on their way in: the chunked coding, what is checked as bytes pass, and forms."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.awschunked import MOST_LINE_BYTES, Decoder
from craton.aws.wire.faults import Fault
from craton.aws.wire.multipart import FormReader
from craton.aws.wire.payload import Checks, Incoming
from craton.aws.wire.s3_auth import ChunkKey

# The example of the S3 API reference, "Signature calculations for the Authorization header: Transferring payload in
# multiple chunks": 65 KiB of the letter a, with the published key, date and signatures.
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
PUBLISHED = (
    (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)


def published_key() -> ChunkKey:
    from craton.aws.wire.canonical import signing_key

    key = signing_key(SECRET, "20130524", "us-east-1", "s3").ljust(64, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
    return ChunkKey(inner, outer, "20130524/us-east-1/s3/aws4_request", "20130524T000000Z", SEED)


def published_body() -> bytes:
    return b"".join(b"%x;chunk-signature=%b\r\n%b\r\n" % (size, sig.encode(), b"a" * size) for size, sig in PUBLISHED)


def decoded(body: bytes, key: ChunkKey | None = None, *, trailer: bool = False, step: int = 0) -> tuple[bytes, Decoder]:
    decoder = Decoder(key, trailer=trailer)
    found = b"".join(
        piece
        for at in range(0, len(body), step or len(body) or 1)
        for piece in decoder.feed(body[at : at + (step or len(body))])
    )
    decoder.end()
    return found, decoder


@pytest.mark.parametrize("step", [0, 1, 7, 8192])
def test_the_published_example_holds(step: int) -> None:
    """However the bytes are cut on their way."""
    found, _ = decoded(published_body(), published_key(), step=step)
    assert found == b"a" * 66560


@pytest.mark.parametrize("change", [b"chunk-signature=ad", b"aaaa", b"0;chunk", b"10000;"])
def test_a_change_anywhere_is_found(change: bytes) -> None:
    """In a signature, in the content, in the end, in a size."""
    body = published_body()
    at = body.index(change)
    changed = (
        body[:at]
        + change.replace(b"a", b"b", 1).replace(b"1", b"2", 1).replace(b"0", b"1", 1)
        + body[at + len(change) :]
    )
    with pytest.raises(Fault):
        decoded(changed, published_key())


def test_every_cut_is_found() -> None:
    """A body that ends anywhere before its end is incomplete."""
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    for end in range(len(body)):
        with pytest.raises(Fault) as caught:
            decoded(body[:end], trailer=True)
        assert caught.value.name == "IncompleteBody"
    found, decoder = decoded(body, trailer=True)
    assert (found, decoder.trailers) == (b"abc", {"x-amz-checksum-crc32": "AAAA"})


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"3\nabc\r\n0\r\n\r\n", "InvalidRequest"),
        (b"3;chunk-signature=" + b"0" * 64 + b"\r\nabc\r\n0\r\n\r\n", "InvalidRequest"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "InvalidRequest"),
        (b"0x3\r\nabc\r\n0\r\n\r\n", "InvalidRequest"),
        (b"ffffffffffffffffff\r\n", "InvalidRequest"),
        (b"3\r\nabcd\r\n0\r\n\r\n", "InvalidRequest"),
        (b"3\r\nabc\r\n0\r\nnot a trailer\r\n\r\n", "MalformedTrailerError"),
        (b"3\r\nabc\r\n0\r\na:1\r\na:1\r\n\r\n", "MalformedTrailerError"),
        (b"3\r\nabc\r\n0\r\n\r\nmore", "IncompleteBody"),
        (b"9" * (MOST_LINE_BYTES + 1), "InvalidRequest"),
        (b"0\r\n" + b"a:b\r\n" * 5000, "MalformedTrailerError"),
    ],
)
def test_what_is_not_the_coding_is_refused(body: bytes, name: str) -> None:
    """And never held in memory for ever."""
    with pytest.raises(Fault) as caught:
        decoded(body, trailer=True)
    assert caught.value.name == name


def test_trailers_come_only_where_they_are_announced() -> None:
    """A trailer that the head does not speak of could be anybody's."""
    with pytest.raises(Fault):
        decoded(b"0\r\na:b\r\n\r\n", trailer=False)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.integers(1, 40))
@settings(max_examples=150)
def test_what_is_encoded_is_decoded(pieces: list[bytes], step: int) -> None:
    """Whatever the pieces and however they are cut."""
    body = b"".join(b"%X\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
    assert decoded(body, step=step)[0] == b"".join(pieces)


@given(st.binary(max_size=300), st.integers(1, 50))
@settings(max_examples=300)
def test_no_bytes_do_more_than_be_refused(body: bytes, step: int) -> None:
    """Whatever comes, it is content or a Fault."""
    for key in (None, published_key()):
        try:
            decoded(body, key, trailer=True, step=step)
        except Fault:
            pass


# --- Incoming ---


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for one in pieces:
        yield one


def taken(incoming: Incoming) -> bytes:
    async def take() -> bytes:
        return b"".join([piece async for piece in incoming])

    return asyncio.run(take())


def crc32(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def test_what_was_declared_and_held_is_known_at_the_end() -> None:
    """Digests of the client's, the MD5, and what somebody wanted computed beside."""
    digest = hashlib.sha256(b"abcd")
    checks = Checks(
        length=4, sha256=digest.hexdigest(), md5=hashlib.md5(b"abcd").digest(), checksums={"CRC32": crc32(b"abcd")}
    )
    incoming = Incoming(_pieces(b"ab", b"", b"cd"), checks)
    incoming.compute("SHA256")
    assert taken(incoming) == b"abcd"
    assert incoming.checksums == {"CRC32": crc32(b"abcd"), "SHA256": base64.b64encode(digest.digest()).decode()}
    assert (incoming.md5, incoming.size) == (hashlib.md5(b"abcd").digest(), 4)


@pytest.mark.parametrize(
    ("checks", "trailers", "name"),
    [
        (Checks(length=3), {}, "IncompleteBody"),
        (Checks(length=5), {}, "IncompleteBody"),
        (Checks(sha256="0" * 64), {}, "XAmzContentSHA256Mismatch"),
        (Checks(md5=b"0" * 16), {}, "BadDigest"),
        (Checks(checksums={"CRC32": crc32(b"abc")}), {}, "BadDigest"),
        (Checks(announced=("CRC32",)), {}, "MalformedTrailerError"),
        (Checks(announced=("CRC32",)), {"x-amz-checksum-crc32": "?"}, "InvalidRequest"),
        (Checks(announced=("CRC32",)), {"x-amz-checksum-crc32": crc32(b"x")}, "BadDigest"),
    ],
)
def test_what_does_not_hold_ends_the_iteration(checks: Checks, trailers: dict[str, str], name: str) -> None:
    """By the Fault that says what is wrong."""
    with pytest.raises(Fault) as caught:
        taken(Incoming(_pieces(b"ab", b"cd"), checks, trailers))
    assert caught.value.name == name


def test_a_document_has_a_limit() -> None:
    """Declared or not."""
    for checks in (Checks(length=11), Checks()):
        with pytest.raises(Fault) as caught:
            asyncio.run(Incoming(_pieces(b"0123456789", b"0"), checks).whole(10))
        assert caught.value.name == "EntityTooLarge"


# --- forms ---


def form(*fields: tuple[str, bytes], boundary: bytes = b"xyz") -> bytes:
    return b"".join(_parts(fields, boundary)) + b"--" + boundary + b"--\r\n"


def _parts(fields: tuple[tuple[str, bytes], ...], boundary: bytes) -> Iterator[bytes]:
    for name, value in fields:
        more = b'; filename="a\\"b.txt"\r\nContent-Type: x/y' if name == "file" else b""
        yield b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (
            boundary,
            name.encode(),
            more,
            value,
        )


def read(
    body: bytes, step: int = 0, content_type: bytes = b"multipart/form-data; boundary=xyz"
) -> tuple[FormReader, bytes]:
    reader, size = FormReader(content_type), step or len(body) or 1
    found = b"".join(piece for at in range(0, len(body), size) for piece in reader.feed(body[at : at + size]))
    return reader, found


@pytest.mark.parametrize("step", [0, 1, 3, 64])
def test_a_form_is_its_fields_and_its_file(step: int) -> None:
    """Names in lower case; what comes after the file is not heard; half a boundary is content."""
    content = b"line\r\n--xy\r\n\r\n--x" * 20
    reader, found = read(form(("Key", b"k\r\nk"), ("x", b""), ("file", content), ("late", b"1")), step)
    assert (reader.fields, found) == ({"key": "k\r\nk", "x": ""}, content)
    assert (reader.filename, reader.complete) == ('a"b.txt', True)


def test_a_form_that_is_cut_is_not_complete() -> None:
    """Wherever it is cut, and whatever was given out before."""
    body = form(("key", b"k"), ("file", b"content"))
    end = body.rindex(b"--xyz--")
    assert not any(read(body[:at])[0].complete for at in range(end + 6))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"no form at all", "MalformedPOSTRequest"),
        (b"--xyz!!", "MalformedPOSTRequest"),
        (b"--xyz\r\nno head\r\n\r\n", "MalformedPOSTRequest"),
        (b"--xyz\r\n" + b"a" * 5000, "MalformedPOSTRequest"),
        (form(("a", b"\xff")), "MalformedPOSTRequest"),
        (form(("a", b"1"), ("A", b"2")), "InvalidArgument"),
        (form(("a", b"1" * 30_000)), "MaxPostPreDataLengthExceededError"),
        (form(*((f"a{at}", b"1" * 5_000) for at in range(9))), "MaxPostPreDataLengthExceededError"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, name: str) -> None:
    """Before it fills memory."""
    with pytest.raises(Fault) as caught:
        read(body)
    assert caught.value.name == name


@given(st.binary(max_size=200), st.binary(max_size=60), st.integers(1, 30))
@settings(max_examples=200)
def test_no_form_does_more_than_be_refused(rest: bytes, content: bytes, step: int) -> None:
    """Whatever comes behind a good beginning."""
    try:
        read(form(("key", b"k"), ("file", content))[:-9] + rest, step)
        read(b"--xyz" + rest, step)
    except Fault:
        pass
