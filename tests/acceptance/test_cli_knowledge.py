"""`craton quickstart --knowledge-base`: from an empty home to a cited answer, with what is in the box."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.acceptance.answering import Library

LIMIT_S = 240
EXAMPLE = Path(__file__).parents[2] / "examples" / "knowledge_base.py"


def test_the_tour_of_knowledge_bases(tmp_path: Path) -> None:
    """Documents, a sync, a cited answer, a cited stream; what was deleted is gone; nothing is left behind."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("KEEP", None)
    told = subprocess.run(
        [sys.executable, "-m", "craton.cli.main", "quickstart", "--knowledge-base"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=LIMIT_S,
    )
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert [line[0] for line in lines if re.match(r"\d  ", line)] == ["1", "2", "3", "4", "5", "6"]
    assert "COMPLETE: DocumentsScanned 3, NewDocumentsIndexed 3" in told.stdout
    assert re.search(r"→ .*210.* \[1\]\n\s+\[1\] s3://\S+/brightwater.md", told.stdout)
    assert re.search(r"\[cited\] s3://\S+/pump.txt", told.stdout)
    assert "COMPLETE: DocumentsScanned 2, DocumentsDeleted 1" in told.stdout
    assert "pump.txt" not in told.stdout.rpartition("DocumentsDeleted 1")[2]
    assert list(tmp_path.glob("craton-*")) == []


def test_the_example(shelf: Library) -> None:
    """A whole program in the manner of AWS's own examples, pointed here by the environment alone."""
    environment = {**os.environ, **shelf.served.server.environment()}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], check=False, capture_output=True, text=True, env=environment, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["COMPLETE", "Brightwater is based in Lisbon."]
    assert re.fullmatch(r"  0-30: s3://example-library-\d+/brightwater.md", lines[2])
