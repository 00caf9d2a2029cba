"""The engine's runtimes beside others on the same weights, in one run: prefill and decoding apart, at 1, 8, 32 requests.

Owns a random Llama that it makes itself (or, with `--box`, a chat model of the box), the list of sides and the table. Each side is a process of its own
(bench/engines) that computes when it is asked; rounds are interleaved and medians reported, because machines are shared.
Tokens per CPU-second stand first for the same reason: with one thread they are what an idle core does in a second.

    python -m bench.engine [--rounds 5] [--threads 1] [--large | --box NAME] [--keep DIR] [--llama PYTHON] [--adapters] [--sides …]

Needs the extra craton[local]; `--llama` names the interpreter of an environment with llama-cpp-python and gguf.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from bench.engines.question import HIGHEST, OUTPUT, PROMPT

REQUESTS = (1, 8, 32)
# Name → module of bench.engines, which directory or file, its own word, and whether it is one of ours.
SIDES: dict[str, tuple[str, str, str, bool]] = {
    "craton, ONNX Runtime int4": ("rows_side", "onnx-int4", "onnx", True),
    "craton, ONNX Runtime int8": ("rows_side", "onnx-int8", "onnx", True),
    "craton, ONNX Runtime w8a8": ("rows_side", "onnx-w8a8", "onnx", True),
    "craton, ONNX Runtime fp32": ("rows_side", "onnx-fp32", "onnx", True),
    "craton, transformers fp32": ("rows_side", "source", "transformers", True),
    "transformers generate fp32": ("generate_side", "source", "float32", False),
    "transformers generate bf16": ("generate_side", "source", "bfloat16", False),
    "transformers continuous batching fp32": ("continuous_side", "source", "float32", False),
    "llama.cpp Q4_0": ("llama_side", "Q4_0.gguf", "-", False),
    "llama.cpp Q8_0": ("llama_side", "Q8_0.gguf", "-", False),
    "llama.cpp F32": ("llama_side", "F32.gguf", "-", False),
}


@dataclass
class Samples:
    """Of one side at one number of requests: tokens per CPU-second and per second, decoding and prefill."""

    decode_cpu: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    prefill_cpu: list[float] = field(default_factory=list)

    def add(self, told: dict[str, float], requests: int) -> None:
        self.decode_cpu.append(told["tokens"] / max(told["decode_cpu_s"], 1e-6))
        self.decode.append(told["tokens"] / max(told["decode_s"], 1e-6))
        self.prefill_cpu.append(requests * PROMPT / max(told["prefill_cpu_s"], 1e-6))


class Side:
    """One process."""

    def __init__(self, python: str, module: str, *words: str) -> None:
        threads = words[-1]
        environment = {
            **os.environ,
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": "0",
        }
        self._child = subprocess.Popen(
            [python, "-m", f"bench.engines.{module}", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        while self._line().strip() != "ready":
            pass

    def ask(self, sequences: int) -> dict[str, float]:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{sequences}\n")
        self._child.stdin.flush()
        while not (line := self._line()).startswith("{"):
            pass
        told: dict[str, float] = json.loads(line)
        return told

    def _line(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended: {self._child.args}")
        return line

    def close(self) -> None:
        self._child.kill()
        self._child.wait()


def make_model(directory: Path, *, large: bool) -> None:
    """A random Llama of 15.5M parameters (152M if it is to be large), with a byte-level tokenizer, as transformers' own."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    draw = random.Random(0)
    syllables = ["ba", "ko", "mi", "re", "tu", "la", "se", "no", "vi", "da", "pha", "str", "ing", "ell", "or", "an"]
    words = ["".join(draw.choice(syllables) for _ in range(draw.randint(1, 4))) for _ in range(60_000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=HIGHEST, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(words)], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>").save_pretrained(directory)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=HIGHEST,
        hidden_size=1024 if large else 384,
        intermediate_size=2816 if large else 1024,
        num_hidden_layers=12 if large else 7,
        num_attention_heads=16 if large else 6,
        num_key_value_heads=16 if large else 6,
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(shape).save_pretrained(directory)


def take_model(name: str, directory: Path) -> None:
    """A chat model of the box, its weights in single precision, which all sides can read."""
    from transformers import AutoModelForCausalLM

    box = Path(str(resources.files("craton.engine"))) / "box" / name
    shutil.copytree(box, directory, ignore=shutil.ignore_patterns("*.onnx*", "genai_config.json", "craton.json"))
    AutoModelForCausalLM.from_pretrained(box, dtype="float32").save_pretrained(directory)


def prepare(home: Path, options: argparse.Namespace, sides: list[str]) -> None:
    """Whatever form of the weights is not there yet."""
    llama: str | None = options.llama
    if not (home / "source").is_dir():
        if options.box:
            take_model(options.box, home / "source")
        else:
            make_model(home / "source", large=options.large)
    for name in {SIDES[side][1] for side in sides}:
        kind = name.partition("-")[2]
        if name.startswith("onnx") and not (home / name).is_dir():
            command = [sys.executable, "-m", "craton.engine.convert", str(home / "source"), str(home / name)]
            subprocess.run([*command, "--precision", kind], check=True, stdout=subprocess.DEVNULL)
        if name.endswith(".gguf") and llama and not (home / name).is_file():
            words = [str(home / "source"), str(home / name), name.removesuffix(".gguf")]
            subprocess.run([llama, "-m", "bench.engines.gguf_file", *words], check=True)


def rows(found: dict[tuple[str, int], Samples]) -> Iterator[str]:
    """The table."""
    for name in dict.fromkeys(side for side, _ in found):
        each = [found[name, requests] for requests in REQUESTS]
        cells = [f"{statistics.median(one.decode_cpu):.0f}" for one in each]
        cells += [f"{statistics.median(one.decode):.0f}" for one in each]
        cells += [f"{statistics.median(one.prefill_cpu):.0f}" for one in each]
        yield f"| {name} | {' | '.join(cells)} |"


def report(found: dict[tuple[str, int], Samples], options: Any) -> None:
    size = options.box or ("152M parameters" if options.large else "15.5M parameters")
    print(
        f"{size}, prompt {PROMPT}, output {OUTPUT}, {options.threads} thread(s) of {os.cpu_count()} cores, "
        f"medians of {options.rounds} rounds; each at 1, 8, 32 requests together\n"
    )
    print("| side | decode, tokens/CPU-s | | | decode, tokens/s | | | prefill, tokens/CPU-s | | |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows(found)))
    for requests in REQUESTS:
        best = {
            ours: max(
                (statistics.median(one.decode_cpu), name)
                for (name, count), one in found.items()
                if count == requests and SIDES[name][3] == ours
            )
            for ours in (True, False)
            if any(SIDES[name][3] == ours for name, _ in found)
        }
        if len(best) == 2:
            (own, mine), (other, theirs) = best[True], best[False]
            print(f"\n{requests} request(s): {mine} decodes {own / other:.2f} times as fast as {theirs}")


def adapters(home: Path, threads: str) -> None:
    """A hundred adapters on one base: decoding with none, with one for all rows, with another for each."""
    print("\n| adapters | rows | none, tokens/CPU-s | one for all | each its own | read | put on |")
    print("|---|---|---|---|---|---|---|")
    for whose, label in (("OURS", "craton, by row"), ("PEFT", "peft, adapter_names")):
        side = Side(sys.executable, "adapters_side", str(home / "source"), whose, threads)
        for count in (8, 32):
            told = side.ask(count)
            times = [f"{told[name]:.0f} ms" if name in told else "–" for name in ("read_ms", "wear_ms")]
            shares = [f"{told[way]:.0f} ({told[way] / told['bare']:.0%})" for way in ("one", "each")]
            print(f"| {label} | {count} | {told['bare']:.0f} | {' | '.join([*shares, *times])} |")
        side.close()


def measure(home: Path, options: argparse.Namespace, names: list[str]) -> dict[tuple[str, int], Samples]:
    """All sides, round after round; the first round warms and is not counted."""
    found: dict[tuple[str, int], Samples] = {}
    sides: dict[str, Side] = {}
    try:
        for name in names:
            module, place, word, _ = SIDES[name]
            python = options.llama if module == "llama_side" else sys.executable
            sides[name] = Side(python, module, str(home / place), word, options.threads)
        for number in range(options.rounds + 1):
            for requests in REQUESTS:
                for name, side in sides.items():
                    told = side.ask(requests)
                    if number:
                        found.setdefault((name, requests), Samples()).add(told, requests)
    finally:
        for side in sides.values():
            side.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--large", action="store_true", help="152M parameters in place of 15.5M")
    parser.add_argument("--box", metavar="NAME", help="a chat model of the box, such as chat-mini-v2")
    parser.add_argument("--keep", type=Path, help="directory for the models, reused when it is there")
    parser.add_argument("--llama", help="interpreter of an environment with llama-cpp-python")
    parser.add_argument("--adapters", action="store_true", help="measure LoRA adapters as well")
    parser.add_argument("--sides", help="parts of the names of the sides to run, with commas between")
    options = parser.parse_args()
    parts = options.sides.split(",") if options.sides else [""]
    names = [name for name in SIDES if any(part in name for part in parts)]
    names = [name for name in names if options.llama or not name.startswith("llama")]
    with tempfile.TemporaryDirectory() as scratch:
        home = options.keep or Path(scratch)
        home.mkdir(exist_ok=True)
        prepare(home, options, names)
        os.environ["BENCH_VOCABULARY"] = str(json.loads((home / "source" / "config.json").read_bytes())["vocab_size"])
        report(measure(home, options, names), options)
        if options.adapters:
            adapters(home, options.threads)


if __name__ == "__main__":
    main()
