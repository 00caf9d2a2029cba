"""What processes write to their standard error, cut into records."""

from __future__ import annotations

import subprocess
import sys

from craton.features.metering.tracing.overheard import together

TRACE = ["Traceback (most recent call last):", '  File "a.py", line 1', "    work()", "ValueError: no"]
PROGRAM = """
import os, subprocess, sys, threading
from craton.features.metering.tracing.overheard import Overheard

found, over = [], Overheard()
print("craton: before", file=sys.stderr, flush=True)
if "listen" in sys.argv:
    over.listen(lambda lines: found.extend(line.text for line in lines))
    subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('child, no end')"])
    over.restore()
    assert found == ["craton: before", "child, no end"], found
print("craton: after", file=sys.stderr, flush=True)
"""


def test_lines_that_belong_together() -> None:
    """A traceback is one record with the error that ends it; each other line is its own."""
    text = ["craton: one", *TRACE, "craton: two", "  more of it", "", "three"]
    assert together(text) == ["craton: one", "\n".join(TRACE), "craton: two\n  more of it", "three"]


def test_nothing_is_swallowed() -> None:
    """Children are heard too, all goes where it went before, also of a server that ends before anybody listens."""
    for words in (["listen"], []):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        between = "child, no end" if words else ""
        assert done.stderr == f"craton: before\n{between}craton: after\n"
