"""`craton worker --ray`: workers of jobs on the nodes of a Ray cluster, seen by what becomes of a server's jobs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.knowledge import Knowledge, client, knowledge, vector
from tests.fakes import embedders
from tests.fakes.upstream import FakeUpstream
from tests.integration.compute.employed import employed, start, workers_of
from tests.integration.compute.ray_cluster import ray_cluster
from tests.running import Running, model_config

MODEL = "cohere.embed-english-v3"
ARN = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes of two CPUs, of this module's own: others' replicas take CPUs as well."""
    with ray_cluster(2) as made:
        yield made


@pytest.fixture(scope="module")
def known(nodes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    """A knowledge base on a server that does no jobs itself, with ten documents in its bucket."""
    with FakeUpstream(fallback=embedders.natural) as up:
        lines = f'[jobs]\nworkers = 0\n[compute]\naddress = "{nodes.address}"\n'
        lines += model_config(MODEL, "openai", up.openai_url, model="text-embedding-3-small")
        with Running(tmp_path_factory.mktemp("apart") / "home", lines) as server:
            made = knowledge(server, "apart", config=vector(ARN))
            for at in range(10):
                client(server, "s3").put_object(Bucket=made.bucket, Key=f"{at}.txt", Body=f"Page {at}.".encode())
            yield made


def grown(server: Running, count: int) -> list[psutil.Process]:
    """The workers, once there are so many; a busy machine takes its time."""
    until = time.monotonic() + PATIENCE_S
    while len(found := workers_of(server)) < count:
        assert time.monotonic() < until
        time.sleep(0.2)
    return found


def test_workers_stand_on_the_nodes_and_do_the_jobs(known: Knowledge) -> None:
    """Two workers on two nodes; a sync that waited is done by them, and at the end none of them is left."""
    waiting = known.start()
    with employed(known.server, 2) as said:
        told = [line for line in said if line.startswith("A worker on ")]
        assert len(set(told)) == len(told) >= 1
        assert len(grown(known.server, 2)) == 2
        job = known.finished(waiting, PATIENCE_S)
    assert job["statistics"]["numberOfNewDocumentsIndexed"] == 10


def test_a_worker_that_dies_is_replaced(known: Knowledge) -> None:
    """Killed, it comes back as another process, which does the next job."""
    with employed(known.server, 1):
        (first,) = grown(known.server, 1)
        first.kill()
        until = time.monotonic() + PATIENCE_S
        while first.pid in (now := [each.pid for each in workers_of(known.server)]) or not now:
            assert time.monotonic() < until
            time.sleep(0.2)
        job = known.finished(known.start(), PATIENCE_S)
    assert job["status"] == "COMPLETE"


def test_the_command_is_killed(known: Knowledge) -> None:
    """Its workers end with it, though nobody told them."""
    process, _ = start(known.server, 2)
    grown(known.server, 2)
    process.kill()
    process.wait()
    until = time.monotonic() + PATIENCE_S
    while workers_of(known.server):
        assert time.monotonic() < until
        time.sleep(0.2)


def test_more_workers_than_there_is_room_for(known: Knowledge) -> None:
    """A worker takes one CPU of its node; what has no room is told, and the others work."""
    with employed(known.server, 5) as said:
        placed = sum(line.startswith("A worker on ") for line in said)
        assert 1 <= placed <= 4
        assert any(f"no room yet for {5 - placed} more" in line for line in said)
        assert len(grown(known.server, 4)) == 4


def test_no_cluster(known: Knowledge, tmp_path: Path) -> None:
    """Where nobody listens, the command says so and ends."""
    config = tmp_path / "none.toml"
    config.write_text('[compute]\naddress = "127.0.0.1:1"\n')
    words = ["worker", "--ray", "1", "--home", f"{tmp_path}", "--config", f"{config}", "--url", known.server.url]
    done = subprocess.run(
        [sys.executable, "-m", "craton.cli.main", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the Ray cluster cannot be joined" in done.stderr
