"""The example of batch inference, run as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.running import Running

EXAMPLE = Path(__file__).parents[2] / "examples" / "batch.py"


def test_the_example_answers_a_hundred_prompts(tmp_path: Path) -> None:
    """It ends by itself, having told of each state, the manifest and the first answer of the model in the box."""
    with Running(tmp_path) as server:
        environment = {**os.environ, **server.environment()}
        done = subprocess.run([sys.executable, EXAMPLE], env=environment, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    lines = done.stdout.decode().splitlines()
    assert [line.strip() for line in lines[:-2]][-1] == "Completed"
    assert json.loads(lines[-2])["successRecordCount"] == 100
    assert lines[-1]
