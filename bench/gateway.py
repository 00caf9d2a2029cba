"""Craton beside LiteLLM and nginx, in one run: the same fake upstream, the same load, CPU from /proc.

    python bench/gateway.py [--seconds 5] [--rounds 3] [--litellm PYTHON] [--principal POLICIES] [--hosted]

The upstream is nginx answering a fixed OpenAI chat completion (and a long stream from a file), so that it costs next to
nothing. Each gateway has one worker and is loaded by wrk at 64 connections; CPU is what the gateway's own processes
spent (utime + stime), divided by the requests it answered. Latency is taken at one connection. Rounds are interleaved
and medians shown, so that a machine that drifts does not favour anybody. What counts are the ratios. With `--principal
20` the same server is asked by a user of 20 policies as well, and what that costs more is shown. With `--hosted` the same
upstream is run by Craton too, as the replica of a model of its own on a Unix socket, and asked at the same server.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
HOSTED = "bench.hosted"
TICKS = os.sysconf("SC_CLK_TCK")
STREAM_CHUNKS = 2000
TEXT = "The quick brown fox jumps over the lazy dog. " * 9
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "upstream",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT[:400]}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 90, "completion_tokens": 80, "total_tokens": 170},
}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def stream_file() -> str:
    """A whole stream as an OpenAI-compatible server sends it."""

    def chunk(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return "data: " + json.dumps(
            {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        )

    lines = [chunk({"role": "assistant", "content": ""})]
    lines += [chunk({"content": f" word{i % 10}"}) for i in range(STREAM_CHUNKS)]
    lines += [chunk({}, "stop")]
    usage = {"prompt_tokens": 9, "completion_tokens": STREAM_CHUNKS, "total_tokens": STREAM_CHUNKS + 9}
    lines += ["data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": usage})]
    return "\n\n".join([*lines, "data: [DONE]"]) + "\n\n"


@contextmanager
def process(command: list[str], ready: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a group of its own that answers `ready` (a URL) before it is handed out."""
    child = subprocess.Popen(command, start_new_session=True, **options)  # type: ignore[call-overload]
    try:
        wait_for(ready, child)
        yield child
    finally:
        try:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def wait_for(url: str, child: subprocess.Popen[bytes], timeout_s: float = 120) -> None:
    host, port = re.match(r"http://([^:/]+):(\d+)", url).groups()  # type: ignore[union-attr]
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if child.poll() is not None:
            raise SystemExit(f"{child.args[0]} ended with {child.returncode}")  # type: ignore[index]
        try:
            with socket.create_connection((host, int(port)), 1) as sock:
                path = url.split(f":{port}", 1)[1] or "/"
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                if sock.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")


def nginx(folder: Path, name: str, body: str) -> list[str]:
    """A configuration with one worker; the command that runs it in the foreground."""
    path = folder / f"{name}.conf"
    path.write_text(
        f"worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log crit;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/{name}-body; "
        f"proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; "
        f"scgi_temp_path {folder}/s; client_body_buffer_size 64k;\n{body} }}\n"
    )
    return [shutil.which("nginx") or "nginx", "-c", str(path), "-p", str(folder)]


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [one for child in task.read_text().split() for one in tree(int(child))]
    return found if children else [pid]


def cpu_s(pid: int, without: str = "") -> float:
    """CPU seconds that a process and its children have spent; those of the program `without` are left out."""
    total = 0
    for one in tree(pid):
        if without and Path(f"/proc/{one}/comm").read_text().strip() == without:
            continue
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_mib(pid: int) -> float:
    """Proportional memory of a process and its children."""
    kib = 0
    for one in tree(pid):
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE)
        kib += int(found[1]) if found else 0
    return kib / 1024


@dataclass
class Gateway:
    """One contestant: where to send what, and which process to charge."""

    name: str
    pid: int
    url: str
    stream_url: str
    headers: dict[str, str]
    body: bytes
    stream_body: bytes
    stream_headers: dict[str, str]
    cpu_us: list[float] = field(default_factory=list)
    rps: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    chunk_us: list[float] = field(default_factory=list)
    without: str = ""


