"""Checks of a home: its permissions, its configuration and secrets, its database, and the server that should run on it.

Owns nothing but questions. It changes nothing, except that opening a database brings it to the newest form.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from craton.cli.finding import Finding, Level
from craton.cli.running import Place, get, local_url
from craton.config import ConfigError, Settings, secret

# What lies in a home → the mode that it must not exceed.
MODES = {"": 0o700, "run": 0o700, "logs": 0o700, "credentials": 0o600, "secret": 0o600, "craton.db": 0o600}
_HEX_PROC_LISTEN = "0A"


def permissions(home: Path) -> Iterator[Finding]:
    """Whether others may read what is in the home."""
    if not home.exists():
        yield Finding("ok", "home", f"{home} does not exist yet; the first start makes it")
        return
    if home.stat().st_uid != os.getuid():
        yield Finding("problem", "home", f"{home} belongs to somebody else", "choose another with --home")
        return
    open_ones = []
    for name, mode in MODES.items():
        path = home / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & ~mode:
            open_ones.append((path, mode))
    closed = stat.S_IMODE(home.stat().st_mode) & 0o077 == 0
    for path, mode in open_ones:
        # Behind a closed home nobody reaches a folder; a file's mode is the second door, which copies keep.
        level: Level = "warning" if closed and path.is_dir() else "problem"
        yield Finding(level, "home", f"others may read {path}", f"chmod {mode:o} '{path}'")
    if not open_ones:
        yield Finding("ok", "home", f"{home}, closed to others")


def configuration(home: str | None, config: str | None) -> Iterator[Finding | Place]:
    """Whether the configuration can be used; its last item is the place, if it can."""
    from craton.cli.options import place_of

    try:
        place = place_of(home, config)
    except ConfigError as error:
        yield Finding("problem", "configuration", str(error), "mend the file: docs/configuration.md lists every key")
        return
    count = len(place.settings.file.model)
    file = config or (str(place.home / "config.toml") if (place.home / "config.toml").is_file() else "")
    where = file or "none: defaults"
    yield Finding("ok", "configuration", f"{where}; {count} model{'s' if count != 1 else ''} configured")
    yield place


def secrets(settings: Settings) -> Iterator[Finding]:
    """Whether every key that the configuration names can be read."""
    names = {target.api_key: model.id for model in settings.file.model for target in model.target if target.api_key}
    wrong = []
    for name, model_id in names.items():
        try:
            if not secret(name):
                wrong.append(f"{name} (of {model_id}) is empty")
        except ConfigError as error:
            wrong.append(f"{name} (of {model_id}): {error}")
    for text in wrong:
        yield Finding("problem", "secrets", text, "set it in the shell that runs craton serve")
    if names and not wrong:
        yield Finding("ok", "secrets", f"all {len(names)} that the configuration names can be read")


def database(place: Place) -> Iterator[Finding]:
    """Whether the store opens and is of a form that this Craton knows."""
    from craton.infra.store.port import StoreError
    from craton.infra.store.watch import database_path
    from craton.storing import store_url

    url = store_url(place.settings)
    path = database_path(url)
    if path is not None and not path.exists():
        yield Finding("ok", "database", "none yet; the first thing to keep makes it")
        return
    try:
        place.open_store().close()
    except (StoreError, ValueError) as error:
        yield Finding("problem", "database", str(error), "docs/configuration.md, [store]")
    else:
        yield Finding("ok", "database", f"{path or 'reached'}: opens, its form is current")


def models(place: Place) -> Iterator[Finding]:
    """Which models were added, by kind, and whether their files are there."""
    from collections import Counter

    from craton.cli.models import known
    from craton.infra.store.port import StoreError

    try:
        there = known(place)
    except (StoreError, ValueError):
        return  # `database` has said so
    found = [model for model in there if not model.boxed]
    for model in found:
        if not Path(model.directory).is_dir():
            mend = f"craton models remove {model.id}, then add it again"
            yield Finding("problem", model.id, f"its files are gone: {model.directory}", mend)
    kinds = Counter(model.kind for model in found)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds))
    embeds = any(model.kind == "embedding" for model in there)
    mend = "" if embeds else "craton models add minilm, if you need embeddings"
    yield Finding("ok", "models", f"added: {counts or 'none'}", mend)


def server(place: Place) -> Iterator[Finding]:
    """Whether a server runs and answers; else whether the port is free for one."""
    running = place.server
    if running is None:
        yield from port(place.settings.file.server.host, place.settings.file.server.port)
        return
    try:
        status, _ = get(running, "/health")
    except OSError as error:
        mend = f"craton stop, then craton serve; its process is {running.pid}"
        yield Finding("problem", "server", f"runs at {running.url} but does not answer: {error}", mend)
        return
    if status == 200:
        yield Finding("ok", "server", f"healthy at {running.url} (process {running.pid})")
    else:
        yield Finding("problem", "server", f"{running.url}/health answers {status}", "its words are on its terminal")


def port(host: str, number: int) -> Iterator[Finding]:
    """Who has the port that `craton serve` would take."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, number))
    except OSError as error:
        who = listener(number)
        text = f"no server of this home runs, and {local_url(host, number)} cannot be taken: {who or error.strerror}"
        yield Finding("problem", "server", text, "stop that one, or craton serve --port N")
    else:
        yield Finding("ok", "server", f"none runs; port {number} is free", "craton serve starts one")


def listener(number: int) -> str:
    """Which process listens on a TCP port, as far as this user may see; "" if that cannot be told (Linux only)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == _HEX_PROC_LISTEN and int(fields[1].rpartition(":")[2], 16) == number:
                inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(handle.readlink()) in inodes for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name}) has it"
        except OSError:
            continue
    return "a process of another user has it"
