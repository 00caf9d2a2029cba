"""Replicas under load: what a killed one costs, how soon there are three again, and how long a cold start takes.

    python bench/hosting.py [--rate 200] [--seconds 20]

Three replicas answer after 20 ms (tests/fakes/fleet_replica.py); requests come at a steady rate whether or not earlier ones
were answered, so that whoever is slow is not spared, and the client never asks again. In the middle one replica is killed
with SIGKILL. The cold start is that of the sample model in the package: the first Converse beside the second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.gateway import signed
from craton.infra.control.console import Console
from craton.infra.control.home import control_path
from craton.models.providers.http import Pool
from craton.models.providers.transport import TransportError
from tests.running import Running

MODEL, SAMPLE = "bench.trio", "craton.chat-mini-v1:0"
REPLICA = Path(__file__).resolve().parents[1] / "tests" / "fakes" / "fleet_replica.py"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
PAUSE_S = 0.02


@dataclass
class Outcome:
    """What became of the requests: seconds from the start and to the answer, by status (0: none)."""

    sent: list[tuple[float, float, int]] = field(default_factory=list)
    killed_at: float = 0.0
    capacity_s: float = 0.0

    def lost(self) -> int:
        """Requests without a good answer."""
        return sum(status != 200 for _, _, status in self.sent)

    def percentiles(self, begin: float, end: float) -> str:
        """Median, 99th percentile and worst of what was sent within a span, in milliseconds."""
        took = sorted(took for at, took, _ in self.sent if begin <= at < end)
        p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
        return f"{statistics.median(took) * 1e3:,.0f} | {p99 * 1e3:,.0f} | {took[-1] * 1e3:,.0f}"


def config() -> str:
    """Three replicas, and the sample model as it comes."""
    words = json.dumps([sys.executable, "-S", str(REPLICA), "{uds}", "trio", str(PAUSE_S)])
    container = f'command = {words}\nport = 0\nspeaks = "openai"\nleast = 3\nmost = 3\n'
    return f'[compute]\nsandbox = "off"\n[[model]]\nid = "{MODEL}"\n[model.container]\n{container}'


def replicas(server: Running) -> list[int]:
    """The process ids of the replicas that serve."""
    with Console(control_path(server.home)) as console:
        (row,) = (row for row in console.call("models.status") if row["id"] == MODEL)
    return [replica["pid"] for replica in row["replicas"] if replica["state"] == "ready"]


async def until_three(server: Running, without: int = 0) -> None:
    """Wait for three replicas of which none is the killed one."""
    while True:
        found = await asyncio.to_thread(replicas, server)
        if len(found) == 3 and without not in found:
            return
        await asyncio.sleep(0.02)


async def load(server: Running, rate: float, seconds: float) -> Outcome:
    """Requests at a steady rate; in the middle a replica is killed."""
    path = f"/model/{MODEL}/converse"
    headers = tuple((name.lower().encode(), value.encode()) for name, value in signed(server.url + path, BODY).items())
    loop, outcome, pool = asyncio.get_running_loop(), Outcome(), Pool(server.url)
    await until_three(server)
    begun = loop.time()

    async def one() -> None:
        at = loop.time()
        try:
            status = (await pool.fetch(b"POST", path.encode(), headers, BODY, deadline=at + 30)).status
        except TransportError:
            status = 0
        outcome.sent.append((at - begun, loop.time() - at, status))

    async def kill() -> None:
        await asyncio.sleep(seconds / 2)
        victim = (await asyncio.to_thread(replicas, server))[0]
        outcome.killed_at = loop.time() - begun
        os.kill(victim, signal.SIGKILL)
        await until_three(server, victim)
        outcome.capacity_s = loop.time() - begun - outcome.killed_at

    tasks = [asyncio.create_task(kill())]
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    await pool.close()
    return outcome


def cold_start_s(server: Running) -> tuple[float, float]:
    """Seconds of the first and of the second Converse of the sample model, one token each."""
    client, took = server.client("bedrock-runtime"), []
    for _ in range(2):
        begun = time.monotonic()
        said = [{"role": "user", "content": [{"text": "hello"}]}]
        client.converse(modelId=SAMPLE, messages=said, inferenceConfig={"maxTokens": 1})
        took.append(time.monotonic() - begun)
    return took[0], took[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, Running(Path(home), config()) as server:
        outcome = asyncio.run(load(server, args.rate, args.seconds))
        first_s, second_s = cold_start_s(server)
    print("| requests sent | median, ms | p99, ms | worst, ms |\n|---|---|---|---|")
    print(f"| before the kill | {outcome.percentiles(0, outcome.killed_at)} |")
    print(f"| in the second after it | {outcome.percentiles(outcome.killed_at, outcome.killed_at + 1)} |")
    print(f"| later | {outcome.percentiles(outcome.killed_at + 1, args.seconds)} |")
    print(
        f"\n{outcome.lost()} of {len(outcome.sent)} requests lost; three replicas again after {outcome.capacity_s:.2f} s."
    )
    print(f"Cold start of the sample model: {first_s:.2f} s to the first answer, {second_s:.2f} s to the second.")


if __name__ == "__main__":
    main()
