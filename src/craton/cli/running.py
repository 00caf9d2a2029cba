"""The running server of a home, as other commands find it: HOME/run/server.json.

Owns that record and the question whether it is still true. Nothing secret stands in it. It must not know what a
command wants of the server.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from craton.config import Settings
from craton.infra.control.console import Console
from craton.infra.control.home import control_path
from craton.infra.control.wire import ControlLost

if TYPE_CHECKING:
    from craton.infra.keys.root import RootKey
    from craton.infra.store.port import Store

FILE_NAME = "server.json"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what clients of this machine use instead


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A server: where this machine's clients reach it and what they need to know. `config` is "" for defaults.

    `authority` is the file of the authority that clients must trust to reach it over TLS, "" where their system's do.
    """

    url: str
    port: int
    pid: int
    region: str
    account: str
    access_key_id: str
    config: str = ""
    authority: str = ""


class Place(msgspec.Struct, frozen=True):
    """A home, its settings, and its server if one runs."""

    settings: Settings
    server: Running | None

    @property
    def home(self) -> Path:
        return self.settings.home_path

    @property
    def account(self) -> str:
        return self.server.account if self.server else self.settings.account

    @property
    def region(self) -> str:
        return self.server.region if self.server else self.settings.region

    def root_key(self) -> RootKey:
        """The root key; made now if the home has none. Raises BadRootKey, OSError."""
        from craton.infra.keys.root import load_root_key

        return load_root_key(self.home, os.environ, self.account)

    def console(self) -> Console:
        """A line to the supervisor. Raises ControlLost when none runs."""
        return Console(control_path(self.home))

    def open_store(self) -> Store:
        """The home's store, made or migrated as needed. Raises StoreError."""
        from craton.infra.store.opening import open_store
        from craton.storing import store_url

        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_store(store_url(self.settings))

    def refresh(self) -> None:
        """Let the running server, if there is one, take up what was stored, before this returns."""
        if self.server is not None:
            with self.console() as console:
                console.call("refresh")


def local_url(host: str, port: int, *, secure: bool = False) -> str:
    """The URL by which this machine reaches a server that listens on `host`."""
    name, scheme = _ANY_ADDRESS.get(host, host), "https" if secure else "http"
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def authority_of(settings: Settings) -> str:
    """The authority that `craton tls create` left beside the configured certificate; "" where it made none."""
    certificate = settings.file.tls.certificate
    beside = Path(certificate or "none").with_name("ca.pem")
    return str(beside) if certificate and beside.is_file() else ""


def record(home: Path, server: Running) -> None:
    """Write the record, mode 0600, whole or not at all. The home is held, so nobody else writes it."""
    path = home / "run" / FILE_NAME
    draft = path.with_suffix(".part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(msgspec.json.encode(server))
    draft.replace(path)


def forget(home: Path) -> None:
    """Remove the record."""
    (home / "run" / FILE_NAME).unlink(missing_ok=True)


def find(home: Path) -> Running | None:
    """The running server of a home; None when no supervisor answers there, whatever a dead one left behind."""
    try:
        found = msgspec.json.decode((home / "run" / FILE_NAME).read_bytes(), type=Running)
        Console(control_path(home), timeout_s=2.0).close()
    except (OSError, msgspec.DecodeError, ControlLost):
        return None
    return found


def get(server: Running, path: str, timeout_s: float = 5.0) -> tuple[int, Any]:
    """GET a path of a server: the status and the JSON, or None where there is none. Raises OSError."""
    return ask(server, "GET", path, timeout_s=timeout_s)


def ask(
    server: Running,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 30.0,
) -> tuple[int, Any]:
    """Any request: the status and the JSON, or None where there is none. Raises OSError.

    Without proxies: a proxy variable of the environment must not lead a request for this machine elsewhere.
    """
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(server.url)
    host, port = parts.hostname or "", parts.port or 80
    if parts.scheme == "https":
        import ssl

        trust = ssl.create_default_context(cafile=server.authority or None)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout_s, context=trust
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        told = answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{server.url} does not speak HTTP: {type(error).__name__}") from error
    finally:
        connection.close()
    try:
        return answer.status, msgspec.json.decode(told)
    except msgspec.DecodeError:
        return answer.status, None
