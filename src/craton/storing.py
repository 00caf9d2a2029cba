"""Where the settings say that rows are kept, and the secrets that all servers on one store share.

Owns the store's URL with its password, and the root of what is sealed into rows, page tokens and session tokens: the
home's own file, or `[store] secret` where several homes live on one store. It must not know what is kept or how.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import msgspec

from craton.config import ConfigError, Settings, secret
from craton.infra.keys.private import derived, read_or_create, root_secret
from craton.infra.store.port import GLOBAL, AlreadyExists, Reader, Resource, Store, Transaction

_REFERENCES = ("env:", "file:")
_CHECK = "store check"
_CHECK_ARN = "arn:craton:store:::secret-check"
"""Ours, not AWS's: it never leaves the store."""
_LEAST = 32
ROOT_PURPOSE = "kms root key"


def store_url(settings: Settings) -> str:
    """The configured store, or the home's own file; an ephemeral server has nothing else. Raises ConfigError."""
    table = settings.file.store
    if settings.ephemeral or not table.url:
        return f"sqlite:///{settings.home_path / 'craton.db'}"
    url = secret(table.url) if table.url.startswith(_REFERENCES) else table.url
    return with_password(url, secret(table.password)) if table.password else url


def with_password(url: str, password: str) -> str:
    """The URL with a password for its user. Raises ConfigError, which never holds the URL."""
    user, at, host = urlsplit(url).netloc.rpartition("@")
    if not at or not user or ":" in user:
        raise ConfigError("[store] password needs a url that names a user and no password: postgresql://USER@HOST/NAME")
    return url.replace(f"{user}@{host}", f"{user}:{quote(password, safe='')}@{host}", 1)


def shared_secret(settings: Settings, purpose: str) -> bytes:
    """32 bytes for a purpose, the same for every process of every server on the store. Raises ConfigError, OSError."""
    return derived(shared_root(settings), purpose)


def shared_root(settings: Settings) -> bytes:
    """What those secrets are derived from. Raises ConfigError, OSError."""
    given = settings.file.store.secret
    if not given or settings.ephemeral:
        return root_secret(settings.home_path)
    root = secret(given)
    if len(root) < _LEAST:
        raise ConfigError(f"[store] secret: {given} holds fewer than {_LEAST} characters")
    return root.encode()


def root_is_shared(settings: Settings) -> bool:
    """Whether the root key of KMS follows from `[store] secret`, so that several homes open each other's keys."""
    table, store = settings.file.kms, settings.file.store
    return bool(store.secret) and not settings.ephemeral and not (table.root_key or table.endpoint_url)


def place_of(settings: Settings) -> str:
    """The name of this home among all on the store: runs that need its files name it. Raises OSError."""
    return read_or_create(settings.home_path / "place", secrets.token_hex(8).encode()).decode()


def check_shared_secret(store: Store, settings: Settings) -> None:
    """Raise ConfigError if the servers that used this store before have another secret.

    What they sealed could not be opened here, nor the other way round: a user's key would work on one server only.
    """
    root = shared_root(settings)
    if store.get(_CHECK_ARN) is None:
        # If another server is quicker, it may have another secret.
        with contextlib.suppress(AlreadyExists):
            store.create(_mark(settings, root, datetime.now(UTC)))
    if not is_marked(store, root):
        raise ConfigError(
            "this store belongs to servers with another secret: give all of them the same [store] secret, "
            "or the same file HOME/secret (see docs/store.md)"
        )


def is_marked(store: Reader, root: bytes) -> bool | None:
    """Whether the store is marked as being under this secret; None for one without a mark."""
    kept = store.get(_CHECK_ARN)
    return None if kept is None else hmac.compare_digest(kept.body, _said(root))


def mark_secret(transaction: Transaction, settings: Settings, root: bytes, now: datetime) -> None:
    """Mark the store as being under this secret from now on."""
    kept = transaction.get(_CHECK_ARN)
    if kept is None:
        transaction.create(_mark(settings, root, now))
    else:
        transaction.update(msgspec.structs.replace(kept, body=_said(root), updated_at=now))


def _mark(settings: Settings, root: bytes, now: datetime) -> Resource:
    return Resource(
        account=settings.account, region=GLOBAL, kind="secret-check", id=_CHECK, arn=_CHECK_ARN,
        created_at=now, updated_at=now, body=_said(root),
    )  # fmt: skip


def _said(root: bytes) -> bytes:
    """JSON by which a secret can be recognised, though not found out."""
    return b'"%b"' % derived(root, _CHECK).hex().encode()
