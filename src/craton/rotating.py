"""The home's secret and the root key exchanged for others, and all that is sealed under them in the store with them.

Owns the order that survives a kill at any moment. The new secret lies in a file beside the old one before anything is
sealed under it; all rows change in one transaction, together with a mark that tells under which secret they are; then
the new file takes the old one's place. Where that last step is missing, the next start asks the mark and does it, or
forgets a secret that nothing was sealed under. The caller holds the home, so no server works meanwhile. It must not know
how things are sealed.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from craton.config import ConfigError, Settings, secret
from craton.infra.cipher import resealing as keys_of_kms
from craton.infra.cipher.port import RootUnavailable, Tampered
from craton.infra.cipher.root import FILE_NAME as ROOT_FILE
from craton.infra.cipher.root import RootKey, load_root, read_root
from craton.infra.identities import resealing as keys_of_users
from craton.infra.identities.seal import ACCESS_KEYS, Sealer
from craton.infra.keys.private import FILE_NAME as SECRET_FILE
from craton.infra.keys.private import derived, read_or_create
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store, Transaction
from craton.storing import ROOT_PURPOSE, is_marked, mark_secret, root_is_shared, shared_root, store_url

T = TypeVar("T")

HOME = "home"
"""How the secret in the home's own file is named where a previous one is asked for."""
_NEXT = ".next"
_WRONG = "what is in the store is not sealed under the previous secret"


class Resealed(msgspec.Struct, frozen=True):
    """What was sealed anew: so many access keys of users, so many keys of KMS."""

    access_keys: int = 0
    kms_keys: int = 0


def rotate_secret(settings: Settings, previous: str = "") -> Resealed:
    """Exchange the secret that seals access keys and sessions.

    The home's own is made anew. A configured one is new in the configuration, and `previous` names the old (`env:NAME`,
    `file:PATH`, or HOME). Raises ConfigError for what does not fit together.
    """
    finish(settings)
    home = settings.home_path
    if settings.file.store.secret:
        return _under(settings, _previous(settings, previous, SECRET_FILE), shared_root(settings))
    if previous:
        raise ConfigError("[store] secret is not configured: the home's own needs no --previous")
    old = shared_root(settings)
    new = read_or_create(home / (SECRET_FILE + _NEXT), secrets.token_bytes(32))
    done = _under(settings, old, new)
    _take_place(home, SECRET_FILE)
    return done


def rotate_root(settings: Settings, previous: str = "") -> Resealed:
    """Exchange the root key of KMS, as `rotate_secret` does with the secret. Raises ConfigError, RootUnavailable."""
    finish(settings)
    home, table = settings.home_path, settings.file.kms
    if root_is_shared(settings):
        raise ConfigError("the root key follows from [store] secret: rotate that, or name a [kms] root_key")
    configured = bool(table.root_key or table.endpoint_url)
    if configured:
        old = _root(_previous(settings, previous, ROOT_FILE), "the previous root key")
        new = load_root(home, table)
    elif previous:
        raise ConfigError("[kms] root_key is not configured: the home's own needs no --previous")
    else:
        old = load_root(home, table)
        text = base64.b64encode(secrets.token_bytes(32)) + b"\n"
        new = _root(read_or_create(home / (ROOT_FILE + _NEXT), text), ROOT_FILE + _NEXT)
    if old.ident == new.ident:
        raise ConfigError("the previous root key is the one that is configured")
    with _opened(settings) as store:
        count = _changed(store, lambda transaction, now: keys_of_kms.reseal(transaction, old, new, now))
    if not configured:
        _take_place(home, ROOT_FILE)
    return Resealed(kms_keys=count)


def finish(settings: Settings) -> None:
    """Do the last step of a rotation that was cut off, or undo its first. Raises StoreError, OSError."""
    home = settings.home_path
    files = [name for name in (SECRET_FILE, ROOT_FILE) if (home / (name + _NEXT)).exists()]
    if not files or settings.ephemeral:
        return
    with _opened(settings) as store:
        for name in files:
            content = (home / (name + _NEXT)).read_bytes()
            if _counts(store, name, content):
                _take_place(home, name)
            else:
                (home / (name + _NEXT)).unlink()


def _counts(store: Store, name: str, content: bytes) -> bool:
    """Whether the store is under this new secret."""
    if name == SECRET_FILE:
        return bool(is_marked(store, content))
    return keys_of_kms.is_under(store, _root(content, name))


def _under(settings: Settings, old: bytes, new: bytes) -> Resealed:
    """Everything that the secret seals, under the new one; the root key too, where it follows from the secret."""
    if old == new:
        raise ConfigError("the previous secret is the one that is configured")
    sealers = Sealer(derived(old, ACCESS_KEYS)), Sealer(derived(new, ACCESS_KEYS))

    def work(transaction: Transaction, now: datetime) -> Resealed:
        if is_marked(transaction, new):
            return Resealed()
        if is_marked(transaction, old) is False:  # None where there is no mark
            raise ConfigError(_WRONG)
        users = keys_of_users.reseal(transaction, *sealers, now)
        kms = 0
        if root_is_shared(settings):
            roots = [RootKey(derived(each, ROOT_PURPOSE)) for each in (old, new)]
            kms = keys_of_kms.reseal(transaction, roots[0], roots[1], now)
        mark_secret(transaction, settings, new, now)
        return Resealed(users, kms)

    with _opened(settings) as store:
        return _changed(store, work)


def _previous(settings: Settings, named: str, file: str) -> bytes:
    """The old secret's bytes. Raises ConfigError."""
    if named == HOME:
        path = settings.home_path / file
        if not path.exists():
            raise ConfigError(f"there is no {path}")
        return path.read_bytes()
    if not named.startswith(("env:", "file:")):
        raise ConfigError(f"say where the old one is: --previous env:NAME, file:PATH, or {HOME} for {file} in the home")
    return secret(named).encode()


def _root(text: bytes, where: str) -> RootKey:
    return RootKey(read_root(text, where))


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    store = open_store(store_url(settings))
    try:
        yield store
    finally:
        store.close()


def _changed(store: Store, work: Callable[[Transaction, datetime], T]) -> T:
    """The result of work, all of it or nothing. Raises ConfigError where something is under a third secret."""
    try:
        with store.transaction() as transaction:
            return work(transaction, datetime.now(UTC))
    except (keys_of_users.Unopened, RootUnavailable, Tampered) as error:
        raise ConfigError(f"{_WRONG}; nothing was changed ({error})") from None


def _take_place(home: Path, name: str) -> None:
    """The new file under the old one's name, on the disk when this returns."""
    (home / (name + _NEXT)).replace(home / name)
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
