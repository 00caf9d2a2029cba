"""Containers of OCI images, run by podman or docker.

Owns the arguments of `run`, and the removal of what a supervisor that was killed left behind: every container carries
a label that says which process it belongs to. Images are never fetched unless the configuration says so. Must not know
models.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Final

from craton.infra.compute.port import Container, ModelSpec

RUNTIMES: Final = ("podman", "docker")
LABEL: Final = "craton.supervisor"
# Where a runtime finds its images and its daemon; a model's process gets none of it.
_PASSED_ON: Final = (
    "PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DOCKER_HOST", "DOCKER_CONTEXT",
    "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "DBUS_SESSION_BUS_ADDRESS", "LANG",
)  # fmt: skip
_SHARED_MEMORY: Final = "256m"
_LIST_TIMEOUT_S: Final = 20.0


def found(wanted: str = "") -> tuple[str, ...]:
    """The runtime, with the options that stand behind its name: the one that is named, else the first that is there.

    Raises:
        FileNotFoundError: there is none.
    """
    for name, *options in [shlex.split(wanted)] if wanted.strip() else [[name] for name in RUNTIMES]:
        path = shutil.which(name)
        if path is not None:
            return (path, *options)
    raise FileNotFoundError(2, f"there is no {wanted or 'podman or docker'} on this machine to run images with")


def arguments(
    runtime: Sequence[str],
    name: str,
    spec: ModelSpec,
    container: Container,
    env: Mapping[str, str],
    scratch: Path,
) -> list[str]:
    """The words that run the image in the foreground, without a network and without rights."""
    words = [
        *runtime, "run", "--rm", "--name", name, "--label", f"{LABEL}={owner()}", "--pull", container.pull,
        "--network", "none", "--read-only", "--tmpfs", f"/tmp:rw,nosuid,nodev,size={container.scratch_bytes}",  # noqa: S108
        "--shm-size", _SHARED_MEMORY, "--cap-drop", "all", "--security-opt", "no-new-privileges", "--log-driver", "none",
        "--user", container.user or f"{os.getuid()}:{os.getgid()}", "--pids-limit", str(container.processes),
        "--stop-timeout", "0",  # whoever removes it has asked it to end before
    ]  # fmt: skip
    if spec.threads:  # not every system lets its users bound this
        words += ["--cpus", str(spec.threads)]
    if is_podman(runtime):
        words += ["--http-proxy=false"]
        if os.getuid() and not container.user:
            words += ["--userns", "keep-id"]
    if spec.memory_limit_bytes:
        words += ["--memory", str(spec.memory_limit_bytes), "--memory-swap", str(spec.memory_limit_bytes)]
    words += _accelerators(runtime, spec, env)
    for folder, at in [(mount.folder, mount.at) for mount in container.mounts] + [(one, one) for one in spec.reads]:
        words += ["--volume", f"{folder}:{at}:ro"]
    if container.port == 0:
        words += ["--volume", f"{scratch}:{scratch}:rw"]
    for key, value in env.items():
        words += ["--env", f"{key}={value}"]
    return [*words, *container.options, container.image]


def is_podman(runtime: Sequence[str]) -> bool:
    return Path(runtime[0]).name.startswith("podman")


def _accelerators(runtime: Sequence[str], spec: ModelSpec, env: Mapping[str, str]) -> list[str]:
    """The GPUs that were given to this replica, or all."""
    if not spec.gpus:
        return []
    given = [one for one in env.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    if is_podman(runtime):
        return [word for one in given or ["all"] for word in ("--device", f"nvidia.com/gpu={one}")]
    return ["--gpus", f'"device={",".join(given)}"' if given else "all"]


def environment() -> dict[str, str]:
    """What the runtime's own program gets."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


# --- whose a container is ---


def owner(pid: int | None = None) -> str:
    """A process, so named that a later one with its number is another."""
    pid = os.getpid() if pid is None else pid
    return f"{pid}.{_started(pid)}"


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty for one that is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_left(label: str) -> bool:
    """Whether the process that this label names has gone."""
    pid, _, began = label.partition(".")
    return not (pid.isdigit() and began and _started(int(pid)) == began)


@cache
def sweep(runtime: tuple[str, ...]) -> None:
    """Begin to remove what is left, once in this process's life; nobody waits for it."""
    Thread(target=remove_leftovers, args=(runtime,), name="leftover containers", daemon=True).start()


def remove_leftovers(runtime: Sequence[str]) -> list[str]:
    """Remove the containers of supervisors that are dead; their names. A runtime that does not answer has none."""
    names = _asked([*runtime, "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]).split()
    # By `inspect`: the two runtimes have no common word for one label in a list.
    shown = '{{index .Config.Labels "' + LABEL + '"}}'
    labels = _asked([*runtime, "inspect", "--format", shown, *names]).split() if names else []
    if len(labels) != len(names):  # one of them went meanwhile; it is no hurry
        return []
    left = [name for name, label in zip(names, labels, strict=True) if is_left(label)]
    if left:
        _asked([*runtime, "rm", "--force", *left])
    return left


def _asked(words: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            words, env=environment(), capture_output=True, text=True, timeout=_LIST_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
