"""Where the settings say that rows are kept, and the secrets that all servers on one store share.

Owns the store's URL with its password, and the root of what is sealed into rows, page tokens and session tokens: the
home's own file, or `[store] secret` where several homes live on one store. It must not know what is kept or how.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from craton.config import ConfigError, Settings, secret
from craton.infra.keys.private import derived, home_secret, read_or_create
from craton.infra.store.port import GLOBAL, AlreadyExists, Resource, Store

_REFERENCES = ("env:", "file:")
_CHECK = "store check"
_CHECK_ARN = "arn:craton:store:::secret-check"
"""Ours, not AWS's: it never leaves the store."""
_LEAST = 32


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
    given = settings.file.store.secret
    if not given or settings.ephemeral:
        return home_secret(settings.home_path, purpose)
    root = secret(given)
    if len(root) < _LEAST:
        raise ConfigError(f"[store] secret: {given} holds fewer than {_LEAST} characters")
    return derived(root.encode(), purpose)


def place_of(settings: Settings) -> str:
    """The name of this home among all on the store: runs that need its files name it. Raises OSError."""
    return read_or_create(settings.home_path / "place", secrets.token_hex(8).encode()).decode()


def check_shared_secret(store: Store, settings: Settings) -> None:
    """Raise ConfigError if the servers that used this store before have another secret.

    What they sealed could not be opened here, nor the other way round: a user's key would work on one server only.
    """
    mine = shared_secret(settings, _CHECK).hex().encode()
    kept = store.get(_CHECK_ARN)
    if kept is None:
        now = datetime.now(UTC)
        row = Resource(
            account=settings.account,
            region=GLOBAL,
            kind="secret-check",
            id=_CHECK,
            arn=_CHECK_ARN,
            created_at=now,
            updated_at=now,
            body=b'"%b"' % mine,
        )
        try:
            kept = store.create(row)
        except AlreadyExists:  # another server was quicker; it may have another secret
            kept = store.get(_CHECK_ARN) or row
    if not hmac.compare_digest(kept.body, b'"%b"' % mine):
        raise ConfigError(
            "this store belongs to servers with another secret: give all of them the same [store] secret, "
            "or the same file HOME/secret (see docs/store.md)"
        )
