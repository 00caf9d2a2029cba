"""What is done with a KMS key: its material made and rotated, data encrypted under it, ciphertexts told apart.

Owns the material at rest (sealed by the root key, bound to the key's ARN) and the ciphertext blob, which names its own
key and is MACed, so that a forged or damaged one is refused before any key is looked for::

    magic "CKM1" | u8 length | header (msgpack: account, region, key id, material id) | salt 16 | nonce 12
    | ciphertext | tag 16 | MAC 16 under the root key, over everything before it

Each message is encrypted under a key of its own, derived from the material and the salt; the encryption context is
authenticated byte for byte, in the order of its keys. It must not know policies, states, or where rows are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Literal

import msgspec

from craton.infra.cipher import gcm
from craton.infra.cipher.port import Tampered
from craton.infra.cipher.root import RootKey, mac_under

MAGIC = b"CKM1"
MOST_BLOB_BYTES = 6144
_SALT_BYTES, _MAC_BYTES = 16, 16
_MOST_OPENED = 256
USE_MATERIAL, USE_BLOB = "kms material", "kms blob"

Rotation = Literal["", "AUTOMATIC", "ON_DEMAND"]


class Material(msgspec.Struct, frozen=True):
    """One generation of a key. `sealed` is its 32 bytes under the root key; `rotation` how it came to be."""

    id: str
    made_at: datetime
    sealed: bytes
    rotation: Rotation = ""

    def __repr__(self) -> str:
        return f"Material({self.id!r})"


class Named(msgspec.Struct, frozen=True, array_like=True):
    """Which key and which generation of it encrypted a blob."""

    account: str
    region: str
    key_id: str
    material: bytes

    @property
    def key_arn(self) -> str:
        return key_arn(self.account, self.region, self.key_id)

    @property
    def material_id(self) -> str:
        return self.material.hex()


def key_arn(account: str, region: str, key_id: str) -> str:
    """The ARN of a KMS key."""
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


class Keyring:
    """All that needs the root key, which is loaded when it is first used."""

    def __init__(self, load: Callable[[], RootKey]) -> None:
        self._load = load
        # Material that was opened before, by what it is bound to and its sealed form: objects come by the thousand.
        self._opened: dict[tuple[bytes, bytes], bytes] = {}
        self.earlier: tuple[bytes, ...] | None = None
        """The keys of blobs' MACs under earlier root keys (`resealing`); None until somebody looked."""

    @cached_property
    def root(self) -> RootKey:
        """Raises RootUnavailable, ConfigError, OSError."""
        return self._load()

    def new_material(self, arn: str, at: datetime, rotation: Rotation = "") -> Material:
        """Fresh material for the key with this ARN."""
        ident = secrets.token_hex(32)
        sealed = self.root.seal(USE_MATERIAL, secrets.token_bytes(gcm.KEY_BYTES), bound_to(arn, ident))
        return Material(ident, at, sealed, rotation)

    def encrypt(self, arn: str, material: Material, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """A ciphertext blob. Raises RootUnavailable, Tampered (the row was changed)."""
        _, _, _, region, account, resource = arn.split(":", 5)
        named = Named(account, region, resource.removeprefix("key/"), bytes.fromhex(material.id))
        header = msgspec.msgpack.encode(named)
        head = MAGIC + bytes((len(header),)) + header
        salt = secrets.token_bytes(_SALT_BYTES)
        key = self._message_key(arn, material, salt)
        blob = head + salt + gcm.sealed(key, plaintext, head + authenticated(context))
        return blob + self.root.mac(USE_BLOB, blob)

    def named(self, blob: bytes) -> Named:
        """Whose blob this is. Raises Tampered for what no keyring of this root key made, or what was changed since."""
        end = len(MAGIC) + 1 + (blob[len(MAGIC)] if len(blob) > len(MAGIC) else 0)
        least = end + _SALT_BYTES + gcm.OVERHEAD_BYTES + _MAC_BYTES
        if not blob.startswith(MAGIC) or not least <= len(blob) <= MOST_BLOB_BYTES:
            raise Tampered
        said, mac = blob[:-_MAC_BYTES], blob[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self.root.mac(USE_BLOB, said)) and not any(
            hmac.compare_digest(mac, mac_under(key, said)) for key in self.earlier or ()
        ):
            raise Tampered
        return msgspec.msgpack.decode(blob[len(MAGIC) + 1 : end], type=Named)

    def decrypt(
        self, materials: Iterable[Material], blob: bytes, context: Mapping[str, str], named: Named | None = None
    ) -> bytes:
        """The plaintext; `named` where that was asked before. Raises Tampered, also for another context; RootUnavailable."""
        named = named or self.named(blob)
        material = next((one for one in materials if one.id == named.material_id), None)
        if material is None:
            raise Tampered
        end = len(MAGIC) + 1 + blob[len(MAGIC)]
        salt, sealed = blob[end : end + _SALT_BYTES], blob[end + _SALT_BYTES : -_MAC_BYTES]
        return gcm.opened(self._message_key(named.key_arn, material, salt), sealed, blob[:end] + authenticated(context))

    def _message_key(self, arn: str, material: Material, salt: bytes) -> bytes:
        bound = bound_to(arn, material.id)
        secret = self._opened.get((bound, material.sealed))
        if secret is None:
            secret = self.root.open(USE_MATERIAL, material.sealed, bound)
            if len(self._opened) >= _MOST_OPENED:
                self._opened.clear()
            self._opened[bound, material.sealed] = secret
        return hmac.digest(secret, b"craton kms message" + salt, hashlib.sha256)


def authenticated(context: Mapping[str, str]) -> bytes:
    """An encryption context as bytes: the same for the same pairs in any order, for no others."""
    return msgspec.msgpack.encode(sorted(context.items()))


def bound_to(arn: str, material_id: str) -> bytes:
    """What sealed material belongs to."""
    return f"{arn}/{material_id}".encode()
