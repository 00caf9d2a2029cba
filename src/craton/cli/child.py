"""A server as a child process, for the quickstart tour: started, waited for, and surely ended.

Owns the child's life. The tour's server dies with the tour, even if that is killed; one that is to stay is a process of
its own. It must not know what the server is used for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from craton.cli.refusal import Refused
from craton.cli.running import Running, find
from craton.infra.compute.process import set_parent_death_signal

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 20.0
_LOOK_EVERY_S = 0.03


@contextlib.contextmanager
def passing_server(home: Path) -> Iterator[Running]:
    """A server on a free port with this home, gone when the block ends, however it ends."""
    process = start(home, ["--port", "0"], keep=False)
    try:
        yield wait_ready(process, home)
    finally:
        end(process)


@contextlib.contextmanager
def lasting_server(home: Path) -> Iterator[Running]:
    """The home's server, started if none runs, which outlives the block; unless the block fails, then it ends too."""
    there = find(home)
    if there is not None:
        yield there
        return
    process = start(home, [], keep=True)
    try:
        yield wait_ready(process, home)
    except BaseException:
        end(process)
        raise


def start(home: Path, options: list[str], *, keep: bool) -> subprocess.Popen[bytes]:
    """Start `craton serve` with its words in a log of the home."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-P", "-m", "craton.cli.main", "serve", "--home", str(home), *options]
    with os.fdopen(os.open(log_of(home), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C is the tour's to hear
            preexec_fn=None if keep else _end_with_parent,  # noqa: PLW1509 - no threads run yet
        )


def _end_with_parent() -> None:
    set_parent_death_signal(signal.SIGTERM)


def log_of(home: Path) -> Path:
    """Where the child's words are."""
    return home / "logs" / "server.log"


def wait_ready(process: subprocess.Popen[bytes], home: Path) -> Running:
    """The server once it serves. Raises Refused with its last words if it ends or takes too long."""
    until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < until:
        found = find(home)
        if found is not None:
            return found
        if process.poll() is not None:
            raise Refused(f"the server ended at its start: {last_words(home)}")
        time.sleep(_LOOK_EVERY_S)
    raise Refused(f"the server did not start within {_START_TIMEOUT_S:.0f} s: {last_words(home)}")


def last_words(home: Path) -> str:
    """The last lines of the server's log, as one."""
    lines = log_of(home).read_text(encoding="utf-8", errors="replace").splitlines()
    return " ".join(lines[-3:]).removeprefix("craton: ") or "it said nothing"


def end(process: subprocess.Popen[bytes]) -> None:
    """End the child and wait for it; a second Ctrl-C does not cut this short."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.terminate()
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
