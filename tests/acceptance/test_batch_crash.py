"""A batch whose worker or server is killed with -9, again and again: the same output, and no answer paid for twice.

What may be asked twice is what was on its way at a kill, and what was answered in the tenth of a second before it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.batching import LIMITS, OVER, answers, asked, finished, role, s3_rights, said
from tests.acceptance.serving import HAIKU, routes
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream, Request, natural
from tests.running import Running

RECORDS = int(os.environ.get("CRATON_TEST_RECORDS", "400"))
AT_ONCE = 8
CONFIG = f"{LIMITS}[jobs]\nbatch_concurrency = {AT_ONCE}\n"
KILLS = int(os.environ.get("CRATON_TEST_KILLS", "3"))


def children(pid: int) -> dict[int, str]:
    """The processes that a process has made, and their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_text()
        except OSError:
            continue
        if parent == pid:
            found[int(entry.name)] = command
    return found


def kill_worker(server: Running) -> bool:
    """Kill the process that does jobs, if there is one."""
    assert server.process is not None
    workers = [pid for pid, command in children(server.process.pid).items() if "craton.labor" in command]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    return bool(workers)


def text_of(request: Request) -> str:
    return str(request.json["messages"][-1]["content"])


def kept(up: FakeUpstream) -> Counter[str]:
    """How often each record was answered."""
    return Counter(text_of(one) for one in up.requests if one.answered_at is not None and one.closed_at is None)


def check(s3: Any, arn: str, up: FakeUpstream, kills: int) -> None:
    """The output is that of a run without kills, and what was asked twice was under way at one."""
    found = answers(s3, "crash-out", f"{arn.rpartition('/')[2]}/a.jsonl.out")
    assert [one["recordId"] for one in found] == [f"CALL{n:07d}" for n in range(RECORDS)]
    assert [one["modelOutput"]["content"][0]["text"] for one in found] == [f"Echo: number {n}" for n in range(RECORDS)]
    (manifest,) = answers(s3, "crash-out", f"{arn.rpartition('/')[2]}/manifest.json.out")
    assert (manifest["successRecordCount"], manifest["errorRecordCount"]) == (RECORDS, 0)
    twice = sum(count - 1 for count in kept(up).values())
    # Calls take 30 ms: in the tenth of a second before a kill each of those under way has been answered four times.
    assert twice <= kills * AT_ONCE * 5, (twice, kills)
    print(f"{kills} kills, {len(up.requests)} calls, {twice} records answered twice")


@pytest.fixture
def up() -> Any:
    def slowly(request: Request) -> scripts.Script:
        return [scripts.Sleep(0.03), *natural(request)]

    with FakeUpstream(fallback=slowly) as upstream:
        yield upstream


def prepared(server: Running) -> str:
    """Buckets, input, role and a job; its ARN."""
    s3 = server.client("s3")
    for bucket in ("crash-in", "crash-out"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="crash-in", Key="a.jsonl", Body=said(range(RECORDS)))
    rights = role(server, "crash", s3_rights("crash-in", "crash-out"))
    wanted = asked("crash", HAIKU, rights, "s3://crash-in/a.jsonl", "s3://crash-out/")
    arn: str = server.client("bedrock").create_model_invocation_job(**wanted)["jobArn"]
    return arn


def grown(up: FakeUpstream, pace: random.Random, over: Callable[[], bool]) -> None:
    """Wait until some more records were asked: mostly enough for an answer to be kept, for five ends in a row without
    any progress are taken for the job's own fault."""
    so_far, more = len(up.requests), pace.randrange(10, 90)
    end = time.monotonic() + 20
    while len(up.requests) < so_far + more and not over() and time.monotonic() < end:
        time.sleep(0.01)


def test_killing_the_worker(tmp_path: Path, up: FakeUpstream) -> None:
    """However often the process that does jobs is killed, the job goes on where it was."""
    pace = random.Random(7)
    with Running(tmp_path, CONFIG + routes(up)) as server:
        arn, kills = prepared(server), 0
        bedrock = server.client("bedrock")

        def over() -> bool:
            return bool(bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] in OVER)

        while kills < KILLS and not over():
            grown(up, pace, over)
            kills += kill_worker(server)
        assert finished(bedrock, arn)["status"] == "Completed"
        assert kills
        check(server.client("s3"), arn, up, kills)


def test_killing_the_server(tmp_path: Path, up: FakeUpstream) -> None:
    """A server that was killed with all its processes takes the job up when it is started again."""
    pace = random.Random(8)
    kills = 0
    arn = ""
    for turn in range(1 + (KILLS + 1) // 2):
        with Running(tmp_path, CONFIG + routes(up)) as server:
            arn = arn or prepared(server)
            if turn < (KILLS + 1) // 2:
                grown(up, pace, lambda: False)
                assert server.process is not None
                server.process.kill()
                server.process.wait()
                kills += 1
                continue
            assert finished(server.client("bedrock"), arn)["status"] == "Completed"
            check(server.client("s3"), arn, up, kills)
