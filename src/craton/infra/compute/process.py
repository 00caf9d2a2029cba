"""Facts about operating-system processes and the few calls that bind one process's life to another's.

Owns: the parent-death signal, waiting for an exit without a thread, group signals, memory and CPU figures from
`/proc`, the number of usable cores. Must not know: what the processes are for. Linux gives every figure; elsewhere
a figure that is not available is 0 and waiting falls back to polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_POLL_S = 0.05
# Loaded once at import: the call is made between fork and exec, where nothing may be imported or allocated freely.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def set_parent_death_signal(signum: int = signal.SIGKILL) -> None:
    """Ask the kernel to send `signum` to this process when the thread that made it ends; kept across exec."""
    if _LIBC is not None and _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))


def die_with_parent(parent_pid: int) -> None:
    """Bind this process's life to `parent_pid`'s, even if that one is ended by SIGKILL.

    The parent may have died between fork and this call; then the signal would never come, so the process ends here.
    """
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def raise_file_limit(wanted: int = 65_536) -> int:
    """Lift the soft limit of open files to `wanted` or the hard limit, and return what holds now.

    The default of 1,024 would end a worker's accept loop at about a thousand open streams.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= target:
        return soft
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        return target
    return soft


async def wait_zombie(pid: int) -> None:
    """Return when child `pid` has ended, leaving it unreaped, so that its process group id cannot be reused yet."""
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):
        while not _has_ended(pid):  # noqa: ASYNC110 - without pidfd there is nothing to wait on
            await asyncio.sleep(_POLL_S)
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(handle, lambda: None if ended.done() else ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def reap(pid: int) -> int:
    """Collect the ended child `pid` and return its exit status: the code, or minus the signal that ended it."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status)


def describe_exit(code: int) -> str:
    """Put an exit status into words: `exit code 3`, `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def signal_process(pid: int, signum: int) -> None:
    """Send a signal; a process that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def signal_group(pgid: int, signum: int) -> None:
    """Send a signal to a whole process group; one that is gone already, or only zombies, is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)


def children(pid: int) -> list[int]:
    """The direct children of `pid`, living or zombie, oldest first."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_text().split()]
    return sorted(found)


def tree(pid: int) -> list[int]:
    """`pid` and all that descend from it, parents before children."""
    found = [pid]
    for seen in found:  # the list grows while it is walked
        found += children(seen)
    return found


def pss_bytes(pid: int) -> int:
    """The proportional set size of one process: shared pages count by their share. 0 when it is gone."""
    return _kib_field(Path(f"/proc/{pid}/smaps_rollup"), b"Pss:")


def rss_bytes(pid: int) -> int:
    """The resident set size of one process. 0 when it is gone."""
    return _kib_field(Path(f"/proc/{pid}/status"), b"VmRSS:")


def cpu_seconds(pid: int) -> float:
    """User and system CPU seconds that one process has used. 0 when it is gone."""
    try:
        # The command's name stands in brackets and may hold blanks: count the fields after it.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def available_cores() -> int:
    """The cores that this process may use: its affinity, cut by the container's CPU quota (cgroup v2)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    return max(1, cores)


def _kib_field(path: Path, name: bytes) -> int:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
