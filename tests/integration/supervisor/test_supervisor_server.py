"""The whole server with a fake application: start, ports, lost workers, generations, the end, and nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import pytest

from craton.infra.compute.process import children, tree
from craton.infra.control.console import Console
from craton.infra.control.home import control_path
from craton.infra.control.wire import ControlFault

HERE = Path(__file__).parent


class Running:
    """A server process and how to speak to it."""

    def __init__(self, process: subprocess.Popen[str], home: Path, url: str) -> None:
        self.process = process
        self.home = home
        self.url = url
        self.port = urlsplit(url).port or 0

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def console(self) -> Console:
        return Console(control_path(self.home), timeout_s=20)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def start(home: Path, *options: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(HERE), *sys.path])
    return subprocess.Popen(
        [sys.executable, str(HERE / "serve_fake.py"), str(home), *options],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def running(home: Path, *options: str) -> Iterator[Running]:
    process = start(home, *options)
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 30)
        url = process.stdout.readline().strip() if ready else ""
        assert url, process.communicate(timeout=60)
        yield Running(process, home, url)
    finally:
        process.kill()
        process.communicate()


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def until(condition: Callable[[], bool], within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def open_stream(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(4096).startswith(b"HTTP/1.1 200")
    return sock


def drained(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65_536):
            data += piece
    sock.close()
    return data


def test_it_serves_on_a_free_port_and_ends_with_zero(tmp_path: Path) -> None:
    """Port 0 is told as it is, settings reach the worker, SIGTERM ends with 0 and removes the sockets."""
    with running(tmp_path) as server:
        assert server.port > 0
        assert server.get("/health") == b"{}"
        assert server.get("/settings") == b"the settings"
        pids = tree(server.process.pid)
        assert server.end() == 0
        until(lambda: all(map(is_gone, pids)))
    assert not control_path(tmp_path).exists()


def test_http2_with_prior_knowledge_is_served_on_the_same_port(tmp_path: Path) -> None:
    """The preface of HTTP/2 on the cleartext port is understood, as the JavaScript SDK needs it."""
    with running(tmp_path) as server:
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        headers = [(":method", "GET"), (":path", "/settings"), (":scheme", "http"), (":authority", "x")]
        connection.send_headers(1, headers, end_stream=True)
        sock.sendall(connection.data_to_send())
        body, over = b"", False
        while not over:
            for event in connection.receive_data(sock.recv(65_536)):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                over = over or isinstance(event, h2.events.StreamEnded)
        sock.close()
        assert body == b"the settings"


def test_a_killed_worker_is_replaced_while_others_serve(tmp_path: Path) -> None:
    """No request fails when one of two workers dies, and a new one takes its seat."""
    with running(tmp_path, "workers=2") as server:
        until(lambda: len(children(server.process.pid)) == 2)
        before = children(server.process.pid)
        until(lambda: {server.get("/pid") for _ in range(20)} == {str(pid).encode() for pid in before})
        os.kill(before[0], signal.SIGKILL)
        for _ in range(20):
            assert server.get("/health") == b"{}"
        until(lambda: len(children(server.process.pid)) == 2 and before[0] not in children(server.process.pid))
        new = next(pid for pid in children(server.process.pid) if pid not in before)
        until(lambda: str(new).encode() in {server.get("/pid") for _ in range(20)})


def test_the_only_worker_killed_loses_no_new_connection(tmp_path: Path) -> None:
    """While the only worker is replaced, connections wait in the queue; the new one knows the current generation."""
    with running(tmp_path) as server:
        with server.console() as console:
            console.call("publish", {"payload": b"second"})
        os.kill(int(server.get("/pid")), signal.SIGKILL)
        assert server.get("/generation") == b"2:second"


def test_a_worker_that_dies_again_and_again_is_replaced_each_time(tmp_path: Path) -> None:
    """Three deaths within seconds do not end the server."""
    with running(tmp_path) as server:
        for _ in range(3):
            pid = int(server.get("/pid"))
            with contextlib.suppress(http.client.HTTPException, ConnectionError):
                server.get("/die")
            until(lambda pid=pid: is_gone(pid))
        assert server.get("/health") == b"{}"
        assert server.end() == 0


def test_the_masters_death_ends_everything(tmp_path: Path) -> None:
    """After kill -9 of the supervisor no worker, no model and nothing that a model started is left."""
    with running(tmp_path, "workers=2") as server:
        with server.console() as console:
            console.call("models.ensure", {"model_id": "family"})
        grandchild = int((tmp_path / "family.starts.child").read_text())
        pids = tree(server.process.pid)
        assert grandchild in pids
        server.process.kill()
        until(lambda: all(map(is_gone, pids)))
    with running(tmp_path) as again:
        assert again.get("/health") == b"{}"


def test_a_second_server_on_the_home_is_refused(tmp_path: Path) -> None:
    """The error names the process that holds the home, and the first server goes on."""
    with running(tmp_path) as server:
        second = start(tmp_path)
        _, errors = second.communicate(timeout=20)
        assert second.returncode == 2
        assert f"process {server.process.pid}" in errors
        assert server.get("/health") == b"{}"


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """Two servers never share a port by accident."""
    with running(tmp_path / "a") as server:
        second = start(tmp_path / "b", f"port={server.port}")
        _, errors = second.communicate(timeout=20)
        assert second.returncode == 2
        assert "in use" in errors.lower()


def test_sigterm_with_an_open_stream_ends_with_zero(tmp_path: Path) -> None:
    """A stream that outlives the drain gets its last words, and the exit code is 0."""
    with running(tmp_path, "drain_s=0.3") as server:
        stream = open_stream(server.port)
        server.process.send_signal(signal.SIGTERM)
        assert b"data: bye" in drained(stream)
        assert server.process.wait(20) == 0


def test_while_it_drains_new_connections_are_refused(tmp_path: Path) -> None:
    """A server that ends does not let new clients hang."""
    with running(tmp_path, "drain_s=20") as server:
        stream = open_stream(server.port)
        server.process.send_signal(signal.SIGTERM)

        def is_refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            except ConnectionRefusedError:
                return True
            return False

        until(is_refused)
        assert b"data: x" in stream.recv(4096)
        server.process.send_signal(signal.SIGTERM)  # the second time means at once
        assert server.process.wait(20) == 0
        stream.close()


def test_models_are_reached_through_the_channel(tmp_path: Path) -> None:
    """ensure, status, log and stop work from a command line; unknown and broken models have their codes."""
    with running(tmp_path) as server, server.console() as console:
        base_url = console.call("models.ensure", {"model_id": "ok"})["seats"][0][1]
        assert base_url.startswith("unix:/")
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(base_url.removeprefix("unix:"))
        sock.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        sock.close()
        row = {row["id"]: row for row in console.call("models.status")}["ok"]
        assert (row["id"], row["state"]) == ("ok", "ready")
        assert row["pss_bytes"] > 0
        assert console.call("models.log", {"model_id": "ok"})[0].startswith("start 1")
        assert console.call("models.stop", {"model_id": "ok"}) is True
        for model_id, code in (("nothing", "model_unknown"), ("crash", "model_failed"), ("", "bad_params")):
            with pytest.raises(ControlFault) as caught:
                console.call("models.ensure", {"model_id": model_id}, timeout_s=20)
            assert caught.value.code == code


def test_all_workers_take_up_a_generation(tmp_path: Path) -> None:
    """When publish has answered, every worker answers by the new generation."""
    with running(tmp_path, "workers=2") as server, server.console() as console:
        until(lambda: sum(row["ready"] for row in console.call("workers.status")) == 2)
        number = console.call("publish", {"payload": b"now"})
        assert {server.get("/generation") for _ in range(20)} == {b"%d:now" % number}


def test_a_worker_stuck_in_an_old_generation_is_replaced(tmp_path: Path) -> None:
    """A worker that cannot take up a generation is ended, so that none serves what is no longer true."""
    with running(tmp_path) as server, server.console() as console:
        pid = int(server.get("/pid"))
        console.call("publish.fast", {"payload": b"poison"})
        until(lambda: is_gone(pid))


def test_an_application_that_cannot_start_ends_the_start(tmp_path: Path) -> None:
    """The exit code is 1 and the application's own words are on standard error."""
    process = start(tmp_path, "app=open_broken")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "this application cannot start" in errors


