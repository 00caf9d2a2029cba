"""Who a request's key belongs to: an immutable view of all keys that are valid now.

Owns the Principal and the Credentials snapshot that the supervisor makes and sends to its workers; requests are answered
from it, never from a database. Bearer keys are known by their SHA-256 alone. It must not know where keys are kept, how a
signature is checked, or what a principal may do. Pure: no clock, no file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from craton.aws.wire.sigv4 import Secret

Auth = Literal["sigv4", "bearer", "bearer-short"]
PrincipalKind = Literal["root", "user", "assumed-role", "federated-user", "service"]


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a request.

    `account` 12 digits; `arn` as policies and messages name it; `user_id` is aws:userid (for root the account, for a
    user its AIDA id); `name` is aws:username, None for root; `access_key_id` is None with a long-term bearer key.
    """

    account: str
    arn: str
    kind: PrincipalKind
    user_id: str
    name: str | None = None
    access_key_id: str | None = None
    auth: Auth = "sigv4"

    @property
    def is_root(self) -> bool:
        """Whether this is the root user of its account."""
        return self.kind == "root"

    def through(self, auth: Auth) -> Principal:
        """The same principal, come in by another kind of proof."""
        return msgspec.structs.replace(self, auth=auth)


class AccessKey(msgspec.Struct, frozen=True):
    """A pair for SigV4; `secret` is the clear one, which verification needs."""

    access_key_id: str
    secret: str
    principal: Principal

    def __repr__(self) -> str:
        return f"AccessKey({self.access_key_id!r})"


class BearerKey(msgspec.Struct, frozen=True):
    """A long-term bearer key that is active: the SHA-256 of the key, its id, whose it is, and its end if it has one."""

    digest: bytes
    credential_id: str
    principal: Principal
    expires_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether the key's end has come; AWS then says "Bearer Token has expired"."""
        return self.expires_at is not None and now >= self.expires_at

    def __repr__(self) -> str:
        return f"BearerKey({self.credential_id!r})"


class _Parcel(msgspec.Struct, frozen=True, array_like=True):
    """How a snapshot travels."""

    access_keys: tuple[AccessKey, ...]
    bearer_keys: tuple[BearerKey, ...]


class Credentials:
    """All keys at one moment. Never changes; a newer snapshot replaces it as a whole."""

    __slots__ = ("_access_keys", "_bearer_keys", "secrets")

    def __init__(self, access_keys: Iterable[AccessKey] = (), bearer_keys: Iterable[BearerKey] = ()) -> None:
        self._access_keys = {key.access_key_id: key for key in access_keys}
        self._bearer_keys = {key.digest: key for key in bearer_keys}
        self.secrets = {key.access_key_id: Secret(key.secret) for key in self._access_keys.values()}
        """Access key id → its secret, as a verifier asks for it."""

    def owner(self, access_key_id: str) -> Principal | None:
        """Whose access key this is; None for an unknown one."""
        key = self._access_keys.get(access_key_id)
        return None if key is None else key.principal

    def secret_of(self, access_key_id: str) -> tuple[str, Principal] | None:
        """The secret and the owner of an access key; None for an unknown one."""
        key = self._access_keys.get(access_key_id)
        return None if key is None else (key.secret, key.principal)

    def bearer(self, token: str, now: datetime) -> Principal | None:
        """Whose bearer key this is; None when it is unknown, inactive or expired. `bearer_key` tells these apart."""
        key = self.bearer_key(token)
        return None if key is None or key.expired(now) else key.principal

    def bearer_key(self, token: str) -> BearerKey | None:
        """The active key, expired or not, that this token is; takes the same time for every unknown token.

        The table is searched by digest, which an attacker cannot steer, and the hit is compared in constant time.
        """
        digest = digest_of(token)
        key = self._bearer_keys.get(digest)
        return key if key is not None and hmac.compare_digest(key.digest, digest) else None

    def accounts(self) -> frozenset[str]:
        """The accounts whose root user has an access key here: those that exist."""
        return frozenset(key.principal.account for key in self._access_keys.values() if key.principal.is_root)

    def merge(self, other: Credentials) -> Credentials:
        """Both together; where they name the same key, `other` holds."""
        access_keys = {**self._access_keys, **other._access_keys}
        bearer_keys = {**self._bearer_keys, **other._bearer_keys}
        return Credentials(access_keys.values(), bearer_keys.values())

    def encode(self) -> bytes:
        """The snapshot as bytes, secrets included: for a private socket, never for a log or a file."""
        return msgspec.msgpack.encode(_Parcel(tuple(self._access_keys.values()), tuple(self._bearer_keys.values())))

    @classmethod
    def decode(cls, parcel: bytes) -> Credentials:
        """What `encode` gave."""
        opened = msgspec.msgpack.decode(parcel, type=_Parcel)
        return cls(opened.access_keys, opened.bearer_keys)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return self._access_keys == other._access_keys and self._bearer_keys == other._bearer_keys

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Credentials({len(self._access_keys)} access keys, {len(self._bearer_keys)} bearer keys)"


def root_principal(account: str, access_key_id: str | None = None) -> Principal:
    """The root user of an account."""
    arn = f"arn:aws:iam::{account}:root"
    return Principal(account=account, arn=arn, kind="root", user_id=account, access_key_id=access_key_id)


def digest_of(token: str) -> bytes:
    """What is kept of a bearer key. It holds 256 random bits or more, so no salt and no slow hash are needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
