"""Jobs outlive whatever is killed: each step's result is kept once, and the end is that of an undisturbed run."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.jobs.crashing import Victim, crashing, disturb, steps_of
from tests.integration.jobs.toys import COUNT, Spec

KINDS = "tests.integration.jobs.toys:WORKFLOWS"


def done(folder: Path) -> Counter[str]:
    """How often each effect happened."""
    return Counter((folder / "done").read_text().split())


def test_a_job_runs_to_its_end(tmp_path: Path) -> None:
    """The worker comes when there is something to do; every step happens once, and nothing of the journal stays."""
    with crashing(tmp_path, kinds=KINDS) as server:
        assert server.workers() == []
        arn = server.put(COUNT, Spec(folder=str(tmp_path), steps=4))
        row = server.wait(arn, "Completed", "Failed")
        assert (row.status, row.read(Spec).total) == ("Completed", 6)
        assert done(tmp_path) == {"0": 1, "1": 1, "2": 1, "3": 1}
        until = time.monotonic() + 60
        while steps_of(server, arn):  # the journal goes with the run, a moment after the job's last write
            assert time.monotonic() < until
            time.sleep(0.02)


def test_an_orderly_end_loses_nothing(tmp_path: Path) -> None:
    """The step that is under way is finished and kept, and counts for no death."""
    with crashing(tmp_path, kinds=KINDS) as server:
        arn = server.put(COUNT, Spec(folder=str(tmp_path), steps=6, pause_s=0.3))
        while len(steps_of(server, arn)) < 2:
            time.sleep(0.02)
        assert server.stop() == 0
        assert server.row(arn).status == "Submitted"
        server.restart()
        assert server.wait(arn, "Completed", "Failed").read(Spec).total == 15
        assert done(tmp_path) == {str(number): 1 for number in range(6)}


@pytest.mark.parametrize("victim", ["worker", "server"])
def test_a_killed_worker_s_job_goes_on_where_it_was(tmp_path: Path, victim: Victim) -> None:
    """Kept steps are not run again; the one that was cut short is."""
    with crashing(tmp_path, kinds=KINDS) as server:
        arn = server.put(COUNT, Spec(folder=str(tmp_path), steps=6, pause_s=0.15))
        while len(steps_of(server, arn)) < 3:
            time.sleep(0.02)
        kept = steps_of(server, arn)
        assert server.kill(victim)
        row = server.wait(arn, "Completed", "Failed")
        assert (row.status, row.read(Spec).total) == ("Completed", 15)
        counted = done(tmp_path)
        assert all(counted[step.removeprefix("step ")] == 1 for step in kept)
        assert sum(counted.values()) <= 7


def test_many_deaths_change_nothing(tmp_path: Path) -> None:
    """Worker and server are killed at random moments; each job ends as it would have, each kept step paid for once."""
    times = int(os.environ.get("CRATON_TEST_KILLS", "5"))
    steps = 4 * times
    with crashing(tmp_path, kinds=KINDS) as server:
        arns = [server.put(COUNT, Spec(folder=str(tmp_path), steps=steps, pause_s=0.1)) for _ in range(3)]
        ended = lambda: all(server.row(arn).status in {"Completed", "Failed"} for arn in arns)  # noqa: E731
        progressed = lambda: [steps_of(server, arn) for arn in arns]  # noqa: E731
        deaths = disturb(server, ended, times=times, seed=7, between_s=(0.1, 0.9), progressed=progressed)
        assert deaths >= times // 2
        rows = [server.wait(arn, "Completed", "Failed", within_s=60) for arn in arns]
        assert [(row.status, row.read(Spec).total) for row in rows] == [("Completed", sum(range(steps)))] * 3
        # Whatever ran more often than it had to was under way when its worker died.
        assert sum(done(tmp_path).values()) <= 3 * (steps + deaths)
