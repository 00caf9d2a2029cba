"""Batch inference beside direct calls to the same model, in one run; and the memory of a large job.

    python -m bench.batch [--records 3000] [--rounds 3]
    python -m bench.batch --memory [--records 1000000]

The model is a small server of ours that answers a fixed OpenAI chat completion: either with 32 slots of 100 ms each,
as a model is, or at once, so that only Craton's own work is left. Direct calls are those of one process with the
pool and the signing that jobs use, 64 at once, which is also the batch's limit. Throughput is what the model saw: records by
the time from its first request to its last answer. Rounds are interleaved and medians shown; what counts is the ratio.
`--memory` prints the worker's highest resident memory (VmHWM), and how long the job took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import httptools

from bench.gateway import ACCESS_KEY, COMPLETION, MODEL, SECRET_KEY, free_port, process, tree

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 64
MODELS = {"a model with 32 slots of 100 ms": (32, 0.1), "a model that answers at once": (0, 0.0)}
ANSWER = json.dumps(COMPLETION).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
TRUST = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
LIMITS = "batch_min_records = 1\nbatch_records_per_file = 10000000\nbatch_records_per_job = 10000000\n"
S3_RIGHTS = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def record(number: int) -> bytes:
    """A record of about 300 bytes in Anthropic's schema."""
    message = {"role": "user", "content": f"Summarise call {number}: " + "word " * 30}
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 256, "messages": [message]}
    return json.dumps({"recordId": f"CALL{number:07d}", "modelInput": body}).encode() + b"\n"


# --- the model -------------------------------------------------------------------------------------------------------


class Model:
    """So many slots (0: any number), each `serve_s` per answer; counts, and notes when it was first and last busy."""

    def __init__(self, slots: int, serve_s: float) -> None:
        self.free = slots or 1_000_000
        self.serve_s = serve_s
        self.line: deque[asyncio.Transport] = deque()
        self.answers = 0
        self.first = self.last = 0.0

    def ask(self, transport: asyncio.Transport) -> None:
        self.first = self.first or time.monotonic()
        if not self.free:
            self.line.append(transport)
            return
        self.free -= 1
        if self.serve_s:
            asyncio.get_running_loop().call_later(self.serve_s, self.answer, transport)
        else:
            self.answer(transport)

    def answer(self, transport: asyncio.Transport) -> None:
        transport.write(REPLY)
        self.answers += 1
        self.last = time.monotonic()
        self.free += 1
        if self.line:
            self.ask(self.line.popleft())

    def told(self) -> bytes:
        """What was seen since the last time somebody asked."""
        told = json.dumps({"answers": self.answers, "seconds": self.last - self.first}).encode()
        self.answers, self.first, self.last = 0, 0.0, 0.0
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(told) + told


class Served(asyncio.Protocol):
    def __init__(self, model: Model) -> None:
        self.model = model
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_message_complete(self) -> None:
        if self.url == b"/told":
            self.transport.write(self.model.told())
        else:
            self.model.ask(self.transport)


async def serve_model(port: int, slots: int, serve_s: float) -> None:
    model = Model(slots, serve_s)
    server = await asyncio.get_running_loop().create_server(lambda: Served(model), "127.0.0.1", port)
    await server.serve_forever()


