"""Containers of OCI images: what podman and docker are told, how their network is entered, and what is removed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from craton.infra.compute.containers import oci
from craton.infra.compute.containers.start import line_of
from craton.infra.compute.port import Container, ModelSpec, Mount
from tests.integration.containers.running_containers import Kept, spec, walled, with_replica

STANDIN = Path(__file__).with_name("podman_standin.py")


@pytest.fixture
def podman(tmp_path: Path) -> Path:
    """The stand-in under podman's name; what it was told lies in `kept` beside it."""
    (tmp_path / "kept").mkdir()
    program = tmp_path / "podman"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {STANDIN} {tmp_path}/kept "$@"\n')
    program.chmod(0o700)
    return program


def of_image(podman: Path, mode: str = "ok", **more: Any) -> ModelSpec:
    given = {"image": "localhost/model:1", "runtime": f"{podman} --runtime runc", **more.pop("container", {})}
    return spec(mode, container=Container(**given), command=("serve",), reads=(), **more)


def told(podman: Path) -> dict[str, Any]:
    """What the stand-in was told of its one container."""
    (found,) = (podman.parent / "kept").glob("craton-*")
    answer: dict[str, Any] = json.loads(found.read_text())
    return answer


@walled
def test_an_image_is_run_without_network_and_rights(podman: Path, tmp_path: Path) -> None:
    """The image gets no network, no capability, no writable root, limits, its model and SageMaker's `serve`."""
    wanted = of_image(
        podman,
        container={"mounts": (Mount(str(tmp_path), "/opt/ml/model"),), "options": ("--ulimit", "nofile=64:64")},
        memory_limit_bytes=1 << 30,
        threads=2,
        env={"MODEL_NAME": "tiny"},
    )

    async def body(one: Kept) -> None:
        await one.until("ready")
        assert (await one.invoke(messages=[{"content": "hi"}]))["choices"][0]["message"]["content"] == "Echo: hi"
        found = told(podman)
        given = found["given"]
        assert (found["image"], found["command"]) == ("localhost/model:1", ["serve"])
        assert {"--rm", "--read-only", "--http-proxy=false"} <= set(found["alone"])
        expected = {
            "--network": "none", "--pull": "never", "--cap-drop": "all", "--security-opt": "no-new-privileges",
            "--memory": str(1 << 30), "--memory-swap": str(1 << 30), "--pids-limit": "512", "--cpus": "2",
            "--volume": f"{tmp_path}:/opt/ml/model:ro", "--ulimit": "nofile=64:64", "--log-driver": "none",
        }  # fmt: skip
        assert {key: given[key] for key in expected} == {key: [value] for key, value in expected.items()}
        assert {"SAGEMAKER_BIND_TO_PORT=8080", "MODEL_NAME=tiny"} <= set(given["--env"])
        assert given["--label"] == [f"craton.supervisor={oci.owner()}"]

    with_replica(wanted, body)


@walled
def test_its_network_leads_nowhere(podman: Path) -> None:
    """What reaches the container's port from here is the relay alone."""

    async def body(one: Kept) -> None:
        await one.until("ready")
        assert (await one.attempt("connect:192.0.2.1:80")).startswith("refused")

    with_replica(of_image(podman), body)


@walled
def test_a_stopped_one_is_removed(podman: Path) -> None:
    """Stopping the replica ends the container and has the runtime forget it."""

    async def body(one: Kept) -> None:
        await one.until("ready")
        pid = told(podman)["pid"]
        await one.host.stop("one")
        await gone(pid, podman)

    with_replica(of_image(podman), body)


@walled
def test_one_whose_relay_was_killed_is_removed(podman: Path) -> None:
    """A container does not outlive the process that ran it, however that one ends."""

    async def body(one: Kept) -> None:
        status = await one.until("ready")
        pid = told(podman)["pid"]
        os.kill(status.pid, signal.SIGKILL)
        await gone(pid, podman)

    with_replica(of_image(podman), body)


async def gone(pid: int, podman: Path) -> None:
    for _ in range(3_000):
        if not Path(f"/proc/{pid}").exists() and (podman.parent / "kept" / "removed").exists():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the container is still there")


def test_an_image_that_is_not_there_says_so(podman: Path) -> None:
    """What the runtime says of an unknown image is the replica's error."""

    async def body(one: Kept) -> None:
        status = await one.until("failed")
        assert "image not known" in status.last_error

    with_replica(of_image(podman, container={"image": "localhost/none:1"}), body)


def test_what_dead_supervisors_left_is_removed(podman: Path) -> None:
    """Containers with the label of a process that is gone are removed; those of living ones stay."""
    kept = podman.parent / "kept"
    labels = {"craton-dead": "999999999.1", "craton-reused": f"{os.getpid()}.1", "craton-own": oci.owner()}
    for name, label in labels.items():
        row = {"given": {"--label": [f"craton.supervisor={label}"]}, "pid": 999999999}
        (kept / name).write_text(json.dumps(row))
    assert sorted(oci.remove_leftovers([str(podman)])) == ["craton-dead", "craton-reused"]
    assert [path.name for path in kept.glob("craton-*")] == ["craton-own"]


def test_without_a_runtime_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No podman and no docker: the message names both."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no podman or docker"):
        oci.found()
    with pytest.raises(FileNotFoundError, match="no special-runtime"):
        oci.found("special-runtime --option")


def test_a_server_that_names_its_socket_needs_no_relay(podman: Path, tmp_path: Path) -> None:
    """With port 0 the socket's folder is shared with the container, and nobody enters its network."""
    container = Container(image="localhost/vllm:1", runtime=str(podman), port=0)
    wanted = ModelSpec(id="x", command=("--uds", "{uds}"), container=container)
    line = line_of(wanted, tmp_path / "sock", tmp_path, 1, "required")
    plan = json.loads(line.command[4])
    assert "runtime" not in plan
    assert f"{tmp_path}:{tmp_path}:rw" in line.command
    assert line.command[-2:] == ["--uds", f"{tmp_path}/sock"]


@pytest.mark.parametrize(
    ("program", "gpus"), [("podman", ["--device", "nvidia.com/gpu=1"]), ("docker", ["--gpus", '"device=1"'])]
)
def test_accelerators_are_passed_on(tmp_path: Path, program: str, gpus: list[str]) -> None:
    """A replica gets the accelerator that was given to it, in the words of its runtime."""
    wanted = ModelSpec(id="x", command=(), gpus=1.0, container=Container(image="i"))
    words = oci.arguments([program], "n", wanted, Container(image="i"), {"CUDA_VISIBLE_DEVICES": "1"}, tmp_path)
    at = words.index(gpus[0])
    assert words[at : at + 2] == gpus
