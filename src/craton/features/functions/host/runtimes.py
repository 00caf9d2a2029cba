"""The runtimes that this machine has: what an environment of each begins with, and what it must see for that.

Owns the table. Python's is the one that Craton itself runs on, through AWS's runtime client beside it; Node's needs AWS's
client for Node in the folder that `[lambda] node_client` names; a custom runtime brings its own `bootstrap`. It must not know
walls, nor functions. Source: AWS Lambda developer guide, "Lambda runtimes" and "Using the Lambda runtime API".
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

TASK, RUNTIME, LANGUAGE = "/var/task", "/var/runtime", "/var/lang"
CUSTOM: Final = ("provided.al2023", "provided.al2")
_PYTHON: Final = f"python3.{sys.version_info.minor}"
_NODE: Final = re.compile(r"nodejs(\d+)\.x")
# AWS's runtime client and the SDK that functions find without bringing it, by what they are called in the library.
_CLIENT: Final = ("awslambdaric", "runtime_client", "snapshot_restore_py", "simplejson")
_SDK: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_SYSTEM: Final = ("usr", "bin", "lib", "lib64")


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """`mounts` are what it sees of this machine (here → inside) beside the system; `command` is how it begins inside.

    `hidden` are folders inside that look empty.
    """

    name: str
    command: tuple[str, ...]
    mounts: tuple[tuple[str, str], ...] = ()
    version: str = ""
    libraries: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


def available(node_client: str = "") -> tuple[str, ...]:
    """The names of runtimes that functions can have here."""
    found = [_PYTHON] if importlib.util.find_spec("awslambdaric") is not None else []
    major = _node_major()
    if node_client and major:
        found.append(f"nodejs{major}.x")
    return (*found, *CUSTOM)


def refusal(name: str, node_client: str = "") -> str:
    """Why a runtime cannot be had."""
    there = ", ".join(available(node_client))
    if _NODE.fullmatch(name) and not node_client:
        return (
            f"The runtime {name} is not available here: AWS's runtime client for Node.js (aws-lambda-ric) is not installed, "
            f"or [lambda] node_client does not name its folder. Available: {there}"
        )
    return f"The runtime {name} is not available here. Available: {there}"


def find(name: str, folders: tuple[str, ...], node_client: str = "") -> Runtime | None:
    """The runtime of this name, None where there is none. `folders` are the function's and its layers'."""
    if name == _PYTHON:
        return _python()
    if name in CUSTOM:
        inside = next((at for folder, at in zip(folders, (TASK, "/opt"), strict=False) if _begins(folder)), TASK)
        return Runtime(name=name, command=(f"{inside}/bootstrap",), version=name)
    major = _node_major()
    if node_client and name == f"nodejs{major}.x":
        return _node(name, node_client)
    return None


def _begins(folder: str) -> bool:
    return bool(folder) and Path(folder, "bootstrap").is_file()


@lru_cache(maxsize=1)
def _python() -> Runtime | None:
    if importlib.util.find_spec("awslambdaric") is None:
        return None
    mounts = [(str(Path(__file__).with_name("bootstrap.py")), f"{RUNTIME}/bootstrap.py")]
    for name in (*_CLIENT, *_SDK):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:  # without the SDK, functions have to bring it
            continue
        place = Path(spec.origin)
        place = place.parent if spec.submodule_search_locations else place
        mounts.append((str(place), f"{RUNTIME}/{place.name}"))
    program = Path(sys.executable).resolve()
    home = Path(sys.base_prefix).resolve()
    libraries: tuple[str, ...] = ()
    if home.parts[1:2] and home.parts[1] not in _SYSTEM:
        # Where it lies is nobody's business inside; an interpreter finds its library from its own place.
        mounts.append((str(home), LANGUAGE))
        program = Path(LANGUAGE) / program.relative_to(home)
        libraries = (f"{LANGUAGE}/lib",)
    return Runtime(
        name=_PYTHON,
        command=(str(program), "-P", f"{RUNTIME}/bootstrap.py"),
        mounts=tuple(mounts),
        version=f"python:{platform.python_version()}",
        libraries=libraries,
        hidden=_packages(home, bool(libraries)),
    )


def _packages(home: Path, mounted: bool) -> tuple[str, ...]:  # noqa: FBT001 - one caller
    """Where this machine keeps its own packages: no business of a function's, and what they run at a start takes time."""
    if mounted:
        inside = Path("lib", _PYTHON, "site-packages")
        return (f"{LANGUAGE}/{inside}",) if (home / inside).is_dir() else ()
    places = (
        "/usr/lib/python3/dist-packages",
        f"/usr/local/lib/{_PYTHON}/dist-packages",
        f"{home}/lib/{_PYTHON}/site-packages",
    )
    return tuple(place for place in places if Path(place).is_dir())


def _node(name: str, client: str) -> Runtime | None:
    program = shutil.which("node")
    if program is None:
        return None
    place = Path(program).resolve()
    mounts, command = [(client, f"{RUNTIME}/node_modules/aws-lambda-ric")], str(place)
    if place.parts[1] not in _SYSTEM:
        mounts.append((str(place.parent.parent), LANGUAGE))
        command = f"{LANGUAGE}/bin/node"
    begins = f"{RUNTIME}/node_modules/aws-lambda-ric/bin/index.mjs"
    return Runtime(name=name, command=(command, begins, "{handler}"), mounts=tuple(mounts), version=name)


@lru_cache(maxsize=1)
def _node_major() -> str:
    """The major version of this machine's Node, "" where there is none."""
    program = shutil.which("node")
    if program is None:
        return ""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, check=True, timeout=5.0, text=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip().removeprefix("v").partition(".")[0]
