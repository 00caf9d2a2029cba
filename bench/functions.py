"""Functions: what an invocation costs warm and cold, and fifty at once; boto3 against a server of this machine.

    python bench/functions.py [--calls 300] [--cold 10] [--at-once 50]

A warm invocation is told beside `sts:GetCallerIdentity` through the same client, which does nothing: the difference is what
the function's journey takes (the row, the host, the Runtime API, AWS's runtime client, and back). Cold ones are first
invocations of functions that were never run. What counts are medians.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.config import Config

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.running import Running

SOURCE = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event\n"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LOGS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("main.py", SOURCE)
    return target.getvalue()


def timed(work: Callable[[], Any], count: int) -> list[float]:
    """Milliseconds of each."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)


def row(name: str, found: list[float]) -> str:
    return f"| {name} | {statistics.median(found):.1f} | {found[int(len(found) * 0.95)]:.1f} | {len(found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--cold", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, Running(Path(home) / "home") as server:
        iam, sts = server.client("iam"), server.client("sts")
        config = Config(retries={"max_attempts": 0}, read_timeout=60, max_pool_connections=given.at_once)
        functions = server.client("lambda", config=config)
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(LOGS))
        names = [f"f{number}" for number in range(given.cold + 2)]
        for name in names:
            functions.create_function(
                FunctionName=name,
                Runtime="python3.11",
                Role=role,
                Handler="main.handler",
                Code={"ZipFile": zipped()},
                Timeout=60,
            )

        def invoke(name: str, sleep_s: float = 0) -> Any:
            return json.loads(
                functions.invoke(FunctionName=name, Payload=json.dumps(sleep_s).encode())["Payload"].read()
            )

        invoke(names[0])  # the host's own start is nobody's cold start
        rest = iter(names[2:])
        cold = timed(lambda: invoke(next(rest)), given.cold)
        idle = timed(sts.get_caller_identity, given.calls)
        warm = timed(lambda: invoke(names[0]), given.calls)
        began = time.perf_counter()
        with ThreadPoolExecutor(given.at_once) as threads:
            lost = given.at_once - sum(
                one == 0.2 for one in threads.map(invoke, [names[1]] * given.at_once, [0.2] * given.at_once)
            )
        first_s = time.perf_counter() - began
        began = time.perf_counter()
        with ThreadPoolExecutor(given.at_once) as threads:
            found = list(threads.map(invoke, [names[1]] * given.at_once * 4, [0.0] * given.at_once * 4))
        rate = len(found) / (time.perf_counter() - began)
        print("| | p50 ms | p95 ms | calls |\n|---|---|---|---|")
        print(row("cold Python", cold), row("GetCallerIdentity", idle), row("warm Invoke", warm), sep="\n")
        print(f"\nA warm invocation adds {statistics.median(warm) - statistics.median(idle):.1f} ms.")
        print(
            f"{given.at_once} at once, all cold, each 0.2 s: {first_s:.1f} s, {lost} lost; then {rate:.0f} warm invocations a second."
        )


if __name__ == "__main__":
    main()
