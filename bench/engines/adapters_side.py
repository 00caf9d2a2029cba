"""Adapters: `python -m bench.engines.adapters_side DIR OURS|PEFT THREADS`.

Asked for 0 sequences it tells how long an adapter takes to be read and put on; else it decodes so many rows, in turn
with the bare model, with one adapter for all, and with another one of a hundred for each, and prints all three.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import peft
import torch
from transformers import AutoModelForCausalLM

from bench.engines.question import OUTPUT, prompts
from craton.engine.backend import ModelSpec
from craton.engine.opening import open_rows
from craton.engine.torch_rows import TorchRows

ADAPTERS, RANK = 100, 8
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make(directory: str, folder: Path) -> Path:
    """One adapter on all linear layers with random weights."""
    model = peft.get_peft_model(
        AutoModelForCausalLM.from_pretrained(directory), peft.LoraConfig(r=RANK, target_modules=LAYERS)
    )
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.02)
    model.save_pretrained(folder)
    return folder


def ours(directory: str, folder: Path, threads: int, rows_wanted: int) -> dict[str, float]:
    rows = open_rows(ModelSpec(Path(directory), threads, 32, context_tokens=256, backend="transformers", device="cpu"))
    assert isinstance(rows, TorchRows)
    began = time.perf_counter()
    adapters = [rows.read_adapter(str(number), folder) for number in range(ADAPTERS)]
    told = {"read_ms": (time.perf_counter() - began) / ADAPTERS * 1000}
    rows.wear(0, adapters[0])
    began = time.perf_counter()
    for number in range(20):
        rows.wear(0, adapters[number])
    told["wear_ms"] = (time.perf_counter() - began) / 20 * 1000
    ways = {
        "bare": [None] * rows_wanted,
        "one": [adapters[0]] * rows_wanted,
        "each": [adapters[at * 3] for at in range(rows_wanted)],
    }
    samples: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(5):
        for way, worn in ways.items():
            for row, adapter in enumerate(worn):
                rows.wear(row, adapter)
            tokens = np.array(
                [int(rows.prefill(row, each, 0).argmax()) for row, each in enumerate(prompts(rows_wanted))]
            )
            lengths = np.full(rows_wanted, 64)
            began = time.process_time()
            for _ in range(OUTPUT - 1):
                tokens = rows.decode(tokens, lengths).argmax(axis=1)
                lengths = lengths + 1
            samples[way].append(rows_wanted * (OUTPUT - 1) / (time.process_time() - began))
    return {**told, **{way: float(np.median(found)) for way, found in samples.items()}}


def peftly(directory: str, folder: Path, threads: int, rows_wanted: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    base = AutoModelForCausalLM.from_pretrained(directory).eval()
    model = peft.PeftModel.from_pretrained(base, folder, adapter_name="0")
    for number in range(1, rows_wanted):
        model.load_adapter(folder, adapter_name=str(number))
    model.eval()
    ways = {
        "bare": ["__base__"] * rows_wanted,
        "one": ["0"] * rows_wanted,
        "each": [str(at) for at in range(rows_wanted)],
    }
    samples: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(2):
        for way, names in ways.items():
            with torch.inference_mode():
                answer = model(torch.tensor(prompts(rows_wanted)), use_cache=True, adapter_names=names)
                tokens, past = answer.logits[:, -1:].argmax(-1), answer.past_key_values
                began = time.process_time()
                for _ in range(OUTPUT - 1):
                    answer = model(tokens, past_key_values=past, use_cache=True, adapter_names=names)
                    tokens, past = answer.logits[:, -1:].argmax(-1), answer.past_key_values
            samples[way].append(rows_wanted * (OUTPUT - 1) / (time.process_time() - began))
    return {way: float(np.median(found)) for way, found in samples.items()}


def main(directory: str, whose: str, threads: str) -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = make(directory, Path(scratch) / "adapter")
        print("ready", flush=True)
        for line in sys.stdin:
            way = ours if whose == "OURS" else peftly
            print(json.dumps(way(directory, folder, int(threads), int(line))), flush=True)


main(*sys.argv[1:])
