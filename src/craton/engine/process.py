"""The manners of the process: it dies with its parent, drains on SIGTERM, and says on stderr what state it is in.

Owns signals, the parent-death notice and the log lines. Knows no HTTP and no models.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int | None) -> None:
    """Have the kernel end this process when its parent ends (prctl(2), PR_SET_PDEATHSIG).

    `parent_pid` closes the gap before the call: exits at once when that process is already gone. Note that the kernel
    means the parent's *thread* that started us. Elsewhere than on Linux this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid is not None and os.getppid() != parent_pid:
        say("orphaned", parent=parent_pid)
        os._exit(1)


def say(state: str, **facts: object) -> None:
    """One line per change of state. Facts are the server's own; never anything that a client sent."""
    told = "".join(f" {name}={_plain(value)}" for name, value in facts.items())
    sys.stderr.write(f"craton-engine state={state}{told}\n")
    sys.stderr.flush()


def _plain(value: object) -> str:
    text = " ".join(str(value).split())
    return f'"{text}"' if " " in text else text
