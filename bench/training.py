"""Training beside TRL: `python -m bench.training --peer PYTHON`, where PYTHON has `trl` (and sees torch 2.13).

The same base (the sample model), the same records, the same LoRA, and the same schedule: as many steps of as many
records, AdamW with the same betas, the rate falling in a line to a tenth. Each in a process of its own on one thread,
in turn, a round for each seed. Printed: tokens of records per CPU-second of the steps alone (no imports, no tokenizing;
padding is no token), and the loss of what came out. That loss is no side's own word: both adapters are loaded by one
program, which asks both about the same tokens, those of the records and those of as many others of the kind. TRL's
padding-free collator needs flash attention, which a CPU has not, so it pads each batch to its longest record, as it does
for everybody else on a CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

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


def records(kind: str, count: int, draw: random.Random) -> list[dict[str, str]]:
    """`short`: a fact each, of like lengths. `mixed`: answers between a line and a page, few of them long."""
    found = []
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
    adapter = str(work / "out" / "adapter")
    return {
        "tokens": read.tokens * SETTINGS["epochs"],
        "cpu_s": done.cpu_seconds,
        "steps": done.step,
        "adapter": adapter,
    }


def peers(python: str, plan: dict[str, Any], work: Path) -> dict[str, Any]:
    """The same by TRL."""
    given = json.dumps({"base": str(BASE), "train": plan["train"], "work": str(work / "peer"), **plan["settings"]})
    side = Path(__file__).with_name("training_peer.py")
    output = subprocess.run(
        [python, str(side)], input=given, capture_output=True, text=True, check=True, env=environment()
    )
    found: dict[str, Any] = json.loads(output.stdout.splitlines()[-1])
    return found


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def loss_of(adapter: str, file: Path, work: Path) -> float:
    """The mean surprise per token of the file's answers, of the base with this adapter."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    from craton.features.tuning.files import shelf_of
    from craton.features.tuning.objective import Answers
    from craton.features.tuning.plan import FORMS, Plan, Settings
    from craton.features.tuning.weights import Learner

    settings = msgspec.convert(SETTINGS, Settings)
    plan = Plan(method="sft", base=str(BASE), train=str(file), work=str(work / "asked"), out="", settings=settings)
    learner = Learner(BASE, settings, 1)
    set_peft_model_state_dict(learner.adapter, load_file(Path(adapter) / "adapter_model.safetensors"))
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        shelf = shelf_of(plan, file.stem, file.stem, file, FORMS["sft"])
    return Answers(learner, shelf).mean(16)


def round_of(kind: str, seed: int, count: int, peer: str | None) -> dict[str, dict[str, Any]]:
    """Both sides once, with this seed for the order of the records and the adapter's beginning."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        draw = random.Random(7)
        files = {"records": work / "records.jsonl", "others": work / "others.jsonl"}
        for file in files.values():
            file.write_text("".join(json.dumps(each) + "\n" for each in records(kind, count, draw)))
        settings = {**SETTINGS, "seed": seed}
        plan = {"method": "sft", "base": str(BASE), "train": str(files["records"]), "settings": settings}
        sides = {"Craton": ours(plan, work)}
        if peer:
            sides["TRL SFTTrainer"] = peers(peer, plan, work)
        for side in sides.values():
            side |= {name: loss_of(side["adapter"], file, work) for name, file in files.items()}
            side["speed"] = side["tokens"] / side["cpu_s"]
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python that has trl")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=240)
    options = parser.parse_args()
    print("| records | seed | side | steps | tokens per CPU-second | loss after, the records | others |")
    print("|---|---|---|---|---|---|---|")
    for kind in ("short", "mixed"):
        rounds = []
        for seed in range(options.rounds):
            rounds.append(round_of(kind, seed, options.records, options.peer))
            for name, found in rounds[-1].items():
                losses = f"{found['records']:.3f} | {found['others']:.3f}"
                print(f"| {kind} | {seed} | {name} | {found['steps']} | {found['speed']:.0f} | {losses} |", flush=True)
        for name in rounds[0]:
            shown = [spread([each[name][what] for each in rounds]) for what in ("records", "others")]
            speed = statistics.median(each[name]["speed"] for each in rounds)
            print(f"| {kind} | all | {name} | | {speed:.0f} | {shown[0]} | {shown[1]} |", flush=True)
        if options.peer:
            ratio = statistics.median(each["Craton"]["speed"] / each["TRL SFTTrainer"]["speed"] for each in rounds)
            print(f"| {kind} | all | ratio | | {ratio:.2f} | | |", flush=True)


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
