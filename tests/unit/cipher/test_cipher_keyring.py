"""Ciphertext blobs: they name their key, and nothing about them can be changed unnoticed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.infra.cipher.keyring import Keyring, key_arn
from craton.infra.cipher.port import RootUnavailable, Tampered
from craton.infra.cipher.root import RootKey

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ARN = key_arn("111122223333", "us-east-1", "0c624eb5-0605-495e-aa8f-baf34312880a")
ROOT = RootKey(bytes(range(32)))
RING = Keyring(lambda: ROOT)
MATERIAL = RING.new_material(ARN, NOW)
CONTEXTS = st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4)


@given(st.binary(min_size=1, max_size=4096), CONTEXTS)
@settings(max_examples=60, deadline=None)
def test_what_is_encrypted_decrypts_under_the_same_context(plaintext: bytes, context: dict[str, str]) -> None:
    """The plaintext comes back, whatever it is and in whatever order the context is given."""
    blob = RING.encrypt(ARN, MATERIAL, plaintext, context)
    assert plaintext not in blob or len(plaintext) < 16
    assert len(blob) <= 6144
    assert RING.named(blob).key_arn == ARN
    assert RING.decrypt([MATERIAL], blob, dict(reversed(context.items()))) == plaintext


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    """A blob with one byte changed, anywhere, decrypts to nothing."""
    blob = bytearray(RING.encrypt(ARN, MATERIAL, b"forty-two", {"a": "b"}))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Tampered):
        RING.decrypt([MATERIAL], bytes(blob), {"a": "b"})


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_rubbish_is_no_blob(rubbish: bytes) -> None:
    """Bytes of any kind are refused without another error."""
    for given_bytes in (rubbish, b"CKM1" + rubbish):
        with pytest.raises(Tampered):
            RING.named(given_bytes)


@pytest.mark.parametrize("cut", [1, 16, 40])
def test_a_blob_that_was_cut_is_refused(cut: int) -> None:
    """Neither end may be missing."""
    blob = RING.encrypt(ARN, MATERIAL, b"forty-two", {})
    for short in (blob[:-cut], blob[cut:], blob + b"x"):
        with pytest.raises(Tampered):
            RING.decrypt([MATERIAL], short, {})


@pytest.mark.parametrize("other", [{}, {"a": "B"}, {"A": "b"}, {"a": "b", "c": ""}, {"ab": ""}])
def test_another_context_opens_nothing(other: dict[str, str]) -> None:
    """The encryption context must match byte for byte."""
    blob = RING.encrypt(ARN, MATERIAL, b"forty-two", {"a": "b"})
    with pytest.raises(Tampered):
        RING.decrypt([MATERIAL], blob, other)


def test_older_material_still_decrypts() -> None:
    """After a rotation new blobs name the new material and old ones find theirs."""
    blob = RING.encrypt(ARN, MATERIAL, b"old", {})
    newer = RING.new_material(ARN, NOW, "ON_DEMAND")
    assert RING.decrypt([MATERIAL, newer], blob, {}) == b"old"
    assert RING.named(RING.encrypt(ARN, newer, b"new", {})).material_id == newer.id
    with pytest.raises(Tampered):
        RING.decrypt([newer], blob, {})


def test_material_belongs_to_its_key() -> None:
    """Material copied to another key's row opens nothing there."""
    other = key_arn("111122223333", "us-east-1", "ffffffff-0605-495e-aa8f-baf34312880a")
    with pytest.raises(Tampered):
        RING.encrypt(other, MATERIAL, b"x", {})


def test_another_root_key_says_so() -> None:
    """Material under another root key is not damaged: the root key is the wrong one."""
    stranger = Keyring(lambda: RootKey(secrets.token_bytes(32)))
    with pytest.raises(RootUnavailable, match="another root key"):
        stranger.encrypt(ARN, MATERIAL, b"x", {})


def test_equal_plaintexts_look_different() -> None:
    """Nothing of the plaintext shows in the blob, not even that it is the same."""
    one, two = (RING.encrypt(ARN, MATERIAL, b"same", {}) for _ in range(2))
    assert one[-40:] != two[-40:]


def test_no_secret_is_shown() -> None:
    """What a log may print of keys holds no key."""
    assert bytes(range(32)).hex()[:16] not in repr(ROOT)
    assert MATERIAL.sealed.hex() not in repr(MATERIAL)
