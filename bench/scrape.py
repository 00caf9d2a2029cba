"""`/metrics` with many models: what a page costs a worker and the supervisor, all models busy, a few, or none.

Owns the totals. Nothing is served: what is told is the CPU of the two processes' parts, one after the other.

    python -m bench.scrape [--models 1000] [--pages 30]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from craton.features.metering.record import Record, Row
from craton.features.metering.totals import Totals
from craton.front.prometheus import Standing, text
from craton.front.prometheus_models import Models

ACCOUNT, REGION = "000000000000", "us-east-1"


def told(totals: Totals, models: range) -> None:
    rng = random.Random(7)
    for number in models:
        record = Record(
            invocations=3, client_errors=1, latency_ms={rng.randrange(20, 4000): 3}, first_ms={rng.randrange(200): 2},
            input_tokens={rng.randrange(4000): 3}, output_tokens={rng.randrange(900): 3},
        )  # fmt: skip
        name = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/profile{number:05d}"
        totals.add(Row(0, ACCOUNT, REGION, name, record))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=30)
    given = parser.parse_args()
    totals, models = Totals(), Models()
    told(totals, range(given.models))
    print(
        f"{given.models} models\n\n| models that changed since the last page | supervisor, ms | worker, ms | MB |\n|---|---|---|---|"
    )
    for changed in (given.models, given.models // 20, 0):
        ours, theirs, size = [], [], 0
        for _ in range(given.pages):
            told(totals, range(changed))
            began = time.process_time()
            packed = totals.packed
            between = time.process_time()
            size = len(text(Standing(models=models.families(packed))))
            ended = time.process_time()
            ours.append((between - began) * 1000)
            theirs.append((ended - between) * 1000)
        row = (changed, statistics.median(ours), statistics.median(theirs), size / 1e6)
        print("| {} | {:.1f} | {:.1f} | {:.1f} |".format(*row))


main()
