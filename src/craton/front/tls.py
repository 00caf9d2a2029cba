"""TLS of the server's port: which files, which versions and ciphers, and when the files are others.

Owns the one way in which a context is made. It must not know sockets, connections or what is said on them. The hot
path of a server without TLS never comes here.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

import msgspec

HTTP2: Final = "h2"
HTTP1: Final = "http/1.1"
HANDSHAKE_S: Final = 10.0
FAREWELL_S: Final = 2.0
"""How long the other end may take to say goodbye; a client that only leaves is not waited for longer."""
# Of TLS 1.2, what has forward secrecy and an authenticated cipher; of TLS 1.3 there is nothing else.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Unusable(Exception):
    """The certificate, its key or the clients' authority cannot be used; the message names the file."""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths of PEM files. `client_ca`: clients must prove themselves by a certificate of this authority."""

    certificate: str
    key: str
    client_ca: str = ""

    def stamp(self) -> tuple[tuple[int, ...], ...]:
        """Something that differs when a file has changed."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.client_ca) if path)


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116 - once a second; follows links, as certificate tools set them
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def context(files: Files) -> ssl.SSLContext:
    """A server's context. Raises Unusable."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(_CIPHERS)
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_alpn_protocols([HTTP2, HTTP1])
    for path in (files.certificate, files.key, files.client_ca):
        if path:
            _check_readable(path)
    try:
        # Without the empty password OpenSSL would ask for one on the terminal.
        made.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        reason = error.reason or "not PEM, or its key is encrypted"
        raise Unusable(f"{files.certificate} and {files.key}: {reason}") from None
    if files.client_ca:
        made.verify_mode = ssl.CERT_REQUIRED
        try:
            made.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise Unusable(f"{files.client_ca}: {error.reason or 'no certificate in it'}") from None
    return made


def _check_readable(path: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise Unusable(f"{path}: cannot be read: {error.strerror}") from None
