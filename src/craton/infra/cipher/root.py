"""The root key: under which the keys of KMS are sealed, and so everything.

Owns its uses, each under a key derived for it alone, and the places where it may lie: a file (by default HOME/root.key,
made at the first need), an environment variable, or sealed in the home by an outside KMS (`outside`). It never leaves
the process. It must not know what the keys are that it seals.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from craton.config import ConfigError
from craton.config_tables import KmsTable
from craton.infra.cipher import gcm
from craton.infra.cipher.port import RootUnavailable
from craton.infra.keys.private import read_or_create

FILE_NAME = "root.key"
_IDENT_BYTES = 8
OTHER_ROOT = "the keys of this store were sealed under another root key (see docs/encryption.md)"


class RootKey:
    """32 bytes that seal keys. `ident` tells one root key from another and tells nothing about it."""

    __slots__ = ("_keys", "_secret", "ident")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != gcm.KEY_BYTES:
            raise RootUnavailable(f"a root key is {gcm.KEY_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self._keys: dict[str, bytes] = {}  # by use, of which there are few
        self.ident = gcm.derived(secret, b"craton root ident")[:_IDENT_BYTES]

    def seal(self, use: str, plaintext: bytes, aad: bytes) -> bytes:
        """Sealed for one use and bound to `aad`."""
        return self.ident + gcm.sealed(self.key_for(use), plaintext, aad)

    def open(self, use: str, data: bytes, aad: bytes) -> bytes:
        """Raises RootUnavailable where another root key sealed it, Tampered."""
        if not hmac.compare_digest(data[:_IDENT_BYTES], self.ident):
            raise RootUnavailable(OTHER_ROOT)
        return gcm.opened(self.key_for(use), data[_IDENT_BYTES:], aad)

    def mac(self, use: str, data: bytes) -> bytes:
        """16 bytes that only this root key gives."""
        return mac_under(self.key_for(use), data)

    def key_for(self, use: str) -> bytes:
        """The key of one use."""
        key = self._keys.get(use)
        if key is None:
            key = self._keys[use] = gcm.derived(self._secret, b"craton root: " + use.encode())
        return key

    def __repr__(self) -> str:
        return f"RootKey({self.ident.hex()})"


def mac_under(key: bytes, data: bytes) -> bytes:
    """16 bytes that only this key gives."""
    return hmac.digest(key, data, hashlib.sha256)[:16]


def check_table(kms: KmsTable) -> None:
    """One place for the root key, and an outside KMS with all that a call to it needs. Raises ConfigError."""
    keys = ("access_key_id", "secret_access_key", "session_token")
    for name in ("root_key", *keys):
        if getattr(kms, name) and not getattr(kms, name).startswith(("env:", "file:")):
            raise ConfigError(f"[kms] {name} must name where the key lies, as env:NAME or file:PATH")
    if not kms.endpoint_url:
        if kms.key_id or any(getattr(kms, name) for name in keys):
            raise ConfigError("[kms] key_id and access keys belong to an endpoint_url")
        return
    if kms.root_key:
        raise ConfigError("[kms] root_key and endpoint_url exclude each other")
    if not kms.endpoint_url.startswith(("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
        raise ConfigError("[kms] endpoint_url must begin with https://, or http:// for this machine itself")
    if not (kms.key_id and kms.access_key_id and kms.secret_access_key):
        raise ConfigError("[kms] endpoint_url needs key_id, access_key_id and secret_access_key")


def load_root(home: Path, table: KmsTable, environ: Mapping[str, str] | None = None) -> RootKey:
    """The root key that the configuration names. Raises ConfigError, RootUnavailable, OSError."""
    environ = os.environ if environ is None else environ
    if table.endpoint_url:
        from craton.infra.cipher.outside import outside_root

        return RootKey(outside_root(home, table))
    scheme, _, place = table.root_key.partition(":")
    if scheme == "env":
        if place not in environ:
            raise ConfigError(f"[kms] root_key: the environment variable {place} is not set")
        return RootKey(read_root(environ[place].encode(), f"the environment variable {place}"))
    if scheme == "file":
        path = Path(place).expanduser()
        return RootKey(read_root(_private(path), str(path)))
    path = home / FILE_NAME
    return RootKey(
        read_root(read_or_create(path, base64.b64encode(secrets.token_bytes(gcm.KEY_BYTES)) + b"\n"), str(path))
    )


def _private(path: Path) -> bytes:
    """A file that somebody else made: nobody but its owner may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"[kms] root_key: {path} can be read by others; its mode must be 0600")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"[kms] root_key: {path} cannot be read: {error.strerror}") from error


def read_root(text: bytes, where: str) -> bytes:
    """The 32 bytes that a file or variable holds in base64. Raises ConfigError, which names `where`."""
    try:
        found = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        found = b""
    if len(found) != gcm.KEY_BYTES:
        raise ConfigError(f"[kms] root_key: {where} must hold {gcm.KEY_BYTES} bytes in base64")
    return found
