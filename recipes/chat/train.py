"""Training: `python -m recipes.chat.train --out DIR --minutes M`. Resumes by itself from DIR/checkpoint.pt.

This file owns the optimisers, the schedule, checkpoints and the log. It must not know tasks or text.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from recipes.chat import batches, tokenizer
from recipes.chat.draw import Draw
from recipes.chat.model import Decoder, Shape
from recipes.chat.muon import Muon

WARM_UP_STEPS = 60
RATE_MATRICES, RATE_REST = 0.02, 0.004
MICRO_TOKENS = 2048
AVERAGE = 0.98
SAVE_EVERY_S = 120.0


@dataclass(slots=True)
class Run:
    """All that a checkpoint holds besides the options."""

    model: Decoder
    muon: Muon
    rest: torch.optim.AdamW
    average: dict[str, Tensor]
    steps: int = 0
    tokens: int = 0
    learned: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    leg: int = 0
    losses: list[float] = field(default_factory=list)


def start(shape: Shape, seed: int) -> Run:
    torch.manual_seed(seed)
    model = Decoder(shape)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name != "embedding"]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or name == "embedding"]
    rest = torch.optim.AdamW(others, lr=RATE_REST, betas=(0.9, 0.97), weight_decay=0.0, fused=True)
    return Run(model, Muon(matrices), rest, {name: p.detach().clone() for name, p in model.named_parameters()})


def rate(run: Run, budget_s: float, decay_part: float) -> float:
    """Up over the first steps, level, then down in a straight line to nothing over the last part of the budget."""
    left = max(0.0, 1.0 - run.seconds / budget_s)
    return min(1.0, (run.steps + 1) / WARM_UP_STEPS, left / decay_part)


def step(run: Run, source: Iterator[batches.Batch], micro: int, scale: float) -> float:
    """One update from `micro` batches; returns the weighted mean of the loss."""
    parts = [next(source) for _ in range(micro)]
    total, loss_sum = sum(float(part.weights.sum()) for part in parts), 0.0
    for part in parts:
        loss = run.model.loss(part.ids, part.positions, part.weights) / total
        loss.backward()
        loss_sum += float(loss.detach())
        run.tokens += part.ids.numel()
        run.learned += int((part.weights > 0).sum())
    torch.nn.utils.clip_grad_norm_(run.rest.param_groups[0]["params"], 1.0)
    run.muon.step(RATE_MATRICES * scale)
    for group in run.rest.param_groups:
        group["lr"] = RATE_REST * scale
    run.rest.step()
    run.model.zero_grad(set_to_none=True)
    run.steps += 1
    follow(run)
    return loss_sum


@torch.no_grad()
def follow(run: Run) -> None:
    """The running average of the weights: what is exported, since it is steadier than the last step."""
    keep = min(AVERAGE, (1 + run.steps) / (10 + run.steps))
    for name, parameter in run.model.named_parameters():
        run.average[name].lerp_(parameter, 1 - keep)


def save(run: Run, path: Path) -> None:
    """Write beside, then rename: a kill in mid-write leaves the last checkpoint whole."""
    state = {
        "model": run.model.state_dict(), "average": run.average, "muon": run.muon.state(), "rest": run.rest.state_dict(),
        "counts": {key: getattr(run, key) for key in ("steps", "tokens", "learned", "seconds", "cpu_s", "leg")},
    }  # fmt: skip
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def load(run: Run, path: Path) -> None:
    state = torch.load(path, weights_only=True)
    run.model.load_state_dict(state["model"])
    run.average = state["average"]
    run.muon.load(state["muon"])
    run.rest.load_state_dict(state["rest"])
    for key, value in state["counts"].items():
        setattr(run, key, value)


def train(run: Run, vocabulary: Tokenizer, out: Path, options: argparse.Namespace) -> None:
    """Until the budget is spent or SIGTERM comes; either way a checkpoint is left. A resumed run draws from a fresh seed, so that it sees no conversation twice."""
    draw, budget_s = Draw(f"{options.seed}-{run.leg}"), options.minutes * 60
    source: Iterator[batches.Batch] = iter(())
    phase = ""
    last_save = began = time.monotonic()
    before, cpu_before = run.seconds, run.cpu_s - time.process_time()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    while run.seconds < budget_s and not stopped:
        wanted = "copy" if run.steps < options.copy_steps else "full"
        if wanted != phase:
            phase, source = wanted, batches.stream(vocabulary, draw, wanted, MICRO_TOKENS)
        run.losses.append(step(run, source, options.micro, rate(run, budget_s, options.decay)))
        run.seconds = before + time.monotonic() - began
        run.cpu_s = cpu_before + time.process_time()
        if run.steps % 25 == 0:
            note(run, out, phase)
        if time.monotonic() - last_save > SAVE_EVERY_S:
            save(run, out / "checkpoint.pt")
            last_save = time.monotonic()
    save(run, out / "checkpoint.pt")


def note(run: Run, out: Path, phase: str) -> None:
    recent = run.losses[-25:]
    line = {"step": run.steps, "phase": phase, "loss": round(sum(recent) / len(recent), 4), "tokens": run.tokens, "learned": run.learned,
            "minutes": round(run.seconds / 60, 2), "cpu_minutes": round(run.cpu_s / 60, 2)}  # fmt: skip
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the sample chat model; resumes where it stopped.")
    parser.add_argument("--out", type=Path, required=True, help="directory of checkpoint, tokenizer and log")
    parser.add_argument("--minutes", type=float, required=True, help="whole training time, earlier legs included")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--micro", type=int, default=3, help=f"batches of {MICRO_TOKENS} tokens to a step")
    parser.add_argument("--copy-steps", type=int, default=300, help="steps of copying before the whole mix")
    parser.add_argument("--decay", type=float, default=0.35, help="last part of the time in which the rate falls")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    vocabulary_file, checkpoint = chosen.out / "tokenizer.json", chosen.out / "checkpoint.pt"
    if not vocabulary_file.exists():
        tokenizer.learn().save(str(vocabulary_file))
    vocabulary = Tokenizer.from_file(str(vocabulary_file))
    run = start(Shape(vocabulary=vocabulary.get_vocab_size()), chosen.seed)
    if checkpoint.exists():
        load(run, checkpoint)
        run.leg += 1
    train(run, vocabulary, chosen.out, chosen)


if __name__ == "__main__":
    main()
