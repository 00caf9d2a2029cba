"""Checksums of bodies: published values, pieces against wholes, and what parts say about the whole."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.wire.checksums import COMBINES, SIZES, Checksum, combined, composed, parsed

# "123456789", the check value of the CRC catalogues; digests of it by coreutils; xxHash's of the empty input (its own
# specification) below.
CHECK = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
}
EMPTY = {
    "XXHASH64": "ef46db3751d8e999",
    "XXHASH3": "2d06800538d394c2",
    "XXHASH128": "99aa06d3014798d86001c324468d497f",
}


@pytest.mark.parametrize(("algorithm", "expected"), CHECK.items())
def test_checksums_have_their_published_values(algorithm: str, expected: str) -> None:
    """Each algorithm gives the value that its catalogue has for nine digits."""
    checksum = Checksum(algorithm)
    checksum.update(b"123456789")
    assert checksum.digest().hex() == expected
    assert base64.b64decode(checksum.base64()).hex() == expected


@pytest.mark.parametrize(("algorithm", "expected"), EMPTY.items())
def test_xxhashes_are_written_big_endian(algorithm: str, expected: str) -> None:
    """An xxHash is its canonical, big-endian form, and can be asked twice."""
    checksum = Checksum(algorithm)
    assert [checksum.digest().hex(), checksum.digest().hex()] == [expected, expected]


@pytest.mark.parametrize("algorithm", SIZES)
@given(pieces=st.lists(st.binary(max_size=40), max_size=6))
def test_checksums_are_the_same_in_any_pieces(algorithm: str, pieces: list[bytes]) -> None:
    """Cut anywhere, a body has one checksum of the stated width."""
    whole, cut = Checksum(algorithm), Checksum(algorithm)
    whole.update(b"".join(pieces))
    for piece in pieces:
        cut.update(memoryview(piece))
    assert whole.digest() == cut.digest()
    assert len(whole.digest()) == SIZES[algorithm]


@pytest.mark.parametrize("algorithm", COMBINES)
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_combined_crcs_are_those_of_the_whole(algorithm: str, parts: list[bytes]) -> None:
    """The CRCs of parts, empty ones too, combine to that of the parts in a row."""
    whole = Checksum(algorithm)
    whole.update(b"".join(parts))
    assert combined(algorithm, [(composed(algorithm, [part]), len(part)) for part in parts]) == whole.digest()


def test_digests_do_not_combine() -> None:
    """What is no CRC has no checksum of the whole from its parts."""
    with pytest.raises(KeyError):
        combined("SHA256", [(bytes(32), 1)])


@pytest.mark.parametrize("text", ["", "AAAA", "AAAAAAA=", "not base64", "ÄÄÄÄÄÄ==", "AAAAAA==\n"])
def test_values_of_another_form_are_none(text: str) -> None:
    """A header value that is no base64, or of another length, stands for nothing."""
    assert parsed("CRC32", text) is None


def test_values_are_parsed() -> None:
    """A header value of the right form stands for its bytes."""
    assert parsed("CRC32", "AAAAAQ==") == b"\0\0\0\1"
