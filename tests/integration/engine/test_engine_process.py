"""The engine as a process: starting, refusing to start, draining, dying with its parent."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.engine.engine_process import TINY, EngineProcess


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Idle, it exits with 0 at once, and its socket is gone."""
    with EngineProcess(tmp_path) as engine:
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(10) == 0
        assert not engine.uds.exists()
        states = [line.split()[1] for line in engine.log.read_text().splitlines()]
        assert states == ["state=loading", "state=ready", "state=draining", "state=stopped"]


def test_sigterm_lets_a_running_answer_end(tmp_path: Path) -> None:
    """An answer that is being streamed is finished before the process goes."""
    with EngineProcess(tmp_path) as engine:
        stream = engine.stream(max_tokens=100, temperature=0, ignore_eos=True)
        next(stream)
        engine.process.send_signal(signal.SIGTERM)
        assert list(stream)[-1]["choices"][0]["finish_reason"] == "length"
        assert engine.process.wait(10) == 0


def test_a_directory_that_cannot_be_served_is_said(tmp_path: Path) -> None:
    """Exit status 1, and one line naming what is missing."""
    broken = Path(shutil.copytree(TINY, tmp_path / "broken"))
    (broken / "model.onnx").unlink()
    with EngineProcess(tmp_path, model=broken, wait=False) as engine:
        assert engine.process.wait(30) == 1
        assert "model.onnx is missing" in engine.log.read_text()
    (broken / "model.onnx").write_bytes(b"no model")
    (broken / "craton.json").unlink()
    with EngineProcess(tmp_path, model=broken, wait=False) as engine:
        assert engine.process.wait(30) == 1
        assert "cannot be opened" in engine.log.read_text()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """A socket file that a killed process left does not stop the next one."""
    with EngineProcess(tmp_path) as engine:
        engine.process.kill()
        engine.process.wait()
        assert engine.uds.exists()
    with EngineProcess(tmp_path) as engine:
        assert engine.chat()[0] == 200


def test_a_port_of_the_systems_choice(tmp_path: Path) -> None:
    """With port 0 the chosen address is in the log's first line, on loopback."""
    command = [sys.executable, "-m", "craton.engine", "--model", str(TINY), "--port", "0", "--threads", "1"]
    with subprocess.Popen([*command, "--name", "mine"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        port = int(line.partition("address=http://127.0.0.1:")[2].split()[0])
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert b'"id":"mine"' in b"".join(iter(lambda: client.recv(65536), b""))
        process.terminate()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """When the process that started it is killed, no orphan stays."""
    engine = EngineProcess(tmp_path)
    parent = f"import subprocess,time; p=subprocess.Popen({engine.command!r}); print(p.pid, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        end = time.monotonic() + 90
        while not engine.uds.exists() and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
    while _runs(child):
        assert time.monotonic() < end
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_an_orphan_does_not_start(tmp_path: Path) -> None:
    """Told of a parent that is not its own, it ends at once."""
    with EngineProcess(tmp_path, "--parent-pid", str(os.getpid() + 1), wait=False) as engine:
        assert engine.process.wait(20) == 1
