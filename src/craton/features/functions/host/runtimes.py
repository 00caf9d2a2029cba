"""The runtimes that this machine has: what an environment of each begins with, and what it must see for that.

Owns the table. Python's is the one that Craton itself runs on, through AWS's runtime client beside it; Node's needs AWS's
client for Node where `[lambda] node_client` says; a custom runtime brings its own `bootstrap`. It must not know walls, nor
functions. Source: AWS Lambda developer guide, "Lambda runtimes" and "Using the Lambda runtime API".
"""

from __future__ import annotations

import importlib.util
import json
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

TASK, RUNTIME, LANGUAGE = "/var/task", "/var/runtime", "/var/lang"
CUSTOM: Final = ("provided.al2023", "provided.al2")
_PYTHON: Final = f"python3.{sys.version_info.minor}"
_NODE: Final = re.compile(r"nodejs(\d+)\.x")
_NODE_CLIENT: Final = "aws-lambda-ric"
_MODULES: Final = "node_modules"
# AWS's runtime client and the SDK that functions find without bringing it, by what they are called in the library.
_CLIENT: Final = ("awslambdaric", "runtime_client", "snapshot_restore_py", "simplejson")
_SDK: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_SYSTEM: Final = ("usr", "bin", "lib", "lib64")


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """`mounts` are what it sees of this machine (here → inside) beside the system; `command` is how it begins inside.

    `hidden` are folders inside that look empty; in `modules` Node's `require` looks for what a function does not bring.
    """

    name: str
    command: tuple[str, ...]
    mounts: tuple[tuple[str, str], ...] = ()
    version: str = ""
    libraries: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def available(node_client: str = "") -> tuple[str, ...]:
    """The names of runtimes that functions can have here."""
    found = [_PYTHON] if importlib.util.find_spec("awslambdaric") is not None else []
    if _node_begin(node_client) is not None and (major := _node_major()):
        found.append(f"nodejs{major}.x")
    return (*found, *CUSTOM)


def refusal(name: str, node_client: str = "") -> str:
    """Why a runtime cannot be had."""
    there = ", ".join(available(node_client))
    if _NODE.fullmatch(name) and _node_begin(node_client) is None:
        return (
            f"The runtime {name} is not available here: AWS's runtime client for Node.js (aws-lambda-ric) is not installed, "
            f"or [lambda] node_client does not say where. Available: {there}"
        )
    return f"The runtime {name} is not available here. Available: {there}"


def find(name: str, folders: tuple[str, ...], node_client: str = "") -> Runtime | None:
    """The runtime of this name, None where there is none. `folders` are the function's and its layers'."""
    if name == _PYTHON:
        return _python()
    if name in CUSTOM:
        inside = next((at for folder, at in zip(folders, (TASK, "/opt"), strict=False) if _begins(folder)), TASK)
        return Runtime(name=name, command=(f"{inside}/bootstrap",), version=name)
    if name == f"nodejs{_node_major()}.x":
        return _node(name, folders, node_client)
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


def _node(name: str, folders: tuple[str, ...], client: str) -> Runtime | None:
    """What is installed beside AWS's client (an SDK, say) is at hand as well.

    `require` finds modules by NODE_PATH, `import` only in the folders above a file: hence /node_modules for what the
    runtime has, and /var/node_modules for what the layers have.
    """
    program, begin, major = shutil.which("node"), _node_begin(client), _node_major()
    if program is None or begin is None:
        return None
    place = Path(program).resolve()
    modules, entry = begin
    mounts = [(str(Path(__file__).with_name("bootstrap.mjs")), f"{RUNTIME}/bootstrap.mjs")]
    mounts += [(str(modules), f"{RUNTIME}/{_MODULES}"), (str(modules), f"/{_MODULES}")]
    for folder in folders[1:]:
        if folder and Path(folder, "nodejs", _MODULES).is_dir():
            mounts.append((f"{folder}/nodejs/{_MODULES}", f"/var/{_MODULES}"))
    command = str(place)
    if place.parts[1] not in _SYSTEM:
        mounts.append((str(place.parent.parent), LANGUAGE))
        command = f"{LANGUAGE}/bin/node"
    return Runtime(
        name=name,
        command=(
            command, "--max-old-space-size={heap}", f"{RUNTIME}/bootstrap.mjs",
            f"{RUNTIME}/{_MODULES}/{_NODE_CLIENT}/{entry}",
        ),
        mounts=tuple(mounts),
        version=name,
        modules=(f"/opt/nodejs/node{major}/{_MODULES}", f"/opt/nodejs/{_MODULES}", f"{RUNTIME}/{_MODULES}", RUNTIME, TASK),
    )  # fmt: skip


def _node_begin(client: str) -> tuple[Path, str] | None:
    """The folder of modules that has AWS's client, and the file in the client with which it begins.

    `client` is where npm was told to install it (--prefix), or the client's own folder.
    """
    if not client:
        return None
    named = Path(client).expanduser().absolute()
    for place in (named / _MODULES / _NODE_CLIENT, named):
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads((place / "package.json").read_bytes())
            if said["name"] == _NODE_CLIENT:
                return place.parent, str(said["main"])
    return None


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