def lua(folder: Path, name: str, headers: dict[str, str], body: bytes) -> Path:
    lines = ['wrk.method = "POST"', f"wrk.body = [==[{body.decode()}]==]"]
    lines += [f'wrk.headers["{key}"] = [==[{value}]==]' for key, value in headers.items()]
    path = folder / f"{name}.lua"
    path.write_text("\n".join(lines) + "\n")
    return path


def wrk(script: Path, url: str, connections: int, seconds: float) -> tuple[int, float]:
    """Requests answered and the median latency in µs; any error ends the run."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "120s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{url}:\n{text}")
    requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return requests, float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def signed(url: str, body: bytes, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> dict[str, str]:
    """The headers of a request as boto3 signs it."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(access_key, secret_key), "bedrock", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def converse_body() -> bytes:
    message = {"role": "user", "content": [{"text": TEXT[:380]}]}
    return json.dumps(
        {
            "messages": [message],
            "system": [{"text": "Answer shortly."}],
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
        }
    ).encode()


def openai_body(*, stream: bool) -> bytes:
    messages = [{"role": "system", "content": "Answer shortly."}, {"role": "user", "content": TEXT[:380]}]
    body = {"model": "upstream", "messages": messages, "max_tokens": 100, "temperature": 0.5}
    return json.dumps({**body, "stream": True} if stream else body).encode()


