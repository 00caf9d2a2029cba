"""s3fs, unmodified, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.running import Running

PYTHON = Path(__file__).parents[2] / ".tools" / "storage" / "bin" / "python"
SCRIPT = Path(__file__).parent / "clients" / "s3fs_judge.py"


def test_files_under_s3(server: Running) -> None:
    """Files are written in parts, sought, appended to, copied, moved, found and removed."""
    environment = {"PATH": os.environ["PATH"], **server.environment()}
    words = [str(PYTHON), str(SCRIPT), server.url, "data-files"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    texts = ["data-files/a/one.txt", "data-files/b/moved.txt"]
    assert told["found"] == ["data-files/a/large", *texts]
    assert told["glob"] == texts
    assert told["size"] == 3 * 2**22
    assert told["middle"] == "xy"
    assert told["lines"] == ["first", "second", "third"]
    assert told["exists"] == [True, False]
    assert told["walk"] == [["data-files/b", [], ["moved.txt"]]]
    assert told["missing"] == "FileNotFoundError"
    assert told["left"] is False
