"""The two examples of workflows around functions, run as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), "[limits]\nbatch_min_records = 3\n") as running:
        yield running


def printed(server: Running, example: str, **more: str) -> list[str]:
    """What an example prints, by lines."""
    environment = {**os.environ, **server.environment(), "RUNTIME": RUNTIME, **more}
    program = EXAMPLES / example / "deploy.py"
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:] + server.output()[-2000:]
    return done.stdout.decode().splitlines()


def test_uploads_are_summarised(server: Running) -> None:
    """An object that is put into the bucket becomes a summary of the model beside it."""
    lines = printed(server, "summarise-uploads")
    assert lines[0].startswith("deployed summarise-uploads-")
    assert lines[1]


def test_a_finished_job_is_told_of(server: Running) -> None:
    """The end of a batch job reaches the function, which finds the job's figures."""
    told = json.loads(printed(server, "job-finished", RECORDS="3")[-1])
    assert told["status"] == "Completed"
    assert told["succeeded"] == 3
