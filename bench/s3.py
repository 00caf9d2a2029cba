"""S3 beside third-party S3 servers, in one run: put and get of 1 KB and 64 MB at 1 and at 16 connections.

    python bench/s3.py [--seconds 3] [--rounds 2] [--workers 1] [--moto MOTO_SERVER] [--s3rver S3RVER]

The peers are moto's server (Python, keeps everything in memory, syncs nothing) and s3rver (Node.js, plain files, syncs
nothing); either may be missing. Craton checks signatures, seals every byte, and has file, folder and row on the disk before
it answers. All requests are presigned. Small objects are wrk's work, large ones http.client's in threads. Rounds are
interleaved and medians shown; what counts are the ratios.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).parent))
from gateway import ACCESS_KEY, ROOT, SECRET_KEY, cpu_s, free_port, process

BUCKET, SMALL, LARGE, KEYS = "bench-bucket", 1024, 64 * 1024 * 1024, 64
LUA = """
local paths = {{ {paths} }}
local at = 0
wrk.method = "{method}"
{body}
request = function() at = at % #paths + 1; return wrk.format(nil, paths[at]) end
done = function(summary) io.write(string.format("COUNT %d %d %d\\n", summary.requests, summary.duration,
  summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout)) end
"""


@dataclass
class Server:
    name: str
    pid: int
    client: Any

    def url(self, method: str, key: str) -> str:
        operation = {"PUT": "put_object", "GET": "get_object"}[method]
        signed: str = self.client.generate_presigned_url(operation, {"Bucket": BUCKET, "Key": key}, ExpiresIn=3600)
        return signed


def client(port: int, key: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(
            s3={"addressing_style": "path"}, signature_version="s3v4", request_checksum_calculation="when_required"
        ),
    )


@contextmanager
def servers(args: argparse.Namespace, folder: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        found = []
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

        def start(name: str, command: list[str], port: int, ready: str, key: str, secret: str, **more: Any) -> None:
            child = stack.enter_context(process(command, f"http://127.0.0.1:{port}{ready}", **quiet, **more))
            found.append(Server(name, child.pid, client(port, key, secret)))

        port = free_port()
        command = [
            sys.executable,
            "-m",
            "craton.cli.main",
            "serve",
            "--home",
            str(folder / "home"),
            "--port",
            str(port),
            "--workers",
            str(args.workers),
        ]
        env = {
            "CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY,
            "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY,
            "PATH": "/usr/bin:/bin",
        }
        start("Craton", command, port, "/health", ACCESS_KEY, SECRET_KEY, env=env)
        if Path(args.moto).exists():
            port = free_port()
            start("moto", [args.moto, "-H", "127.0.0.1", "-p", str(port)], port, "/", ACCESS_KEY, SECRET_KEY)
        if Path(args.s3rver).exists():
            port = free_port()
            command = [args.s3rver, "-d", str(folder / "s3rver"), "-a", "127.0.0.1", "-p", str(port), "-s"]
            start("s3rver", command, port, "/", "S3RVER", "S3RVER")
        for server in found:
            server.client.create_bucket(Bucket=BUCKET)
        yield found


def small(server: Server, method: str, connections: int, seconds: float, folder: Path) -> tuple[float, float]:
    """Requests per second, and CPU µs of the server for each."""
    urls = [server.url(method, f"small-{at}") for at in range(KEYS)]
    base = "{0.scheme}://{0.netloc}".format(urlsplit(urls[0]))
    paths = ", ".join(f'"{url.removeprefix(base)}"' for url in urls)
    body = f'wrk.body = string.rep("x", {SMALL})' if method == "PUT" else ""
    script = folder / "script.lua"
    script.write_text(LUA.format(paths=paths, method=method, body=body))
    before = cpu_s(server.pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), base]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu_s(server.pid) - before
    count, took_us, errors = map(int, out[out.index("COUNT ") :].split()[1:4])
    if errors or not count:
        raise SystemExit(f"{server.name}: {errors} errors in {count} {method}s")
    return count / took_us * 1e6, spent / count * 1e6


def large(server: Server, method: str, connections: int) -> float:
    """MB per second, all connections together, each with an object of its own."""
    body, faults = bytes(LARGE), []

    def one(at: int) -> None:
        url = urlsplit(server.url(method, f"large-{at}"))
        line = http.client.HTTPConnection(str(url.hostname), url.port, timeout=300, blocksize=1 << 20)
        line.request(method, f"{url.path}?{url.query}", body if method == "PUT" else None)
        answer = line.getresponse()
        size = 0
        while piece := answer.read(1 << 20):
            size += len(piece)
        if answer.status != 200 or (method == "GET" and size != LARGE):
            faults.append((answer.status, size))
        line.close()

    threads = [threading.Thread(target=one, args=(at,)) for at in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - start
    if faults:
        raise SystemExit(f"{server.name}: {method} of 64 MB gave {faults[0]}")
    return connections * LARGE / took_s / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="of Craton")
    parser.add_argument("--moto", default=str(ROOT / ".tools/storage/bin/moto_server"))
    parser.add_argument("--s3rver", default=str(ROOT / ".tools/js/node_modules/.bin/s3rver"))
    args = parser.parse_args()
    figures: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, servers(args, Path(name)) as found:
        for server in found:  # what is loaded at the first request, and starts by it, is nobody's speed
            small(server, "PUT", 4, 3, Path(name))
        for _ in range(args.rounds):
            for connections in (1, 16):
                for method in ("PUT", "GET"):
                    for server in found:
                        rate, cpu_us = small(server, method, connections, args.seconds, Path(name))
                        row = f"{method} 1 KB, {connections}"
                        figures[f"{row}, requests/s", server.name].append(rate)
                        figures[f"{row}, CPU µs", server.name].append(cpu_us)
                    for server in found:
                        figures[f"{method} 64 MB, {connections}, MB/s", server.name].append(
                            large(server, method, connections)
                        )
        names = [server.name for server in found]
    print(f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for row in dict.fromkeys(row for row, _ in figures):
        values = [statistics.median(figures[row, name]) for name in names]
        print(f"| {row} | {' | '.join(f'{value:,.0f}' for value in values)} |")


if __name__ == "__main__":
    main()
