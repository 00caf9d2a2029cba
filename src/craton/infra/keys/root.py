"""The root user's access keys: one for the home's account, made at the first start, and those that the settings add.

Owns HOME/credentials, written in the form of AWS's shared credentials file so that AWS_SHARED_CREDENTIALS_FILE may point
at it, and the two environment variables that fix the key instead. It must not know the store or how requests are signed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from craton.aws.access.credentials import AccessKey, Credentials, root_principal
from craton.infra.keys.private import read_or_create

FILE_NAME = "credentials"
KEY_ID_VARIABLE = "CRATON_ROOT_ACCESS_KEY_ID"
KEY_VARIABLE = "CRATON_ROOT_SECRET_ACCESS_KEY"

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_ACCOUNT = re.compile(r"[0-9]{12}")
_ACCESS_KEY_ID = re.compile(r"\w{1,128}", re.ASCII)
_SECRET = re.compile(r"[!-~]{1,256}")


class BadRootKey(Exception):
    """A key that was given or found cannot be used; the text says which and why, never the secret."""


class RootKey(msgspec.Struct, frozen=True):
    """An access key of an account's root user."""

    account: str
    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"RootKey({self.account!r}, {self.access_key_id!r})"


def aws_id(prefix: str, letters: int = 16) -> str:
    """A unique id as IAM makes them: a prefix such as AKIA and random letters of A–Z2–7."""
    return prefix + "".join(secrets.choice(_ID_LETTERS) for _ in range(letters))


def new_root_key(account: str) -> RootKey:
    """A fresh key, kept nowhere: AKIA and 16 letters, a secret of 40 (240 random bits)."""
    secret = "".join(secrets.choice(_KEY_LETTERS) for _ in range(40))
    return checked(RootKey(account, aws_id("AKIA"), secret))


def fixed_root_key(environ: Mapping[str, str], account: str) -> RootKey | None:
    """The key that the environment fixes; None when it fixes none. Raises BadRootKey when only half of one is there."""
    access_key_id, secret = environ.get(KEY_ID_VARIABLE, ""), environ.get(KEY_VARIABLE, "")
    if not access_key_id and not secret:
        return None
    if not access_key_id or not secret:
        given, missing = KEY_ID_VARIABLE, KEY_VARIABLE
        if not access_key_id:
            given, missing = missing, given
        msg = f"{given} is set without {missing}: set both or neither"
        raise BadRootKey(msg)
    return checked(RootKey(account, access_key_id, secret))


def load_root_key(home: Path, environ: Mapping[str, str], account: str) -> RootKey:
    """The home's root key: the environment's, else the file's, else a new one written to the file.

    Processes that start at once get the same key. Raises BadRootKey, and OSError when the home cannot be written.
    """
    fixed = fixed_root_key(environ, account)
    if fixed is not None:
        return fixed
    path = home / FILE_NAME
    return checked(_parsed(read_or_create(path, _written(new_root_key(account))), account, path))


def root_credentials(keys: Iterable[RootKey]) -> Credentials:
    """The snapshot of all root keys. Raises BadRootKey when two accounts share an access key id."""
    owners: dict[str, str] = {}
    made: list[AccessKey] = []
    for key in keys:
        checked(key)
        if owners.setdefault(key.access_key_id, key.account) != key.account:
            msg = f"access key {key.access_key_id} is given to two accounts"
            raise BadRootKey(msg)
        principal = root_principal(key.account, key.access_key_id)
        made.append(AccessKey.of(key.access_key_id, key.secret_access_key, principal))
    return Credentials.of(made)


def checked(key: RootKey) -> RootKey:
    """The key itself if its parts are well formed. Raises BadRootKey."""
    if not _ACCOUNT.fullmatch(key.account):
        msg = f"an account is 12 digits, not {key.account!r}"
        raise BadRootKey(msg)
    if not _ACCESS_KEY_ID.fullmatch(key.access_key_id):
        msg = f"the access key id of account {key.account} is not 1–128 letters, digits or underscores"
        raise BadRootKey(msg)
    if not _SECRET.fullmatch(key.secret_access_key):
        msg = f"the secret of access key {key.access_key_id} is empty, too long or holds spaces"
        raise BadRootKey(msg)
    return key


def _written(key: RootKey) -> bytes:
    lines = (
        "# The root user of this Craton home. Whoever reads this may do everything.",
        "[default]",
        f"aws_access_key_id = {key.access_key_id}",
        f"aws_secret_access_key = {key.secret_access_key}",
        "",
    )
    return "\n".join(lines).encode()


def _parsed(content: bytes, account: str, path: Path) -> RootKey:
    """The key in a file's [default] section (configparser would cost more to load than it does here)."""
    found: dict[str, str] = {}
    section = ""
    for line in content.decode("utf-8", "replace").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text.strip("[] ")
        elif section == "default" and text[:1] not in {"", "#", ";"}:
            name, _, value = text.partition("=")
            found[name.strip()] = value.strip()
    try:
        return RootKey(account, found["aws_access_key_id"], found["aws_secret_access_key"])
    except KeyError as missing:
        msg = f"{path} has no {missing} in its [default] section: mend it, or remove it to get a new key"
        raise BadRootKey(msg) from None
