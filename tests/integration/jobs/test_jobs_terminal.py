"""Jobs in the terminal, workers apart from servers, and what the calendar asks for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from craton.cli.main import cli
from craton.infra.jobs import runs
from tests.integration.jobs.crashing import Crashing, crashing
from tests.integration.jobs.toys import BREAK, COUNT, Spec

KINDS = "tests.integration.jobs.toys:WORKFLOWS"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashing]:
    with crashing(tmp_path_factory.mktemp("home"), kinds=KINDS) as running:
        yield running


def craton(server: Crashing, *words: str) -> Result:
    return CliRunner().invoke(cli, [words[0], "--home", str(server.home), *words[1:]])


def test_jobs_are_listed_with_their_progress(server: Crashing, tmp_path: Path) -> None:
    """The newest first, under the status that the API gives."""
    assert craton(server, "jobs").output == "There are no jobs.\n"
    failed = server.put(BREAK, Spec(folder=str(tmp_path), how="refused"))
    server.wait(failed, "Failed")
    arn = server.put(COUNT, Spec(folder=str(tmp_path), steps=2), "reviews")
    server.wait(arn, "Completed")
    until = time.monotonic() + 60
    while True:  # the run ends a moment after the job's last write
        first, second = json.loads(craton(server, "jobs", "--json").output)
        if first["state"] == "done" and second["state"] == "failed":
            break
        assert time.monotonic() < until
    assert (first["arn"], first["status"], first["done"], first["total"]) == (arn, "Completed", 2, 2)
    assert second["note"] == "The file s3://b/k is not there."
    head, line, other = craton(server, "jobs").output.splitlines()
    assert head.split()[:4] == ["JOB", "NAME", "STATUS", "PROGRESS"]
    assert f"{arn.rpartition(':')[2]}  reviews  Completed  [####################] 100% of 2 steps" in line
    assert other.endswith("The file s3://b/k is not there.")
    assert len(craton(server, "jobs", "--limit", "1").output.splitlines()) == 2


def test_a_job_is_watched_and_stopped(server: Crashing, tmp_path: Path) -> None:
    """By the last part of its ARN; where nobody sees bars, each change is a line."""
    arn = server.put(COUNT, Spec(folder=str(tmp_path), steps=200, pause_s=0.1))
    ident = arn.rpartition("/")[2]
    while not (tmp_path / "done").exists():
        time.sleep(0.02)
    asked = craton(server, "jobs", "stop", ident)
    assert asked.output == f"Asked {arn} to stop.\n"
    seen = craton(server, "jobs", "watch", ident)
    assert seen.output.splitlines()[-1] == f"{arn}: Stopped"
    again = craton(server, "jobs", "stop", arn)
    assert again.exit_code == 1
    assert "has ended already" in again.output
    assert "there is no job nobody" in craton(server, "jobs", "watch", "nobody").output


def test_keys_are_swept_by_a_worker_that_leaves_again(server: Crashing, tmp_path: Path) -> None:
    """Where there is a key, the calendar has it looked after, an hour apart."""
    server.client("kms").create_key()
    store, until = server.store(), time.monotonic() + 60
    name = "craton:scheduled:key-rotation"
    while (run := store.run(lambda c: runs.find(c, name))) is None or run.state != "waiting" or not run.attempts:
        assert time.monotonic() < until, server.output()
        time.sleep(0.05)
    store.close()
    assert 3590 < (run.due_at - time.time_ns() // 1000) / 1e6 < 3601


def test_workers_may_be_apart_from_the_server(tmp_path: Path) -> None:
    """A server with none leaves its jobs to `craton worker`, which ends in order at SIGTERM."""
    with crashing(tmp_path / "home", "[jobs]\nworkers = 0\n", kinds=KINDS) as server:
        arn = server.put(COUNT, Spec(folder=str(tmp_path), steps=2))
        time.sleep(0.6)
        assert server.workers() == []
        program = (
            "import sys\nfrom craton.config import load\nfrom craton.labor import work\n"
            "sys.exit(work(load(home=sys.argv[1]), url=sys.argv[2], kinds=sys.argv[3]))"
        )
        words = [sys.executable, "-c", program, str(server.home), server.url, KINDS]
        apart = subprocess.Popen(words, cwd=Path(__file__).parents[3])
        try:
            assert server.wait(arn, "Completed").read(Spec).total == 1
        finally:
            apart.send_signal(signal.SIGTERM)
        assert apart.wait(timeout=60) == 0


def test_the_command_does_jobs_until_it_is_told_to_end(server: Crashing) -> None:
    """`craton worker` finds the server of its home by itself; without one it asks where the gateway is."""
    # `Running` leaves no record of a server that the tests' own program serves.
    refused = craton(server, "worker")
    assert refused.exit_code == 2
    assert "--url" in refused.output
    words = [sys.executable, "-m", "craton.cli.main", "worker", "--home", str(server.home), "--url", server.url]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == f"Doing jobs for {server.url}. Ctrl-C ends it.\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
