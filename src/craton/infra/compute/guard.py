"""The last guard of model processes: it ends their whole groups when the supervisor dies without a word.

Owns: one tiny process per host, made with the first model, and what it knows: the living process groups. Must not
know: models. The parent-death signal ends a model when the supervisor is killed, but it is not handed down to what
the model itself started; a process that reads a pipe until its end notices the same death and ends those too.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys

_PROGRAM = """
import os
groups = set()
for line in open(0):
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, 9)
    except OSError:
        pass
"""


class Guard:
    """The supervisor's side: says which groups live."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, pgid: int) -> None:
        """From now on this group ends with the supervisor."""
        self._groups.add(pgid)
        self._tell(b"+%d\n" % pgid)

    def remove(self, pgid: int) -> None:
        """This group has gone; say so before its leader is reaped, while nobody else can have its number."""
        self._groups.discard(pgid)
        self._tell(b"-%d\n" % pgid)

    def close(self) -> None:
        """Let the process go; it ends the groups that are left."""
        if self._process is not None:
            if self._process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _tell(self, line: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line)
                return
            self.close()  # somebody killed it: a new one learns of all groups
        if self._groups:
            self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            # -I -S: no site packages, nothing of the environment; it starts fast and stays small.
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            bufsize=0,
            process_group=0,
        )
        if self._process.stdin is not None:
            self._process.stdin.write(b"".join(b"+%d\n" % pgid for pgid in self._groups))
