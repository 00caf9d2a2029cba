"""The walls around an environment: what its processes see of this machine, by bubblewrap.

Owns the arguments: a system that is read-only, the function at /var/task, its layers at /opt, the runtime at /var/runtime, a
/tmp of its own with a size, nothing of any user's; and what stands for all that where the walls are switched off. The
network is made by the launcher around it. Pure but for looking at folders; must not know what a function is for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from craton.features.functions.host.runtimes import LANGUAGE, RUNTIME, TASK, Runtime
from craton.infra.compute.containers import bubble, folders
from craton.infra.compute.sandbox import Mode, Refused

_WALLS: Final = (
    bubble.PROGRAM, "--unshare-user", "--disable-userns", "--unshare-ipc", "--unshare-pid", "--unshare-uts",
    "--unshare-cgroup-try", "--uid", bubble.NOBODY, "--gid", bubble.NOBODY, "--hostname", "function", "--cap-drop", "ALL",
    "--new-session", "--die-with-parent",
)  # fmt: skip
_NONE: Final = (
    "functions run behind walls that need bubblewrap (the program bwrap), which is not here: install it, or set "
    '[compute] sandbox = "off" to run them without walls'
)
_MIB: Final = 1024 * 1024


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What one environment is made of. `layers` is one folder, "" for none; `scratch` stands for /tmp without walls."""

    code: str
    layers: str
    runtime: Runtime
    storage_mb: int
    memory_mb: int
    scratch: str
    network: bool


class Walled(msgspec.Struct, frozen=True):
    """A command line and the folder in which it begins; `filter` is "" without walls; `env` is changed so."""

    words: list[str]
    at: str
    filter: bytes
    env: dict[str, str]


def walled(room: Room, mode: Mode) -> Walled:
    """How the environment is started. Raises Refused where there are no walls, and there should be."""
    # A runtime that collects garbage should do so before it has all the memory there is.
    heap = str(room.memory_mb * 9 // 10)
    command = [word.replace("{heap}", heap) for word in room.runtime.command]
    if bubble.available() and mode != "off":
        filtered = bubble.call_filter()
        return Walled(_arguments(room, filtered, command), "/", filtered, {})
    if mode != "off":
        raise Refused(0, _NONE)
    return _bare(room, command)


def _arguments(room: Room, filtered: bytes, command: list[str]) -> list[str]:
    words = [*_WALLS, *(("--seccomp", "{filter}") if filtered else ())]
    words += ["--proc", "/proc", "--dev", "/dev", *bubble.kernel_files()]
    words += ["--size", str(room.storage_mb * _MIB), "--tmpfs", "/tmp"]  # noqa: S108 - the function's own
    words += folders.system("/bin/sh", (), ("/opt",))
    for folder, at in ((room.code, TASK), (room.layers, "/opt"), *room.runtime.mounts):
        if folder:
            words += ["--ro-bind", folder, at]
        else:
            words += ["--dir", at]
    for folder in room.runtime.hidden:
        words += ["--size", "4096", "--tmpfs", folder, "--remount-ro", folder]
    if room.network:
        words += ["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", TASK, "--", *command]


def _bare(room: Room, command: list[str]) -> Walled:
    """Without walls, as the mode "off" asks for: this machine's folders stand for those inside."""
    places = {TASK: room.code, "/opt": room.layers, **{at: folder for folder, at in room.runtime.mounts}}

    def seen(word: str) -> str:
        for at in sorted(places, key=len, reverse=True):
            if places[at] and (word == at or word.startswith(f"{at}/")):
                return places[at] + word.removeprefix(at)
        return word

    packages = [f"{room.layers}/python"] if room.layers else []
    packages += dict.fromkeys(str(Path(folder).parent) for folder, _ in room.runtime.mounts[1:])
    env = {
        "LAMBDA_TASK_ROOT": room.code,
        "LAMBDA_RUNTIME_DIR": str(Path(seen(f"{RUNTIME}/bootstrap.py")).parent),
        "LD_LIBRARY_PATH": seen(f"{LANGUAGE}/lib"),
        "PYTHONPATH": ":".join(packages),
        "NODE_PATH": ":".join(seen(place) for place in room.runtime.modules),
        "TMPDIR": room.scratch,
        "HOME": room.scratch,
    }
    return Walled([seen(word) for word in command], room.code, b"", env)
