"""`python -m tests.integration.jobs.served KINDS --port N --home DIR [--config FILE]`: `craton serve` with other jobs."""

from __future__ import annotations

import argparse
import sys

from craton.app import serve
from craton.config import load

parser = argparse.ArgumentParser()
parser.add_argument("kinds")
parser.add_argument("--home")
parser.add_argument("--config")
parser.add_argument("--port", type=int)

if __name__ == "__main__":
    given = parser.parse_args()
    settings = load(home=given.home, config=given.config, port=given.port)
    sys.exit(serve(settings, lambda bound: print(bound.url, flush=True), given.kinds))
