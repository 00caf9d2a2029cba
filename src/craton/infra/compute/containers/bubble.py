"""Containers by bubblewrap: a command of this machine, or a root folder, behind walls of its own.

Owns the arguments: namespaces, file system, environment, the filter of system calls. The network is made by the relay
around it, which also keeps the limits. Pure but for looking at folders; must not know what a model is.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from craton.infra.compute import seccomp
from craton.infra.compute.containers import folders
from craton.infra.compute.port import Container, ModelSpec
from craton.infra.compute.sandbox import devices

PROGRAM: Final = "bwrap"
NOBODY: Final = "65534"
_SHARED_MEMORY_BYTES: Final = 256 * 1024 * 1024
_RUN_BYTES: Final = 16 * 1024 * 1024
_WALLS: Final = (
    "--unshare-user", "--disable-userns", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
    "--uid", NOBODY, "--gid", NOBODY, "--hostname", "model", "--cap-drop", "ALL", "--new-session", "--die-with-parent",
    "--clearenv", "--seccomp", "{filter}",
)  # fmt: skip
# The kernel's own settings: to a server that is root they belong, whatever rights the process has left.
_KERNEL: Final = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
_HIDDEN: Final = ("kcore", "keys", "timer_list", "sched_debug", "kpagecount", "kpageflags")
_PROGRAMS: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Calls that a server of models has no use for, and with which others got out of containers.
_REFUSED: Final = (
    "mount", "umount2", "unshare", "setns", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "keyctl",
    "bpf", "perf_event_open", "userfaultfd",
)  # fmt: skip
# Unix, IPv4, IPv6, netlink, by which libraries ask for addresses; not the host of a virtual machine, nor raw packets.
_FAMILIES: Final = (1, 2, 10, 16)


def available() -> bool:
    """Whether the program is on the PATH; whether it works here is found out by a first start."""
    return shutil.which(PROGRAM) is not None


def arguments(
    spec: ModelSpec, container: Container, command: Sequence[str], env: Mapping[str, str], scratch: Path
) -> list[str]:
    """The words that run `command` within walls. Raises FileNotFoundError for a program or folder that is not there."""
    words = [PROGRAM, *_WALLS, "--proc", "/proc", "--dev", "/dev", *kernel_files()]
    for size, place in ((_SHARED_MEMORY_BYTES, "/dev/shm"), (container.scratch_bytes, "/tmp"), (_RUN_BYTES, "/run")):  # noqa: S108
        words += ["--size", str(size), "--tmpfs", place]
    if spec.gpus:
        words += [word for device in devices() for word in ("--dev-bind-try", str(device), str(device))]
        words += ["--ro-bind-try", "/sys", "/sys"]
    words += _files(spec, container, command[0])
    if container.port == 0:
        words += ["--bind", str(scratch), str(scratch)]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", working_folder(container, spec)]
    for name, value in ({"PATH": _PROGRAMS} | dict(env)).items():
        words += ["--setenv", name, value]
    return [*words, "--", *command]


def kernel_files() -> list[str]:
    """The words that make the kernel's own settings read-only and its secrets empty, behind `--proc` and `--dev`."""
    words: list[str] = []
    for name in _KERNEL:
        words += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    for name in _HIDDEN:
        words += ["--ro-bind", "/dev/null", f"/proc/{name}"] if Path("/proc", name).exists() else []
    return words


def _files(spec: ModelSpec, container: Container, program: str) -> list[str]:
    mounts = [mount.at for mount in container.mounts]
    if container.root:
        words = folders.rooted(existing(container.root), [*mounts, *spec.reads])
        for folder in spec.reads:
            words += ["--ro-bind", folder, folder]
    else:
        words = folders.system(program, spec.reads, mounts)
    for mount in container.mounts:
        words += ["--ro-bind", str(existing(mount.folder)), mount.at]
    return words


def working_folder(container: Container, spec: ModelSpec) -> str:
    """Where the command begins: at a root folder's root, or in the first of the folders that it may read."""
    if container.root:
        return "/"
    return spec.reads[0] if spec.reads else "/tmp"  # noqa: S108


def existing(folder: str) -> Path:
    """The folder. Raises FileNotFoundError."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(2, f"there is no folder {folder}")
    return Path(folder)


def call_filter() -> bytes:
    """The filter of system calls for this machine; empty where there is none."""
    found = seccomp.machine()
    if found is None:
        return b""
    rules: dict[str, tuple[seccomp.Allowed, ...]] = dict.fromkeys(_REFUSED, ())
    return seccomp.program(found, 0, {"socket": (seccomp.Allowed(0, _FAMILIES),), **rules})
