"""A model whose only replica dies, or has more to do than it can, as a client of the whole server sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from craton.infra.control.console import Console
from craton.infra.control.home import control_path
from craton.models.providers.http import Pool
from tests.running import ACCESS_KEY, SECRET_KEY, Running

MODEL = "test.replicated"
REPLICA = Path(__file__).resolve().parents[1] / "fakes" / "fleet_replica.py"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()


def config(word: str, pause_s: float, **scale: object) -> str:
    """A model of its own; its replicas are programs that know nothing of hosting."""
    words = json.dumps([sys.executable, "-S", str(REPLICA), "{uds}", word, str(pause_s)])
    rows = "".join(f"{name} = {value}\n" for name, value in scale.items())
    table = f'[model.container]\ncommand = {words}\nport = 0\nspeaks = "openai"\n{rows}'
    return f'[compute]\nsandbox = "off"\nmemory_reserve_bytes = 0\n[[model]]\nid = "{MODEL}"\n{table}'


def replica_pid(server: Running) -> int:
    with Console(control_path(server.home)) as console:
        (row,) = (row for row in console.call("models.status") if row["id"] == MODEL)
    return int(row["replicas"][0]["pid"])


def signed(url: str) -> tuple[tuple[bytes, bytes], ...]:
    request = AWSRequest("POST", url, data=BODY, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", "us-east-1").add_auth(request)
    return tuple((name.lower().encode(), value.encode()) for name, value in request.headers.items())


async def load(server: Running, count: int, midway: Any) -> list[int]:
    """The statuses of so many requests, some at a time; `midway` is called when half of them are answered."""
    path = f"/model/{MODEL}/converse"
    headers, pool = signed(server.url + path), Pool(server.url)
    statuses: list[int] = []
    left = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in left:
            deadline = asyncio.get_running_loop().time() + 90
            answer = await pool.fetch(b"POST", path.encode(), headers, BODY, deadline=deadline)
            statuses.append(answer.status)
            if len(statuses) == count // 2:
                midway()

    await asyncio.gather(*(one_after_the_other() for _ in range(12)))
    await pool.close()
    return statuses


def test_the_only_replica_dies_and_its_callers_wait_for_the_next(tmp_path: Path) -> None:
    """With nobody to turn to a request waits until the replica is there again."""
    with Running(tmp_path, config("only", 0.02, least=1)) as server:
        assert asyncio.run(load(server, 10, lambda: None)) == [200] * 10
        victim = replica_pid(server)
        assert asyncio.run(load(server, 100, lambda: os.kill(victim, signal.SIGKILL))) == [200] * 100


def test_more_than_the_line_holds_is_throttled(tmp_path: Path) -> None:
    """A full line answers ThrottlingException with a time to come again; the others are served."""
    with Running(tmp_path, config("full", 0.5, least=1, queue=0)) as server:
        client = server.client("bedrock-runtime")
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "hi"}]}])
        path = f"/model/{MODEL}/converse"
        headers = signed(server.url + path)

        async def crowd() -> list[Any]:
            pool = Pool(server.url)
            deadline = asyncio.get_running_loop().time() + 90
            asks = (pool.fetch(b"POST", path.encode(), headers, BODY, deadline=deadline) for _ in range(220))
            answers = await asyncio.gather(*asks)
            await pool.close()
            return answers

        answers = asyncio.run(crowd())
        assert {answer.status for answer in answers} == {200, 429}
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.headers[b"x-amzn-errortype"].startswith(b"ThrottlingException")
        assert int(refused.headers[b"retry-after"]) >= 1