class Bench:
    """Starts everybody, measures in turns, prints."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.folder = folder
        self.args = args
        self.upstream_port = free_port()
        self.gateways: list[Gateway] = []
        self.user: Gateway | None = None
        self.hosted: Gateway | None = None

    def upstream(self) -> list[str]:
        (self.folder / "stream.txt").write_text(stream_file())
        (self.folder / "body.json").write_text(json.dumps(COMPLETION))
        # `stream` in the request body cannot be seen by nginx, so streams have a port of their own.
        self.stream_port = free_port()
        places = f"127.0.0.1:{self.upstream_port} backlog=2048", f"127.0.0.1:{self.stream_port} backlog=2048"
        return nginx(self.folder, "upstream", "\n".join(self.servers(*places).values()))

    def servers(self, whole: str, streaming: str) -> dict[str, str]:
        """What answers whole and what answers in streams, listening there."""
        # A static file does not take POST; the redirect by which nginx would say so makes it a GET.
        serve = "location / { error_page 405 =200 /stream.txt; return 405; }"
        return {
            HOSTED: f"server {{ listen {whole}; location / {{ default_type application/json; "
            f"return 200 '{json.dumps(COMPLETION)}'; }} }}",
            f"{HOSTED}-stream": f"server {{ listen {streaming}; {serve} "
            f"location = /stream.txt {{ types {{}} default_type text/event-stream; root {self.folder}; }} }}",
        }

    def replica(self, name: str, serves: str) -> str:
        """The table of a model whose replica is such a server, on the socket that it is told."""
        command = nginx(self.folder, name, serves.replace("listen {uds}", "listen unix:@UDS@"))
        path = self.folder / f"{name}.conf"
        shell = f"sed s#@UDS@#{{uds}}# {path} > {path}.own && exec {command[0]} -c {path}.own -p {self.folder}"
        words = json.dumps(["/bin/sh", "-c", shell])
        container = f'command = {words}\nport = 0\nspeaks = "openai"\nleast = 1\nhealth = "/"\n'
        return f'[[model]]\nid = "{name}"\n[model.container]\n{container}'

    def craton(self, stack: ExitStack) -> None:
        config = self.folder / "craton.toml"
        text = ""
        for model, port in ((MODEL, self.upstream_port), ("bench.stream", self.stream_port)):
            text += (
                f'[[model]]\nid = "{model}"\n[[model.target]]\nprovider = "openai"\n'
                f'base_url = "http://127.0.0.1:{port}/v1"\nmodel = "upstream"\n'
            )
        if self.args.hosted:
            text += "".join(self.replica(name, serves) for name, serves in self.servers("{uds}", "{uds}").items())
            text += '[compute]\nsandbox = "off"\n'
        config.write_text(text)
        port = free_port()
        env = {**os.environ, "CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
        command = [sys.executable, "-m", "craton.cli.main", "serve", "--port", str(port), "--config", str(config)]
        command += ["--home", str(self.folder / "home")]
        url = f"http://127.0.0.1:{port}"
        log = (self.folder / "craton.log").open("wb")
        child = stack.enter_context(process(command, f"{url}/health", stdout=log, stderr=log, env=env))
        body = converse_body()
        converse = f"{url}/model/{MODEL.replace(':', '%3A')}/converse"
        stream = f"{url}/model/bench.stream/converse-stream"
        self.gateways.append(
            Gateway("Craton", child.pid, converse, stream, signed(converse, body), body, body, signed(stream, body))
        )
        if self.args.hosted:
            urls = f"{url}/model/{HOSTED}/converse", f"{url}/model/{HOSTED}-stream/converse-stream"
            headers = signed(urls[0], body), signed(urls[1], body)
            self.hosted = Gateway(
                "Craton, hosted", child.pid, *urls, headers[0], body, body, headers[1], without="nginx"
            )
            self.gateways.append(self.hosted)
        if self.args.principal:
            sys.path.insert(0, str(ROOT))
            from bench.principal import STATEMENTS, user_with

            keys = user_with(url, ACCESS_KEY, SECRET_KEY, self.args.principal, MODEL)
            name = f"Craton, user of {self.args.principal} × {STATEMENTS} statements"
            headers = signed(converse, body, *keys), signed(stream, body, *keys)
            self.user = Gateway(name, child.pid, converse, stream, headers[0], body, body, headers[1])
            self.gateways.append(self.user)

    def nginx_proxy(self, stack: ExitStack) -> None:
        port = free_port()
        body = (
            f"upstream u {{ server 127.0.0.1:{self.upstream_port}; keepalive 256; keepalive_requests 1000000; }}\n"
            f"upstream s {{ server 127.0.0.1:{self.stream_port}; keepalive 256; keepalive_requests 1000000; }}\n"
            f"server {{ listen 127.0.0.1:{port} backlog=2048; proxy_http_version 1.1; proxy_set_header Connection ''; "
            "proxy_buffering off; location / { proxy_pass http://u; } location /stream { proxy_pass http://s; } }"
        )
        url = f"http://127.0.0.1:{port}"
        child = stack.enter_context(process(nginx(self.folder, "proxy", body), f"{url}/health"))
        headers = {"Content-Type": "application/json"}
        sent = openai_body(stream=False)
        self.gateways.append(
            Gateway("nginx", child.pid, f"{url}/v1/chat/completions", f"{url}/stream", headers, sent, sent, headers)
        )

    def litellm(self, stack: ExitStack) -> None:
        python = Path(self.args.litellm)
        if not python.exists():
            print(f"LiteLLM left out: {python} is missing (see docs/performance.md)", file=sys.stderr)
            return
        config = self.folder / "litellm.yaml"
        rows = "".join(
            f"  - model_name: {name}\n    litellm_params: {{model: openai/upstream, api_key: none, "
            f"api_base: 'http://127.0.0.1:{port}/v1'}}\n"
            for name, port in (("upstream", self.upstream_port), ("stream", self.stream_port))
        )
        config.write_text(f"model_list:\n{rows}general_settings: {{master_key: sk-bench}}\n")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [str(python.parent / "litellm"), "--config", str(config), "--port", str(port), "--num_workers", "1"]
        env = {
            **os.environ,
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PATH": f"{python.parent}:{os.environ['PATH']}",
        }
        log = (self.folder / "litellm.log").open("wb")
        child = stack.enter_context(process(command, f"{url}/health/liveliness", stdout=log, stderr=log, env=env))
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-bench"}
        sent = openai_body(stream=False)
        streamed = openai_body(stream=True).replace(b'"model": "upstream"', b'"model": "stream"')
        path = f"{url}/v1/chat/completions"
        self.gateways.append(Gateway("LiteLLM", child.pid, path, path, headers, sent, streamed, headers))

    def measure(self, gateway: Gateway) -> None:
        script = lua(self.folder, gateway.name.replace(" ", "-"), gateway.headers, gateway.body)
        gateway.p50_us.append(wrk(script, gateway.url, 1, max(2, self.args.seconds // 2))[1])
        cpu, requests, seconds = self.loaded(gateway, script, gateway.url, 64, enough=200)
        gateway.cpu_us.append(cpu / requests * 1e6)
        gateway.rps.append(requests / seconds)
        stream = lua(
            self.folder, f"{gateway.name.replace(' ', '-')}-stream", gateway.stream_headers, gateway.stream_body
        )
        cpu, requests, _ = self.loaded(gateway, stream, gateway.stream_url, 2, enough=3)
        gateway.chunk_us.append(cpu / (requests * STREAM_CHUNKS) * 1e6)

    def loaded(
        self, gateway: Gateway, script: Path, url: str, connections: int, *, enough: int
    ) -> tuple[float, int, float]:
        """CPU seconds, requests and wall seconds; whoever is slow gets longer, so that enough requests end."""
        seconds = self.args.seconds
        while True:
            before = cpu_s(gateway.pid, gateway.without)
            requests, _ = wrk(script, url, connections, seconds)
            if requests >= enough:
                return cpu_s(gateway.pid, gateway.without) - before, requests, seconds
            seconds *= 2

    def direct_p50_us(self) -> float:
        script = lua(self.folder, "direct", {"Content-Type": "application/json"}, openai_body(stream=False))
        return wrk(script, f"http://127.0.0.1:{self.upstream_port}/v1/chat/completions", 1, 1)[1]


def table(bench: Bench, direct_us: float) -> str:
    base = {gateway.name: statistics.median(gateway.cpu_us) for gateway in bench.gateways}
    ours = base["Craton"]
    lines = [
        "| gateway | CPU µs per request, 64 connections | beside Craton | requests/s | added p50 at 1 connection, µs | CPU µs per stream chunk | PSS, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for gateway in bench.gateways:
        lines.append(
            f"| {gateway.name} | {base[gateway.name]:,.0f} | {base[gateway.name] / ours:.2f} × | "
            f"{statistics.median(gateway.rps):,.0f} | {statistics.median(gateway.p50_us) - direct_us:,.0f} | "
            f"{statistics.median(gateway.chunk_us):.2f} | {pss_mib(gateway.pid):.0f} |"
        )
    if bench.user is not None:
        pairs = zip(bench.user.cpu_us, bench.gateways[0].cpu_us, strict=True)
        more = statistics.median(mine - root for mine, root in pairs)
        lines.append(f"\nThe user costs {more:+.1f} µs of CPU per request more than root (median of paired rounds).")
    if bench.hosted is not None:
        pairs = zip(bench.hosted.cpu_us, bench.gateways[0].cpu_us, strict=True)
        ratio = statistics.median(mine / outside for mine, outside in pairs)
        lines.append(f"\nA hosted model costs {ratio:.2f} × the CPU of an outside one (median of paired rounds).")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--litellm", default=str(ROOT / ".tools/litellm/bin/python"), help="Python of LiteLLM's venv")
    parser.add_argument("--principal", type=int, default=0, metavar="POLICIES", help="ask as such a user as well")
    parser.add_argument("--hosted", action="store_true", help="ask the same upstream as a replica of Craton's as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        Path(name).chmod(0o755)
        bench = Bench(Path(name), args)
        stack.enter_context(process(bench.upstream(), f"http://127.0.0.1:{bench.upstream_port}/"))
        bench.craton(stack)
        bench.nginx_proxy(stack)
        bench.litellm(stack)
        direct: list[float] = []
        for _ in range(args.rounds):
            direct.append(bench.direct_p50_us())
            for gateway in bench.gateways:
                bench.measure(gateway)
        print(table(bench, statistics.median(direct)))


if __name__ == "__main__":
    main()