def test_an_end_before_the_application_is_open_is_an_end(tmp_path: Path) -> None:
    """SIGTERM while the application still opens ends with 0, without waiting for the drain."""
    process = start(tmp_path, "app=open_never", "drain_s=60")
    until(lambda: control_path(tmp_path).exists() and len(children(process.pid)) == 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.communicate()


def test_an_application_without_generations_is_no_brake(tmp_path: Path) -> None:
    """Publishing works with an application that does not care."""
    with running(tmp_path, "app=open_plain") as server, server.console() as console:
        assert console.call("publish", {"payload": b"x"}) == 2
        assert server.get("/health") == b"{}"


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    """The server can listen on a private Unix socket, which goes with it."""
    path = tmp_path / "http.sock"
    with running(tmp_path, f"uds={path}") as server:
        assert path.stat().st_mode & 0o777 == 0o600
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        sock.sendall(b"GET /settings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert drained(sock).endswith(b"the settings")
        assert server.end() == 0
    assert not path.exists()


def test_many_idle_connections_do_not_stop_the_end(tmp_path: Path) -> None:
    """Keep-alive connections and silent ones do not make the end wait for the drain."""
    with running(tmp_path, "drain_s=60") as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        kept.request("GET", "/health")
        kept.getresponse().read()
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        began = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - began < 30
        kept.close()
        silent.close()
