"""The checks of `craton doctor` on containers of models: whether those that the configuration names can be run here.

Owns these findings. Must not know how a container is started.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from craton.cli.finding import Finding
from craton.config import Settings
from craton.config_containers import ContainerTable

_TRIED = ("--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true")
_TIMEOUT_S = 10.0


def containers(settings: Settings) -> Iterator[Finding]:
    """One finding for the walls of commands and root folders, one for what runs images; none where nobody needs them."""
    named = [table.container for table in settings.file.model if table.container is not None]
    named += [table.container for table in settings.file.marketplace.model]
    if any(not one.image for one in named):
        yield from walls(settings, named)
    if any(one.image for one in named):
        yield from runtime(settings)
    for one in named:
        if one.model_dir and not Path(one.model_dir).is_dir():
            yield Finding(
                "problem", "containers", f"there is no folder {one.model_dir}", "model_dir names the model's files"
            )


def walls(settings: Settings, named: list[ContainerTable]) -> Iterator[Finding]:
    """Whether bubblewrap is there and is allowed to do its work."""
    from craton.infra.compute.containers import bubble

    off = settings.file.compute.sandbox == "off"
    if not bubble.available():
        mend = "install bubblewrap (the program bwrap)"
        if off and not any(one.root for one in named):
            yield Finding("warning", "containers", "commands run without walls, on ports of this machine", mend)
        else:
            yield Finding("problem", "containers", "there is no bubblewrap to run commands and root folders in", mend)
        return
    try:
        tried = subprocess.run([bubble.PROGRAM, *_TRIED], capture_output=True, timeout=_TIMEOUT_S, check=False)
        fault = tried.stderr.decode(errors="replace").strip() if tried.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        fault = str(error)
    if fault:
        mend = "docs/containers.md says what a system must allow"
        yield Finding("problem", "containers", f"bubblewrap does not work here: {fault.splitlines()[-1]}", mend)
    elif off:
        yield Finding("warning", "containers", '[compute] sandbox = "off": commands run without walls', 'use "auto"')
    else:
        yield Finding("ok", "containers", "commands and root folders run in bubblewrap, each in a network of its own")


def runtime(settings: Settings) -> Iterator[Finding]:
    """Whether there is something that runs images."""
    from craton.infra.compute.containers import oci

    try:
        found = oci.found(settings.file.compute.container_runtime)
    except FileNotFoundError as error:
        mend = "install podman, or set [compute] container_runtime"
        yield Finding("problem", "containers", error.strerror or str(error), mend)
        return
    yield Finding("ok", "containers", f"images are run by {found[0]}")
