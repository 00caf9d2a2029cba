"""A root key that an outside KMS keeps: here lies only its sealed form, and each start asks for it to be opened.

Owns HOME/root.key.sealed and the two calls, GenerateDataKey the first time and Decrypt afterwards, in KMS's own
protocol, so that AWS KMS and everything shaped like it will do. It must not know what the root key is for. Blocking:
called at the start and in threads, never in the path of a request.
"""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from craton.aws.wire.sign import Keys, Signer
from craton.config import secret
from craton.config_tables import KmsTable
from craton.infra.cipher.port import RootUnavailable
from craton.infra.keys.private import read_or_create

FILE_NAME = "root.key.sealed"
_CONTEXT = {"craton": "root key"}
_TIMEOUT_S = 20.0
_MOST_BYTES = 64 * 1024


class _DataKey(msgspec.Struct):
    Plaintext: bytes = b""
    CiphertextBlob: bytes = b""


def outside_root(home: Path, table: KmsTable) -> bytes:
    """The 32 bytes. Raises RootUnavailable for what the outside KMS refuses or cannot, ConfigError, OSError."""
    path = home / FILE_NAME
    if not path.exists():
        made = _ask(table, "GenerateDataKey", {"KeyId": table.key_id, "KeySpec": "AES_256"})
        # Of several processes that start at once one is first, and all open what it wrote.
        read_or_create(path, base64.b64encode(made.CiphertextBlob) + b"\n")
    sealed = path.read_bytes().strip().decode("ascii", "replace")
    return _ask(table, "Decrypt", {"KeyId": table.key_id, "CiphertextBlob": sealed}).Plaintext


def _ask(table: KmsTable, operation: str, given: dict[str, Any]) -> _DataKey:
    body = msgspec.json.encode({**given, "EncryptionContext": _CONTEXT})
    url = urlsplit(table.endpoint_url)
    keys = Keys(secret(table.access_key_id), secret(table.secret_access_key), secret(table.session_token))
    signer = Signer(keys, service="kms", region=table.region, authority=url.netloc.encode())
    sent = (
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"x-amz-target", f"TrentService.{operation}".encode()),
    )
    signed = signer.sign(b"POST", b"/", body, datetime.now(UTC), headers=sent)
    headers = {name.decode(): value.decode() for name, value in (*sent, *signed)}
    # The URL is the configuration's, and its scheme was checked there.
    request = urllib.request.Request(f"{url.scheme}://{url.netloc}/", body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(_MOST_BYTES), type=_DataKey)
    except urllib.error.HTTPError as error:
        raise RootUnavailable(f"the outside KMS refuses {operation}: {_named(error)}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise RootUnavailable(
            f"the outside KMS at {table.endpoint_url} cannot be asked ({type(error).__name__})"
        ) from None


def _named(error: urllib.error.HTTPError) -> str:
    """The error's name; its text may name principals and keys, which is for that KMS's own log."""
    try:
        found: Any = msgspec.json.decode(error.read(_MOST_BYTES))
        name = str(found["__type"]).rpartition("#")[2]
    except (msgspec.DecodeError, OSError, KeyError, TypeError):
        name = ""
    return f"{error.code} {name[:64]}".strip()
