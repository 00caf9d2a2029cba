"""The example of model import, run as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import Running

pytest.importorskip("torch")
EXAMPLE = Path(__file__).parents[2] / "examples" / "import_model.py"


def test_the_example_imports_a_model_and_talks_to_it(tmp_path: Path) -> None:
    """It ends by itself, having had three answers and left no model; here the weights are served as they are."""
    with Running(tmp_path, '[compute]\nimport_precision = "none"\n') as server:
        environment = {**os.environ, **server.environment()}
        done = subprocess.run([sys.executable, EXAMPLE], env=environment, capture_output=True, timeout=300, check=False)
        left = server.client("bedrock").list_imported_models()["modelSummaries"]
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr.decode()[-2000:])
    lines = done.stdout.decode(errors="replace").splitlines()
    assert next(line.split()[0] for line in lines if line.strip()) == "Completed"
    assert lines[-1] == "Deleted"
    assert left == []
