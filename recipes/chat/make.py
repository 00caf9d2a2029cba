"""The whole recipe in one command: `python -m recipes.chat.make --out DIR --minutes M [--begin CHECKPOINT]`.

Trains (or goes on training), exports, scores both precisions and the engine, and writes the card. Every step leaves a
file in DIR, and a command that is started again resumes its training; with --minutes that are spent already it only
exports and scores. This file owns the order of the steps. It must not know what they do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def steps(out: Path, given: argparse.Namespace) -> list[list[str]]:
    """The commands, each without the interpreter."""
    box, shipped, full, served = out / "box", out / "shipped.json", out / "full.json", out / "served.json"
    train = [
        "train",
        "--out",
        f"{out}",
        "--minutes",
        f"{given.minutes}",
        "--seed",
        f"{given.seed}",
        "--rate",
        f"{given.rate}",
    ]
    train += ["--decay", f"{given.decay}", "--copy-steps", "0" if given.begin else "300"]
    if given.begin:
        train += ["--begin", f"{given.begin}", "--layers", f"{given.layers}"]
    count = ["--count", f"{given.count}"]
    return [
        train,
        ["export", "--run", f"{out}", "--out", f"{box}", "--precision", given.precision, "--id", given.id],
        ["evaluate", "--model", f"{box}", "--misses", "2", "--out", f"{shipped}", *count],
        ["evaluate", "--checkpoint", f"{out}", "--out", f"{full}", *count],
        ["served", "--model", f"{box}", "--out", f"{served}", *count],
        ["card", "--run", f"{out}", "--model", f"{box}", "--shipped", f"{shipped}", "--full", f"{full}", "--served", f"{served}",
         "--precision", given.precision, *count],
    ]  # fmt: skip


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train, export, score and describe the sample chat model.")
    parser.add_argument("--out", type=Path, required=True, help="directory of everything; the model ends in OUT/box")
    parser.add_argument(
        "--minutes", type=float, required=True, help="training time of the processor, earlier legs included"
    )
    parser.add_argument("--id", default="craton.chat-mini-v4:0")
    parser.add_argument("--begin", type=Path, help="checkpoint of another run whose weights a new run begins with")
    parser.add_argument("--layers", type=int, default=8, help="layers of a run that begins with another's weights")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--decay", type=float, default=0.35, help="last part of the time in which the rate falls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--precision", choices=("int4", "int8", "fp32"), default="int8")
    parser.add_argument("--count", type=int, default=40, help="conversations a task and kind of phrasing")
    return parser.parse_args(given)


def main() -> None:
    given = arguments()
    for step in steps(given.out, given):
        print("==", *step, flush=True)
        subprocess.run([sys.executable, "-m", f"recipes.chat.{step[0]}", *step[1:]], check=True)


if __name__ == "__main__":
    main()
