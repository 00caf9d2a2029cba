"""Invocation logs and sudden ends: what was spooled arrives, once, whoever is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from botocore.config import Config

from tests.acceptance.invlog import bucket_for, policy, put, records
from tests.acceptance.serving import GPT, HELLO, Served, serving


def children(pid: int) -> dict[int, str]:
    """The processes that a process has made, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def pid_of(served: Served) -> int:
    assert served.server.process is not None
    return served.server.process.pid


def converse(served: Served, count: int) -> set[str]:
    runtime = served.client()
    return {runtime.converse(modelId=GPT, messages=HELLO)["ResponseMetadata"]["RequestId"] for _ in range(count)}


def spooled(served: Served) -> list[Path]:
    return list((served.server.home / "spool" / "invocations").glob("*.spool"))


def wait_for_spool(served: Served) -> None:
    """Until every record has left memory."""
    until = time.monotonic() + 60
    while not spooled(served) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)


def ids(found: list[dict[str, Any]]) -> list[str]:
    return sorted(one["requestId"] for one in found)


def test_invlog_a_killed_server_loses_nothing_that_was_spooled(tmp_path: Path) -> None:
    """kill -9 of everything while the bucket takes nothing; after the next start all records arrive, once."""
    with serving(tmp_path) as served:
        s3 = bucket_for(served, "logs-killed")
        put(served, "logs-killed")
        s3.delete_bucket_policy(Bucket="logs-killed")
        asked = converse(served, 3)
        wait_for_spool(served)
        served.server.stop(signal.SIGKILL)
    with serving(tmp_path) as served:
        s3 = served.client("s3")
        time.sleep(0.5)
        s3.put_bucket_policy(Bucket="logs-killed", Policy=policy("logs-killed"))
        assert ids(records(s3, "logs-killed", 3, within_s=30.0)) == sorted(asked)
        until = time.monotonic() + 60
        while spooled(served) and time.monotonic() < until:
            time.sleep(0.1)
        assert not spooled(served)


def test_invlog_killed_workers_deliver_once(tmp_path: Path) -> None:
    """The process that delivers is killed again and again, and the one that logs once: every record is there once."""
    with serving(tmp_path) as served:
        s3 = bucket_for(served, "logs-workers")
        put(served, "logs-workers")
        asked = converse(served, 2)
        records(s3, "logs-workers", 2)
        for round_ in range(4):
            asked |= converse(served, 5)
            time.sleep(0.15 if round_ else 1.2)
            for pid, command in children(pid_of(served)).items():
                if "craton.labor" in command:
                    os.kill(pid, signal.SIGKILL)
        wait_for_spool(served)
        for pid, command in children(pid_of(served)).items():
            if "craton.labor" not in command:
                os.kill(pid, signal.SIGKILL)
        s3 = served.client("s3", config=Config(retries={"max_attempts": 8, "mode": "standard"}))
        assert ids(records(s3, "logs-workers", len(asked), within_s=40.0)) == sorted(asked)
