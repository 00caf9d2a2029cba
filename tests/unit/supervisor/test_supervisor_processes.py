"""Facts about processes are read right."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from craton.infra.compute import process


def test_memory_of_a_living_process_is_positive_and_of_none_is_zero() -> None:
    """PSS and RSS are bytes of this process; a process that is gone has none."""
    assert 1_000_000 < process.pss_bytes(os.getpid()) <= process.rss_bytes(os.getpid())
    assert process.pss_bytes(2**22 + 1) == 0
    assert process.cpu_seconds(os.getpid()) > 0


def test_the_tree_holds_children() -> None:
    """A child is in its parent's tree."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in process.tree(os.getpid())
    finally:
        child.communicate(b"\n")


def test_an_end_is_seen_before_it_is_reaped() -> None:
    """`wait_zombie` leaves the process to be reaped, and the status is in words."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "import os; os._exit(3)"])
    asyncio.run(process.wait_zombie(child.pid))
    code = process.reap(child.pid)
    child.returncode = code
    assert process.describe_exit(code) == "exit code 3"
    assert process.describe_exit(-9) == "killed by SIGKILL"


def test_there_is_a_core() -> None:
    """At least one core, at most what the machine has."""
    assert 1 <= process.available_cores() <= (os.cpu_count() or 1)
