"""Who a request's key belongs to: an immutable view of all keys that are valid now.

Owns the Principal and the Credentials snapshot that the supervisor makes and sends to its workers; requests are answered
from it, never from a database. Bearer keys are known by their SHA-256 alone, temporary keys not at all: their session
token says everything, and the snapshot only whether who they stand for is still there. It must not know where keys are
kept, how a token is sealed, how a signature is checked, or what a principal may do. Pure: no clock, no file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from craton.aws.wire.sigv4 import Secret

Auth = Literal["sigv4", "bearer", "bearer-short"]
PrincipalKind = Literal["root", "user", "assumed-role", "federated-user", "service", "anonymous"]


class Principal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The caller of a request.

    `account` 12 digits; `arn` as policies and messages name it; `user_id` is aws:userid (for root the account, for a
    user its AIDA id); `name` is aws:username, None for root; `access_key_id` is None with a long-term bearer key.
    `role_arn` (with its path) is the role behind a session, `session_policies` are the documents that limit it,
    `session_tags` were passed when it was made, `transitive_tags` names those that follow into the next role,
    `issued_at` (UTC) is when temporary credentials were made. `source_arn` is the resource for which a service of AWS's
    acts, by itself (kind "service") or on behalf of the caller.
    """

    account: str
    arn: str
    kind: PrincipalKind
    user_id: str
    name: str | None = None
    access_key_id: str | None = None
    auth: Auth = "sigv4"
    role_arn: str | None = None
    session_policies: tuple[str, ...] = ()
    session_tags: dict[str, str] = msgspec.field(default_factory=dict)
    transitive_tags: tuple[str, ...] = ()
    issued_at: datetime | None = None
    source_identity: str | None = None
    source_arn: str | None = None

    @property
    def is_root(self) -> bool:
        """Whether this is the root user of its account."""
        return self.kind == "root"

    def through(self, auth: Auth) -> Principal:
        """The same principal, come in by another kind of proof."""
        return msgspec.structs.replace(self, auth=auth)


class AccessKey(Secret, frozen=True, kw_only=True):
    """A pair for SigV4 and whose it is. It is the secret as well, so that one table serves a verifier and who asks on."""

    access_key_id: str
    principal: Principal

    @classmethod
    def of(cls, access_key_id: str, secret: str, principal: Principal) -> AccessKey:
        """`secret` is the clear one, which verification needs."""
        return cls(secret, access_key_id=access_key_id, principal=principal)

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


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Temporary credentials, as their token tells. `issuer` is the unique id of the role or user, the account of root."""

    access_key_id: str
    secret: str
    principal: Principal
    issuer: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Session({self.access_key_id!r})"


OpenToken = Callable[[str], Session | None]
"""What a session token says, None for one that this home did not make."""


def _opens_nothing(token: str) -> Session | None:
    return None


class Credentials:
    """All keys at one moment. Never changes; a newer one replaces it as a whole.

    Args:
        secrets: access key id → key.
        bearer_keys: digest → key.
        issuers: all users and roles, unique id → ARN: temporary credentials end with whom they stand for, and with
            the name that it had, which somebody else may have taken.
        open_token: reads session tokens.
        accounts: those that exist.
    """

    __slots__ = ("_accounts", "_bearer_keys", "_open_token", "issuers", "secrets")

    def __init__(
        self,
        secrets: Mapping[str, AccessKey] | None = None,
        bearer_keys: Mapping[bytes, BearerKey] | None = None,
        issuers: Mapping[str, str] | None = None,
        open_token: OpenToken = _opens_nothing,
        accounts: frozenset[str] = frozenset(),
    ) -> None:
        self.secrets: Mapping[str, AccessKey] = secrets or {}
        """Access key id → its secret, as a verifier asks for it."""
        self.issuers: Mapping[str, str] = issuers or {}
        self._bearer_keys: Mapping[bytes, BearerKey] = bearer_keys or {}
        self._open_token = open_token
        self._accounts = accounts

    @classmethod
    def of(
        cls,
        keys: Iterable[AccessKey] = (),
        bearer_keys: Iterable[BearerKey] = (),
        issuers: Mapping[str, str] | None = None,
        open_token: OpenToken = _opens_nothing,
    ) -> Credentials:
        """These keys and no others; accounts are those with a root user's key."""
        secrets = {key.access_key_id: key for key in keys}
        accounts = frozenset(key.principal.account for key in secrets.values() if key.principal.is_root)
        return cls(secrets, {key.digest: key for key in bearer_keys}, issuers, open_token, accounts)

    def owner(self, access_key_id: str) -> Principal | None:
        """Whose access key this is; None for an unknown one."""
        found = self.secrets.get(access_key_id)
        return None if found is None else found.principal

    def session(self, access_key_id: str, token: str) -> Secret | None:
        """The secret of temporary credentials, for a verifier; None where token and key are none of this home's."""
        found = self._open_token(token)
        if found is None or found.access_key_id != access_key_id or not self._stands(found):
            return None
        return Secret(found.secret, token, found.expires_at)

    def session_owner(self, access_key_id: str, token: str | None) -> Principal | None:
        """Whose temporary credentials these are, after `session` found them."""
        found = self._open_token(token) if token else None
        return None if found is None or found.access_key_id != access_key_id else found.principal

    def _stands(self, session: Session) -> bool:
        principal = session.principal
        if principal.is_root:
            return session.issuer in self._accounts
        if self.issuers.get(session.issuer) == (principal.role_arn or principal.arn):
            return True
        # A service of AWS's is nobody's identity: only jobs of this home have its sessions.
        return principal.kind == "service"

    def secret_of(self, access_key_id: str) -> tuple[str, Principal] | None:
        """The secret and the owner of an access key; None for an unknown one."""
        found = self.secrets.get(access_key_id)
        return None if found is None else (found.secret_access_key, found.principal)

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
        return self._accounts

    def __repr__(self) -> str:
        return f"Credentials({len(self.secrets)} access keys, {len(self._bearer_keys)} bearer keys)"


def root_principal(account: str, access_key_id: str | None = None) -> Principal:
    """The root user of an account."""
    arn = f"arn:aws:iam::{account}:root"
    return Principal(account=account, arn=arn, kind="root", user_id=account, access_key_id=access_key_id)


ANONYMOUS = Principal(account="", arn="anonymous", kind="anonymous", user_id="")
"""Who gives no credentials, where an operation asks for none."""


def digest_of(token: str) -> bytes:
    """What is kept of a bearer key. It holds 256 random bits or more, so no salt and no slow hash are needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
