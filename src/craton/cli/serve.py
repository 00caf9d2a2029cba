"""`craton serve` and `craton stop`: a server from its first line to its last.

Owns what is printed, the record that other commands find the server by, and the life of an ephemeral home. It must
import nothing heavy before it serves; the server itself is `craton.app`'s.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from craton.cli.options import config_option, home_option
from craton.cli.refusal import Refused

if TYPE_CHECKING:
    from craton.cli.running import Running
    from craton.config import Settings
    from craton.front.server import Bound

_LOOPBACK = ("127.", "::1", "localhost")
_STOP_WITHIN_S = 30.0


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any free one.  [default: 8765]")
@home_option
@config_option
@click.option("--workers", type=click.IntRange(1, 64), help="HTTP processes.  [default: 1]")
@click.option("--ephemeral", is_flag=True, help="Use a temporary home that is removed at the end.")
def serve(
    host: str | None, port: int | None, home: str | None, config: str | None, workers: int | None, *, ephemeral: bool
) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    if home is not None and ephemeral:
        raise click.UsageError("--ephemeral makes a home of its own: leave --home out")
    with temporary_home() if ephemeral else contextlib.nullcontext(home) as place:
        from craton.config import load

        settings = load(home=place, config=config, host=host, port=port, workers=workers, ephemeral=ephemeral)
        warn_of_exposure(settings.file.server.host, secure=bool(settings.file.tls.certificate))
        code = run(settings, config, how_to_env(settings, given=place is not None))
    sys.exit(code)


def run(settings: Settings, config: str | None, env_command: str) -> int:
    """Serve; the exit code. Raises what `app.serve` does."""
    from craton.app import serve as serve_settings
    from craton.cli.running import Running, authority_of, forget, local_url, record
    from craton.infra.keys.root import load_root_key

    def on_ready(bound: Bound) -> None:
        server = Running(
            url=local_url(bound.host, bound.port, secure=bool(settings.file.tls.certificate)),
            port=bound.port,
            pid=bound.pid,
            region=settings.region,
            account=settings.account,
            access_key_id=load_root_key(settings.home_path, os.environ, settings.account).access_key_id,
            authority=authority_of(settings),
            config=os.path.abspath(config) if config else "",  # noqa: PTH100 - resolve() would follow links
        )
        record(settings.home_path, server)
        greet(server, settings, env_command)

    try:
        return serve_settings(settings, on_ready)
    finally:
        if served_here(settings.home_path):
            forget(settings.home_path)


def served_here(home: Path) -> bool:
    """Whether the record in the home is this process's: a start refused because of another server leaves that one's."""
    from craton.cli.running import FILE_NAME

    try:
        return f'"pid":{os.getpid()},'.encode() in (home / "run" / FILE_NAME).read_bytes()
    except OSError:
        return False


def greet(server: Running, settings: Settings, env_command: str) -> None:
    """Tell where the server is and how a program gets there."""
    kept = "removed when the server ends" if settings.ephemeral else "keys, models and the database"
    lines = (
        f"Craton serves Amazon Bedrock at {server.url}  (account {server.account}, region {server.region})",
        f"Home: {settings.home}  ({kept})",
        f'In the shell of your program: eval "$({env_command})"',
        "Ctrl-C stops it.",
    )
    print(*lines, sep="\n", flush=True)


def how_to_env(settings: Settings, *, given: bool) -> str:
    """The `craton env` that finds this server from another shell."""
    return f"craton env --home {shlex.quote(settings.home)}" if given else "craton env"


def warn_of_exposure(host: str, *, secure: bool = False) -> None:
    """Say what listening for other machines means."""
    if not host.startswith(_LOOPBACK) and not secure:
        click.echo(
            f"craton: warning: {host} can be reached from other machines, over plain HTTP: requests are signed, but "
            "prompts and answers travel in clear. Give it a certificate (docs/tls.md), or listen on 127.0.0.1.",
            err=True,
        )


@contextlib.contextmanager
def temporary_home() -> Iterator[str]:
    """A fresh folder (mode 0700) that is removed however the block ends, SIGTERM included."""
    import tempfile

    home = tempfile.mkdtemp(prefix="craton-")
    maker = os.getpid()
    # The server takes the signals over once it runs; until then they must end the block, not the process.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, leave)
    try:
        yield home
    finally:
        if os.getpid() == maker:
            shutil.rmtree(home, ignore_errors=True)


def leave(signum: int, frame: FrameType | None) -> None:
    """End by an exception, so that what must be undone is undone."""
    raise SystemExit(128 + signum)


@click.command()
@home_option
def stop(home: str | None) -> None:
    """Stop the server of a home; what is being answered is finished first."""
    from craton.cli.running import find
    from craton.config import home_path

    place = home_path(home)
    server = find(place)
    if server is None:
        raise Refused(f"no server runs with the home {place}")
    os.kill(server.pid, signal.SIGTERM)
    until = time.monotonic() + _STOP_WITHIN_S
    while find(place) is not None:
        if time.monotonic() > until:
            raise Refused(f"process {server.pid} has not ended after {_STOP_WITHIN_S:.0f} s; kill -9 {server.pid} does")
        time.sleep(0.05)
    click.echo(f"Stopped the server at {server.url}.")
