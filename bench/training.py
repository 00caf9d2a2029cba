"""Training beside TRL: `python -m bench.training --peer PYTHON`, where PYTHON has `trl` (and sees torch 2.13).

The same base (the sample model), the same records, the same LoRA, batch, rate and epochs, each in a process of its own on
one thread, in turn. Printed: tokens of records per CPU-second of the steps alone (no imports, no tokenizing; padding is
no token), the loss at the end, and the ratio. TRL's padding-free collator needs flash attention, which a CPU has not,
so it pads each batch to its longest record, as it does for everybody else on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from craton.models.catalog.local import BOX

BASE = BOX / "chat-mini-v1"
SETTINGS = {"epochs": 2, "batch": 16, "rate": 2e-3, "warmup": 0, "rank": 16, "alpha": 32, "max_tokens": 1024}
WORDS = (
    "the",
    "river",
    "walks",
    "slowly",
    "past",
    "old",
    "green",
    "houses",
    "where",
    "nobody",
    "has",
    "lived",
    "since",
)


def records(kind: str, count: int) -> list[dict[str, str]]:
    """`short`: a fact each, of like lengths. `mixed`: answers between a line and a page, few of them long."""
    draw, found = random.Random(7), []
    for number in range(count):
        length = 12 if kind == "short" else min(220, int(draw.lognormvariate(3.2, 0.9)) + 5)
        answer = " ".join(draw.choice(WORDS) for _ in range(length))
        found.append({"prompt": f"Tell me part {number} of the story.", "completion": answer})
    return found


def ours(plan: dict[str, Any], work: Path) -> dict[str, Any]:
    """One run of the training process."""
    from craton.features.tuning.progress import Done, Read, heard

    file = work / "plan.json"
    file.write_text(json.dumps({**plan, "work": str(work / "work"), "out": str(work / "out"), "checkpoint_s": 1e9}))
    command = [sys.executable, "-P", "-m", "craton.features.tuning.child", str(file)]
    output = subprocess.run(command, capture_output=True, check=True, env=environment()).stdout
    events = [event for line in output.splitlines() if (event := heard(line)) is not None]
    read = next(event for event in events if isinstance(event, Read))
    done = next(event for event in events if isinstance(event, Done))
    return {"tokens": read.tokens * SETTINGS["epochs"], "cpu_s": done.cpu_seconds, "loss": done.loss}


def peers(python: str, plan: dict[str, Any], work: Path) -> dict[str, Any]:
    """The same by TRL."""
    given = json.dumps({"base": str(BASE), "train": plan["train"], "work": str(work), **SETTINGS})
    side = Path(__file__).with_name("training_peer.py")
    output = subprocess.run(
        [python, str(side)], input=given, capture_output=True, text=True, check=True, env=environment()
    )
    found: dict[str, Any] = json.loads(output.stdout.splitlines()[-1])
    return found


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python that has trl")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--records", type=int, default=240)
    options = parser.parse_args()
    print("| records | side | tokens per CPU-second | last loss |\n|---|---|---|---|")
    for kind in ("short", "mixed"):
        speeds: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                work = Path(folder)
                train = work / "train.jsonl"
                train.write_text("".join(json.dumps(each) + "\n" for each in records(kind, options.records)))
                plan = {"method": "sft", "base": str(BASE), "train": str(train), "settings": SETTINGS}
                sides = {"Craton": ours(plan, work)}
                if options.peer:
                    sides["TRL SFTTrainer"] = peers(options.peer, plan, work)
            for name, found in sides.items():
                speeds.setdefault(name, []).append(found["tokens"] / found["cpu_s"])
                print(f"| {kind} | {name} | {speeds[name][-1]:.0f} | {found['loss']:.3f} |", flush=True)
        medians = {name: statistics.median(each) for name, each in speeds.items()}
        if len(medians) > 1:
            print(f"| {kind} | ratio | {medians['Craton'] / medians['TRL SFTTrainer']:.2f} | |", flush=True)


if __name__ == "__main__":
    main()
