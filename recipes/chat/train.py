"""Training: `python -m recipes.chat.train --out DIR --minutes M`. Resumes by itself from DIR/checkpoint.pt.

Minutes are those of the processor, so a run on a shared machine learns as much as one that is alone; on another device
(`--device cuda`, with `--makers` processes that write the text) they are the clock's.
This file owns the optimisers, the schedule, checkpoints and the log. It must not know tasks or text.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from recipes.chat import batches, need, tokenizer
from recipes.chat.draw import Draw
from recipes.chat.grow import deepened
from recipes.chat.makers import made, write_need
from recipes.chat.model import Decoder, Shape, shape_record, shipped
from recipes.chat.muon import Muon

WARM_UP_STEPS = 60
RATE_MATRICES, RATE_REST = 0.02, 0.004
MICRO_TOKENS = 2048
AVERAGE = 0.98
SAVE_EVERY_S = 120.0
NEED = "need.json"


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
    need: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    half: bool = False
    loss: Callable[[Tensor, Tensor, Tensor], Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.loss = self.model.loss


def half_helps(device: str) -> bool:
    """Whether products in bfloat16 are faster than in float32: on a GPU, and on a processor that has them (5 times)."""
    return device != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def start(shape: Shape, seed: int, device: str = "cpu") -> Run:
    torch.manual_seed(seed)
    model = Decoder(shape).to(device)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name != "embedding"]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or name == "embedding"]
    rest = torch.optim.AdamW(others, lr=RATE_REST, betas=(0.9, 0.97), weight_decay=0.0, fused=True)
    half = half_helps(device)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    return Run(model, Muon(matrices, half=half), rest, average, half=half)


def rate(run: Run, budget_s: float, chosen: argparse.Namespace) -> float:
    """Up over the first steps, level, then down in a straight line to nothing over the last part of the budget."""
    left = max(0.0, 1.0 - run.cpu_s / budget_s)
    highest, decay = float(chosen.rate), float(chosen.decay)
    return highest * min(1.0, (run.steps + 1) / WARM_UP_STEPS, left / decay)


def step(run: Run, source: Iterator[batches.Batch], micro: int, scale: float) -> float:
    """One update from `micro` batches; returns the weighted mean of the loss."""
    parts = [next(source) for _ in range(micro)]
    total, loss_sum = sum(float(part.weights.sum()) for part in parts), 0.0
    device = run.model.embedding.device
    for part in parts:
        ids, positions, weights = (one.to(device) for one in (part.ids, part.positions, part.weights))
        with torch.autocast(device.type, torch.bfloat16, enabled=run.half):
            loss = run.loss(ids, positions, weights) / total
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
        "shape": shape_record(run.model.shape), "need": run.need, "begun": run.begun,
        "model": run.model.state_dict(), "average": run.average, "muon": run.muon.state(), "rest": run.rest.state_dict(),
        "counts": {key: getattr(run, key) for key in ("steps", "tokens", "learned", "seconds", "cpu_s", "leg")},
    }  # fmt: skip
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def resumed(path: Path, seed: int, device: str = "cpu") -> Run:
    """A run as its checkpoint left it, about to begin its next leg, on whichever device."""
    state = torch.load(path, weights_only=True, map_location=device)
    run = start(Shape(**state.get("shape", {"vocabulary": len(state["average"]["embedding"])})), seed, device)
    run.need, run.begun = state.get("need", {}), state.get("begun", {})
    run.model.load_state_dict(state["model"])
    run.average = state["average"]
    run.muon.load(state["muon"])
    run.rest.load_state_dict(state["rest"])
    for key, value in state["counts"].items():
        setattr(run, key, value)
    run.leg += 1
    return run


def continued(path: Path, layers: int, seed: int, device: str = "cpu") -> Run:
    """A new run that begins with the averaged weights of another one, made deeper where `layers` asks for it.

    What the other run read is counted on, so that the card tells the whole of it; steps begin anew, and so does the warm-up.
    """
    state = shipped(path) if path.is_dir() else torch.load(path, weights_only=True, map_location=device)
    shape, weights = deepened(
        Shape(**state.get("shape", {"vocabulary": len(state["average"]["embedding"])})), state["average"], layers
    )
    run = start(shape, seed, device)
    run.model.load_state_dict(weights)
    run.average = {name: tensor.clone() for name, tensor in weights.items()}
    run.tokens, run.learned, run.begun = state["counts"]["tokens"], state["counts"]["learned"], state["counts"]
    return run


def train(run: Run, vocabulary: Tokenizer, out: Path, options: argparse.Namespace) -> None:
    """Until the budget is spent or SIGTERM comes; either way a checkpoint is left. A resumed run draws from a fresh seed, so that it sees no conversation twice."""
    draw, budget_s = Draw(f"{options.seed}-{run.leg}"), options.minutes * 60
    clock = time.process_time if options.device == "cpu" else time.monotonic
    last_save = began = time.monotonic()
    before, cpu_before = run.seconds, run.cpu_s - clock()
    next_measure = run.cpu_s + (0 if not run.need else options.measure * 60)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    while run.cpu_s < budget_s and not stopped:
        phase = "copy" if run.steps < options.copy_steps else "full"
        with batches_of(run, vocabulary, out, options, draw, phase) as source:
            while run.cpu_s < budget_s and not stopped and (phase == "full" or run.steps < options.copy_steps):
                if phase == "full" and run.cpu_s >= next_measure:
                    measure(run, vocabulary, draw, out)
                    if options.makers:
                        write_need(out / NEED, run.need)
                    next_measure = run.cpu_s + options.measure * 60
                run.losses.append(step(run, source, options.micro, rate(run, budget_s, options)))
                run.seconds = before + time.monotonic() - began
                run.cpu_s = cpu_before + clock()
                if run.steps % 25 == 0:
                    note(run, out, phase)
                if time.monotonic() - last_save > SAVE_EVERY_S:
                    save(run, out / "checkpoint.pt")
                    last_save = time.monotonic()
    save(run, out / "checkpoint.pt")


@contextmanager
def batches_of(
    run: Run, vocabulary: Tokenizer, out: Path, options: argparse.Namespace, draw: Draw, phase: str
) -> Iterator[Iterator[batches.Batch]]:
    """What is learned from in a phase, made here or by processes beside."""
    if not options.makers:
        yield batches.stream(vocabulary, draw, phase, options.tokens, run.need, options.pool)
        return
    seed = f"{options.seed}-{run.leg}"
    write_need(out / NEED, run.need)
    with made(options.makers, out / "tokenizer.json", seed, phase, options.tokens, options.pool, out / NEED) as source:
        yield source


def measure(run: Run, vocabulary: Tokenizer, draw: Draw, out: Path) -> None:
    """Draw what the averaged weights get wrong more often from now on; the log tells the share of errors."""
    model = Decoder(run.model.shape).to(run.model.embedding.device)
    model.load_state_dict(run.average)
    errors = need.errors(model, vocabulary, draw)
    run.need.update(need.weights(errors))
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": run.steps, "errors": errors}) + "\n")


def note(run: Run, out: Path, phase: str) -> None:
    recent = run.losses[-25:]
    line = {"step": run.steps, "phase": phase, "loss": round(sum(recent) / len(recent), 4), "tokens": run.tokens, "learned": run.learned,
            "minutes": round(run.seconds / 60, 2), "cpu_minutes": round(run.cpu_s / 60, 2)}  # fmt: skip
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the sample chat model; resumes where it stopped.")
    parser.add_argument("--out", type=Path, required=True, help="directory of checkpoint, tokenizer and log")
    parser.add_argument(
        "--minutes", type=float, required=True, help="whole training time of the processor, earlier legs included"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, or where torch computes: cuda (in bfloat16)")
    parser.add_argument("--makers", type=int, default=0, help="processes that write the text; 0: this one")
    parser.add_argument("--micro", type=int, default=3, help="batches to a step")
    parser.add_argument("--tokens", type=int, default=MICRO_TOKENS, help="tokens of a batch")
    parser.add_argument("--pool", type=int, default=batches.POOL, help="conversations that are sorted into batches")
    parser.add_argument("--copy-steps", type=int, default=300, help="steps of copying before the whole mix")
    parser.add_argument(
        "--rate", type=float, default=1.0, help="factor of the learning rates; less for a run that continues another"
    )
    parser.add_argument(
        "--begin",
        type=Path,
        help="checkpoint of another run, or a shipped directory, whose weights a new run begins with",
    )
    parser.add_argument("--compile", action="store_true", help="compile the network first (minutes): a third faster")
    parser.add_argument("--layers", type=int, default=0, help="layers of a run that begins with another's weights")
    parser.add_argument("--measure", type=float, default=10.0, help="minutes between two looks at what is still wrong")
    parser.add_argument("--decay", type=float, default=0.35, help="last part of the time in which the rate falls")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    vocabulary_file, checkpoint = chosen.out / "tokenizer.json", chosen.out / "checkpoint.pt"
    if not vocabulary_file.exists():
        begin = chosen.begin
        source = (begin if begin.is_dir() else begin.parent) / "tokenizer.json" if begin else None
        (Tokenizer.from_file(str(source)) if source else tokenizer.learn()).save(str(vocabulary_file))
    vocabulary = Tokenizer.from_file(str(vocabulary_file))
    if checkpoint.exists():
        run = resumed(checkpoint, chosen.seed, chosen.device)
    elif chosen.begin:
        run = continued(chosen.begin, chosen.layers, chosen.seed, chosen.device)
    else:
        run = start(Shape(vocabulary=vocabulary.get_vocab_size()), chosen.seed, chosen.device)
    if chosen.compile:
        run.loss = torch.compile(run.model.loss, dynamic=True)
    train(run, vocabulary, chosen.out, chosen)


if __name__ == "__main__":
    main()