def told(port: int) -> dict[str, float]:
    """What the model saw since the last time."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/told")
    seen: dict[str, float] = json.loads(connection.getresponse().read())
    connection.close()
    return seen


# --- direct calls ----------------------------------------------------------------------------------------------------


async def ask_directly(url: str, records: int) -> None:
    """All records, `AT_ONCE` at a time."""
    from datetime import UTC, datetime

    from craton.aws.wire.sign import Keys
    from craton.models.providers.dial import open_transport
    from craton.workflows.calling import GatewayModels

    class Fixed:
        region = "us-east-1"
        keys = Keys(ACCESS_KEY, SECRET_KEY, "")

        async def fresh(self) -> Keys:
            return self.keys

    models = GatewayModels(open_transport(url), url, Fixed(), lambda: datetime.now(UTC))  # type: ignore[arg-type]
    bodies = iter([json.dumps(json.loads(record(number))["modelInput"]).encode() for number in range(records)])

    async def work() -> None:
        for body in bodies:
            status, _, answer = await models.invoke(MODEL, body)
            if status != 200:
                raise SystemExit(f"{status}: {answer!r}")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


# --- the server and its jobs -----------------------------------------------------------------------------------------


class Server:
    """A Craton with one HTTP worker and one for jobs, a role, and two buckets."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self.s3, self.bedrock, iam = (self.client(name) for name in ("s3", "bedrock", "iam"))
        for bucket in ("bench-in", "bench-out"):
            self.s3.create_bucket(Bucket=bucket)
        made = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=document(TRUST))
        iam.put_role_policy(RoleName="bench", PolicyName="own", PolicyDocument=document(S3_RIGHTS))
        self.role = made["Role"]["Arn"]
        self.jobs = 0

    def client(self, name: str) -> Any:
        return boto3.client(
            name, endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        )  # fmt: skip

    def run(self, records: int) -> float:
        """A job to its end; seconds from its making."""
        self.jobs += 1
        begun = time.monotonic()
        arn = self.bedrock.create_model_invocation_job(
            jobName=f"bench-{self.jobs}", modelId=MODEL, roleArn=self.role,
            inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://bench-in/a.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://bench-out/"}},
        )["jobArn"]  # fmt: skip
        while (job := self.bedrock.get_model_invocation_job(jobIdentifier=arn))["status"] not in (
            "Completed",
            "Failed",
        ):
            time.sleep(0.2)
        if job["status"] != "Completed" or job["successRecordCount"] != records:
            raise SystemExit(f"the job ended {job['status']}: {job}")
        return time.monotonic() - begun

    def worker_peak_mib(self) -> float:
        """The highest resident memory of the process that does jobs."""
        for pid in tree(self.pid):
            if b"craton.labor" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                return int(found[1]) / 1024 if found else 0.0
        raise SystemExit("there is no process for jobs")


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@contextmanager
def serving(folder: Path, slots: int, serve_s: float) -> Iterator[tuple[Server, int]]:
    """A model, and a server in front of it."""
    model_port, port = free_port(), free_port()
    config = folder / "config.toml"
    config.write_text(
        f'[[model]]\nid = "{MODEL}"\n[[model.target]]\nprovider = "openai"\n'
        f'base_url = "http://127.0.0.1:{model_port}/v1"\nmodel = "upstream"\n[limits]\n{LIMITS}'
        f"[jobs]\nbatch_concurrency = {AT_ONCE}\n[audit]\nenabled = false\n"
    )
    environment = {
        **os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/src",
        "CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY,
    }  # fmt: skip
    model = [sys.executable, "-m", "bench.batch", "--serve", str(model_port), str(slots), str(serve_s)]
    server = [sys.executable, "-m", "craton.cli.main", "serve", "--port", str(port), "--home", str(folder / "home")]
    with ExitStack() as stack:
        told_url, url = f"http://127.0.0.1:{model_port}/told", f"http://127.0.0.1:{port}"
        stack.enter_context(process(model, told_url, cwd=ROOT, env=environment))
        command = [*server, "--config", str(config)]
        log = stack.enter_context((folder / "server.log").open("wb"))
        quiet = {"stdout": log, "stderr": log}
        child = stack.enter_context(process(command, f"{url}/health", cwd=ROOT, env=environment, **quiet))
        yield Server(url, child.pid), model_port


def compare(name: str, slots: int, serve_s: float, records: int, rounds: int) -> None:
    """One line of the table."""
    rates: dict[str, list[float]] = {"direct": [], "batch": []}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), slots, serve_s) as (server, port):
        server.s3.put_object(Bucket="bench-in", Key="a.jsonl", Body=b"".join(map(record, range(records))))
        direct = [sys.executable, "-m", "bench.batch", "--ask", server.url, str(records)]
        for turn in range(rounds + 1):
            for kind, seen_rates in rates.items():
                told(port)
                if kind == "direct":
                    subprocess.run(direct, check=True, cwd=ROOT)
                else:
                    server.run(records)
                seen = told(port)
                if turn:  # the first is for warming up
                    seen_rates.append(seen["answers"] / seen["seconds"])
    found = {kind: statistics.median(values) for kind, values in rates.items()}
    share = statistics.median(b / d for b, d in zip(rates["batch"], rates["direct"], strict=True))
    print(f"| {name} | {found['direct']:.0f} | {found['batch']:.0f} | {share:.0%} |", flush=True)


def memory(records: int) -> None:
    """A job of so many records: seconds, records a second, the worker's peak."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), 0, 0.0) as (server, _):
        path = Path(folder) / "input.jsonl"
        with path.open("wb") as file:
            for number in range(records):
                file.write(record(number))
        server.s3.upload_file(str(path), "bench-in", "a.jsonl")
        taken_s = server.run(records)
        print("| records | MB in | seconds | records/s | worker's peak (MiB) |\n|---|---|---|---|---|")
        size_mb, peak = path.stat().st_size / 1e6, server.worker_peak_mib()
        print(f"| {records:,} | {size_mb:.0f} | {taken_s:.0f} | {records / taken_s:.0f} | {peak:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve_model(int(given.serve[0]), int(given.serve[1]), float(given.serve[2])))
    elif given.ask:
        import uvloop

        uvloop.run(ask_directly(given.ask[0], int(given.ask[1])))
    elif given.memory:
        memory(given.records or 1_000_000)
    else:
        print("| 64 at once | direct (records/s) | batch (records/s) | batch/direct |\n|---|---|---|---|")
        for name, (slots, serve_s) in MODELS.items():
            compare(name, slots, serve_s, given.records or 3000, given.rounds)


if __name__ == "__main__":
    main()
