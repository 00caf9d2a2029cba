"""How a worker process is made: its assignment, and the fresh interpreter that reads it.

Owns the hand-over, in an inherited file without a name: settings name secrets' places and stand in no argument. It must
load nothing of what a worker needs, since the supervisor loads it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

import msgspec

KINDS = "craton.workflows.all:WORKFLOWS"
"""Every kind of job that this version knows."""
_PROGRAM = "craton.labor"


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do. `url`: where the server that makes it listens. `kinds`: `module:tuple` of workflows."""

    name: str
    parent_pid: int
    settings: bytes
    url: str
    kinds: str = KINDS


def employ(assignment: Assignment) -> int:
    """Make a worker process; its id, for whoever reaps it. Raises OSError."""
    with tempfile.TemporaryFile() as file:
        file.write(msgspec.msgpack.encode(assignment))
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _PROGRAM, str(file.fileno())],
            pass_fds=(file.fileno(),),
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    process.returncode = 0  # the foreman reaps it; this object must not
    return process.pid
