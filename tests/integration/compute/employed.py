"""`craton worker --ray` as a test or a benchmark has it, and the processes that it made."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.running import Running

PATIENCE_S = 120.0


@contextmanager
def employed(server: Running, count: int) -> Iterator[list[str]]:
    """`craton worker --ray COUNT` for a server; what it said first. It ends in order, and its workers with it."""
    process, said = start(server, count)
    try:
        yield said
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert workers_of(server) == []


def start(server: Running, count: int) -> tuple[subprocess.Popen[str], list[str]]:
    """The command, once its workers were placed, and what it said."""
    words = ["--home", f"{server.home}", "--config", f"{server.home}/test.toml", "--url", server.url]
    command = [sys.executable, "-m", "craton.cli.main", "worker", "--ray", f"{count}", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said: list[str] = []
    while not (said and "Ctrl-C" in said[-1]):
        said.append(process.stderr.readline())
        assert said[-1], said
    return process, said


def workers_of(server: Running) -> list[psutil.Process]:
    """The processes that do a server's jobs on the nodes."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "--parent" in words and server.url in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found
