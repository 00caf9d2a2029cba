"""The engine beside transformers' `generate`: same weights, same run, tokens per second and first-token times.

Owns a random 15M-parameter Llama that it makes itself, the engine as its users run it (a process, HTTP, streaming),
and transformers in bfloat16 in a process of its own. Rounds are interleaved and medians reported, because machines are
shared; tokens per CPU-second of the serving process stand beside, because wall time is not to be trusted there.

    python -m bench.engine [--rounds 5] [--threads 1,2] [--keep DIR]

Needs the extra craton[local]. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VOCABULARY, PROMPT, OUTPUT, MANY = 8192, 64, 48, 16
# The 16 requests arrive at random moments of this window.
WINDOW_S = 0.3
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """Samples of one configuration: tokens per second, tokens per CPU-second, worst first-token time in seconds."""

    rate: list[float] = field(default_factory=list)
    per_cpu: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)

    def add(self, tokens: int, wall_s: float, cpu_s: float, first_s: float | None = None) -> None:
        self.rate.append(tokens / wall_s)
        self.per_cpu.append(tokens / max(cpu_s, 1 / TICKS))
        if first_s is not None:
            self.first.append(first_s)

    def row(self, name: str) -> str:
        rate, per_cpu = statistics.median(self.rate), statistics.median(self.per_cpu)
        first = "–"
        if self.first:
            first = f"{statistics.median(self.first) * 1000:.0f} ms (worst {max(self.first) * 1000:.0f})"
        return f"| {name} | {rate:.0f} | {per_cpu:.0f} | {first} |"


def make_model(directory: Path) -> None:
    """A random Llama of 15.5M parameters with a byte-level tokenizer, as a Hugging Face directory."""
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
        vocab_size=VOCABULARY, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(words)], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>").save_pretrained(directory)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=7,
        num_attention_heads=6,
        num_key_value_heads=6,
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(shape).save_pretrained(directory)


def serve_transformers(directory: str, threads: int) -> None:
    """The other side: reads how many sequences to generate, one number a line, and answers `wall cpu`."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.bfloat16).eval()
    print("ready", flush=True)
    for line in sys.stdin:
        prompts = torch.randint(300, VOCABULARY, (int(line), PROMPT))
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            model.generate(
                prompts,
                attention_mask=torch.ones_like(prompts),
                max_new_tokens=OUTPUT,
                min_new_tokens=OUTPUT,
                do_sample=False,
            )
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


class Transformers:
    """That process, from our side."""

    def __init__(self, directory: Path, threads: int) -> None:
        command = [sys.executable, "-m", "bench.engine", "--serve-transformers", str(directory), str(threads)]
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads)}
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.threads = threads
        self._line()

    def generate(self, sequences: int) -> tuple[float, float]:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{sequences}\n")
        self._child.stdin.flush()
        wall, cpu = self._line().split()
        return float(wall), float(cpu)

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()

    def close(self) -> None:
        self._child.kill()
        self._child.wait()


class Engine:
    """`python -m craton.engine` on a Unix socket."""

    def __init__(self, directory: Path, threads: int, scratch: Path) -> None:
        self._socket = scratch / f"{threads}.sock"
        command = [sys.executable, "-m", "craton.engine", "--model", str(directory), "--uds", str(self._socket)]
        self._child = subprocess.Popen([*command, "--threads", str(threads)], stderr=subprocess.DEVNULL)
        self.threads = threads
        while asyncio.run(self._state()) != 200:
            time.sleep(0.05)

    async def _state(self) -> int:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return 0
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        status = int((await reader.readline()).split()[1])
        writer.close()
        return status

    async def stream(self, delay_s: float) -> float:
        """One request after so long; its first-token time."""
        await asyncio.sleep(delay_s)
        began = time.perf_counter()
        prompt = [random.randrange(300, VOCABULARY) for _ in range(PROMPT)]
        asked = {"prompt": prompt, "max_tokens": OUTPUT, "ignore_eos": True, "stream": True, "temperature": 0}
        body = json.dumps(asked).encode()
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        writer.write(
            b"POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        await reader.readuntil(b"data: ")
        first = time.perf_counter() - began
        rest = await reader.read()
        while not rest.endswith(b"0\r\n\r\n"):
            rest += await reader.readexactly(1) + await reader.read()
        writer.close()
        return first

    async def round(self, requests: int) -> tuple[float, float, float]:
        """(wall, CPU of the engine, worst first-token time) of requests at random moments of the window."""
        delays = [random.random() * WINDOW_S if requests > 1 else 0.0 for _ in range(requests)]
        began, cpu = time.perf_counter(), self._cpu_s()
        firsts = await asyncio.gather(*(self.stream(delay) for delay in delays))
        return time.perf_counter() - began - min(delays), self._cpu_s() - cpu, max(firsts)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()


def measure(source: Path, served: Path, threads: list[int], rounds: int, scratch: Path) -> dict[str, Figures]:
    """All configurations, round after round."""
    found: dict[str, Figures] = {}
    engines = [Engine(served, count, scratch) for count in threads]
    others = [Transformers(source, count) for count in threads]
    try:
        for number in range(rounds + 1):
            for side in [*engines, *others]:
                for requests in (1, MANY):
                    name = f"{type(side).__name__}, {side.threads} thread(s), {requests} request(s)"
                    figures = Figures() if number == 0 else found.setdefault(name, Figures())
                    if isinstance(side, Engine):
                        wall, cpu, first = asyncio.run(side.round(requests))
                        figures.add(requests * OUTPUT, wall, cpu, first)
                    else:
                        figures.add(requests * OUTPUT, *side.generate(requests))
    finally:
        for side in [*engines, *others]:
            side.close()
    return found


def best(found: dict[str, Figures], side: str, requests: int) -> float:
    rates = [
        statistics.median(each.rate)
        for name, each in found.items()
        if name.startswith(side) and name.endswith(f" {requests} request(s)")
    ]
    return max(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--precision", default="int4")
    parser.add_argument("--keep", type=Path, help="directory for the model, reused when it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.keep or Path(scratch)
        source, served = home / "source", home / f"served-{options.precision}"
        if not source.is_dir():
            make_model(source)
        if not served.is_dir():
            command = [sys.executable, "-m", "craton.engine.convert", str(source), str(served)]
            subprocess.run([*command, "--precision", options.precision], check=True, stdout=subprocess.DEVNULL)
        threads = [int(each) for each in options.threads.split(",")]
        found = measure(source, served, threads, options.rounds, Path(scratch))
    report(found, options)


def report(found: dict[str, Figures], options: Any) -> None:
    print(
        f"{os.cpu_count()} cores, prompt {PROMPT}, output {OUTPUT}, {options.precision} beside bf16, medians of "
        f"{options.rounds} rounds; {MANY} requests arrive within {WINDOW_S} s (transformers: one batch)\n"
    )
    print("| side | tokens/s | tokens/CPU-s | worst first token of a round: median |\n|---|---|---|---|")
    for name, figures in found.items():
        print(figures.row(name))
    for requests in (1, MANY):
        ratio = best(found, "Engine", requests) / best(found, "Transformers", requests)
        print(f"\n{requests} request(s), each side at its best: {ratio:.2f} times transformers")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--serve-transformers":
        serve_transformers(sys.argv[2], int(sys.argv[3]))
    else:
        main()
