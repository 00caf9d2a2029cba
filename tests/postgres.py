"""A PostgreSQL of the tests' own: made in a temporary folder, on a free port of loopback, gone afterwards.

Owns finding the programs (PATH, then Debian's folders) and the server's life, its sudden deaths included. A machine
without PostgreSQL fails these tests; `tests/install-postgresql` puts it there. The server refuses to be root's, so root
runs it as Debian's user `postgres`.
"""

from __future__ import annotations

import contextlib
import getpass
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from craton.infra.compute.process import set_parent_death_signal
from craton.infra.store.opening import open_store

USER, PASSWORD = "craton", "not a secret: !@/"
START_TIMEOUT_S = 60.0
_INSTALLED = "/usr/lib/postgresql"
_QUIET = ["-c", "logging_collector=off", "-c", "max_connections=100", "-c", "shared_buffers=16MB"]


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs."""
    found = shutil.which(name)
    if found is None:
        paths = sorted(Path(_INSTALLED).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
        found = str(paths[-1]) if paths else None
    if found is None:
        raise AssertionError(f"{name} is not installed: run tests/install-postgresql")
    return found


def owner() -> pwd.struct_passwd:
    """The user that the server runs as."""
    return pwd.getpwnam("postgres" if os.getuid() == 0 else getpass.getuser())


class PostgreSQL:
    """`with PostgreSQL() as server: server.database()`; `durable=False` does not wait for the disk."""

    def __init__(self, *, durable: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="craton-pg-"))
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._flush = "on" if durable else "off"
        self._numbers = itertools.count(1)
        self._store = ""

    def __enter__(self) -> Self:
        os.chown(self.folder, owner().pw_uid, owner().pw_gid)
        words = self.folder / "password"
        words.write_text(PASSWORD)
        os.chown(words, owner().pw_uid, owner().pw_gid)
        made = [program("initdb"), "--no-sync", "--no-locale", "--encoding=UTF8", f"--username={USER}"]
        made += ["--auth=scram-sha-256", f"--pwfile={words}", "-D", str(self.data)]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, preexec_fn=become(owner()), cwd=self.folder)
        self.start()
        return self

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, name: str = "postgres", *, with_password: bool = True) -> str:
        """The URL of a database as the configuration has it."""
        word = ":not%20a%20secret%3A%20%21%40%2F" if with_password else ""
        return f"postgresql://{USER}{word}@127.0.0.1:{self.port}/{name}"

    def database(self, *, like: str = "template1") -> str:
        """The URL of a new database, an empty one. A server that somebody ended is told of, with its last words, and
        revived.
        """
        if self.process is not None and self.process.poll() is not None:
            said = f"PostgreSQL had ended with {self.process.returncode}; its last words:\n{self.log()[-2_000:]}"
            warnings.warn(said, stacklevel=2)
            self.start()
        name = f"db{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)

    def store(self) -> str:
        """The URL of a new database with a store's tables in it, still empty: copied, which takes a fifth of the time."""
        if not self._store:
            url = self.database()
            open_store(url).close()
            self._store = url.rpartition("/")[2]
        return self.database(like=self._store)

    def say(self, statement: str, url: str | None = None) -> list[tuple[object, ...]]:
        """The rows of a statement, outside of any transaction."""
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def log(self) -> str:
        """All that the server wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start the server, after a crash too, and wait until it answers."""
        end = time.monotonic() + START_TIMEOUT_S
        while not self._answers(self._spawn(), end):
            # Backends of a server that was killed may hold its memory for a moment longer.
            if time.monotonic() > end or "shared memory block" not in self.log()[-1_000:]:
                raise AssertionError(f"PostgreSQL does not start:\n{self.log()}")
            time.sleep(0.1)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [program("postgres"), "-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.port), *_QUIET]
        command += ["-c", f"unix_socket_directories={self.folder}", "-c", f"fsync={self._flush}"]
        with (self.folder / "log").open("ab") as log:
            as_owner = become(owner())
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                preexec_fn=as_owner,  # noqa: PLW1509 - it takes no lock
                cwd=self.folder,
                process_group=0,
            )
        return self.process

    def _answers(self, process: subprocess.Popen[bytes], end: float) -> bool:
        """Whether it answers before it ends and before `end`."""
        while time.monotonic() < end and process.poll() is None:
            try:
                self.say("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def kill(self) -> None:
        """All of its processes at once, as a machine that loses its power."""
        assert self.process is not None
        backends = _children(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        for pid in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Let it end in order, which cuts its clients off ("fast shutdown")."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()  # nothing of it is needed any more
        shutil.rmtree(self.folder, ignore_errors=True)


def become(user: pwd.struct_passwd) -> Callable[[], None]:
    """What a child does before its program: be this user, and end when the tests do."""

    def change() -> None:
        if os.getuid() == 0:
            os.setgroups([user.pw_gid])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        set_parent_death_signal()

    return change


def _children(pid: int) -> list[int]:
    """Each backend leads a session of its own, so the group does not hold them."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in found.read_text().split()] if found.exists() else []


def _free_port() -> int:
    """One that nobody listens at, below those that the kernel gives to clients: it is free after a restart as well."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
