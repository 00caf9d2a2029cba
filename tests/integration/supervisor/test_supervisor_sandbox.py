"""The walls around model processes, tried from within."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ModelFailed, ModelSpec
from craton.infra.compute.replica import Rules
from craton.infra.compute.sandbox import Sandbox, Walls, tried

MODEL = Path(__file__).with_name("sandbox_model.py")
RULES = Rules(start_poll_s=0.01, crash_limit=1, crash_window_s=3600)
FREE = {"scratch", "socketpair", "own signal", "program"}
NETWORK = {"tcp", "udp"}
HERE = tried()
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")


def told(folder: Path, sandbox: Sandbox) -> dict[str, str]:
    """What the process in the sandbox could do."""
    home, outside = folder / "home", folder / "outside"
    for place in (home, outside):
        place.mkdir()
    (home / "secret").write_text("the root key")
    (outside / "old").write_text("old")

    async def main() -> list[str]:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as peer:
            peer.bind(str(folder / "peer"))
            peer.listen()
            given = (str(tcp.getsockname()[1]), str(outside), str(home / "secret"), str(folder / "peer"))
            command = (sys.executable, str(MODEL), "{uds}", *given)
            host = LocalModelHost(home / "models", None, RULES, sandbox)
            try:
                host.start("m", ModelSpec(id="m", command=command, reads=(str(MODEL.parent),), start_timeout_s=180))
                while (state := host.replicas()[0].state) not in ("ready", "failed"):
                    await asyncio.sleep(0.02)
                if state == "failed":
                    raise ModelFailed(host.replicas()[0].last_error)
                return host.log("m")
            finally:
                await host.close()

    return dict(line.split(": ", 1) for line in asyncio.run(main()) if ": " in line)


def test_a_model_process_gets_nowhere(tmp_path: Path) -> None:
    """No network, no other socket, no file but its scratch, nothing of the home, nobody to signal."""
    if HERE.gaps:
        pytest.fail(f"this system does not allow the walls: {HERE.gaps}")
    found = told(tmp_path, Sandbox("required", tmp_path / "home"))
    assert {name for name, how in found.items() if how == "done"} == FREE
    assert (tmp_path / "outside" / "old").read_text() == "old"
    assert (tmp_path / "outside" / "old").stat().st_mode & 0o777 != 0o777


@pytest.mark.parametrize("one", ["namespaces", "landlock", "seccomp"])
def test_each_wall_stands_alone(tmp_path: Path, one: str) -> None:
    """Where a system refuses the others, what is left does what it says."""
    walls = Walls(**{one: getattr(HERE, one)})
    found = told(tmp_path, Sandbox("auto", tmp_path / "home", walls))
    assert {name for name in FREE if found.get(name) != "done"} == set(), found
    if walls.network_closed:
        assert not NETWORK & {name for name, how in found.items() if how == "done"}
    if walls.files_closed:
        assert found["write"] != "done"
        assert found["read home"] != "done"


def test_off_is_off(tmp_path: Path) -> None:
    """Without walls the process may do all that it tries."""
    found = told(tmp_path, Sandbox("off", tmp_path / "home"))
    assert {found[name] for name in ("tcp", "udp", "peer", "write", "read home", "signal")} == {"done"}


def test_threads_of_libraries_do_not_hinder(tmp_path: Path) -> None:
    """Some begin threads again in a fork, and what has threads may not leave its user namespace."""
    program = (
        "import os, subprocess, sys, threading, time; from pathlib import Path\n"
        "from craton.infra.compute.sandbox import Sandbox\n"
        "begin = lambda: threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"
        "os.register_at_fork(after_in_child=begin)\n"
        "here, sandbox = Path(sys.argv[1]), Sandbox('auto', Path(sys.argv[1]))\n"
        "print(sandbox.walls)\n"
        "with sandbox.around(here, ()) as entry:\n"
        "    subprocess.Popen([*entry.words, '/bin/true'], pass_fds=entry.handles); entry.settle()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(HERE), "")


def test_required_walls_that_cannot_be_had_start_nothing(tmp_path: Path) -> None:
    """The model is refused, and the reason names what it could have done."""
    with pytest.raises(ModelFailed, match="could open network connections, write wherever"):
        told(tmp_path, Sandbox("required", tmp_path / "home", Walls()))


def test_a_model_behind_walls_still_dies_with_its_supervisor(tmp_path: Path) -> None:
    """The parent-death signal outlives the change of rights."""
    program = (
        "import sys, os, time, subprocess; from pathlib import Path\n"
        "from craton.infra.compute.sandbox import Sandbox\n"
        "here = Path(sys.argv[1])\n"
        "with Sandbox('auto', here / 'home').around(here, ()) as entry:\n"
        "    sleep = [sys.executable, '-S', '-c', 'import time; time.sleep(60)']\n"
        "    child = subprocess.Popen([*entry.words, *sleep], pass_fds=entry.handles); entry.settle()\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert select.select([child], [], [], 60)[0]
    os.close(child)
    parent.stdout.close()


@pytest.mark.parametrize(
    "program",
    [
        "import numpy as np, onnxruntime as ort; print(ort.get_device(), np.ones((64, 64)).dot(np.ones((64, 64))).sum())",
        "import torch; print((torch.ones(64, 64) @ torch.ones(64, 64)).sum().item())",
    ],
    ids=["onnxruntime", "torch"],
)
def test_runtimes_run_behind_walls(tmp_path: Path, program: str) -> None:
    """What models compute with needs nothing that is refused."""
    scratch = tmp_path / "home" / "scratch"
    scratch.mkdir(parents=True)
    with Sandbox("auto", tmp_path / "home").around(scratch, ()) as entry:
        done = subprocess.run(
            [*entry.words, sys.executable, "-P", "-c", program],
            pass_fds=entry.handles,
            cwd=scratch,
            env={"HOME": str(scratch), "TMPDIR": str(scratch), "OMP_NUM_THREADS": "2"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "262144.0" in done.stdout
