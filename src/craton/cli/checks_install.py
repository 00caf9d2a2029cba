"""Checks of what is installed: Python, packages, AWS's service models, the runtime and the model in the box, the machine.

Owns nothing but questions. What may crash the interpreter is asked in a child process.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from craton.cli.finding import Finding
from craton.cli.terminal import size

_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,.-]+\])?\s*\(?([^;)]*)\)?\s*(?:;.*extra == ['\"](\w+)['\"])?")
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([\d.]+)")
_HOLDS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda found, bound: found >= bound,
    "<=": lambda found, bound: found <= bound,
    "==": lambda found, bound: found == bound,
    "<": lambda found, bound: found < bound,
    ">": lambda found, bound: found > bound,
}
# Extra → what one cannot do without it. `dev` is for people who work on Craton itself.
EXTRAS = {
    "local": "convert Hugging Face models",
    "images": "run diffusers pipelines",
    "rag": "knowledge bases, and tokenizers that are neither WordPiece nor byte-level BPE",
    "documents": "turn PDF and Office documents into text",
    "postgres": "keep the store on PostgreSQL",
    "proxy": "reach vendors through a proxy",
}
OLDEST_PYTHON = (3, 11)
SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
_LITTLE_MEMORY_BYTES = 1 << 30
_LITTLE_DISK_BYTES = 1 << 30


def python(found: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """Whether Python is new enough."""
    version = ".".join(map(str, found))
    if found >= OLDEST_PYTHON:
        yield Finding("ok", "Python", f"{version} in {sys.prefix}")
    else:
        yield Finding(
            "problem", "Python", f"{version} is too old", "install Python 3.11 or newer, then make quickstart"
        )


def packages() -> Iterator[Finding]:
    """Whether the base's packages are there in the versions asked for, and which extras are."""
    wanted: dict[str, list[tuple[str, str]]] = {}
    for line in metadata.requires("craton") or ():
        if found := _REQUIREMENT.match(line):
            wanted.setdefault(found[3] or "", []).append((found[1], found[2]))
    base = wanted.get("", [])
    wrong = [fault for name, bounds in base if (fault := fault_of(name, bounds))]
    if wrong:
        yield Finding("problem", "packages", "; ".join(wrong), "make quickstart installs what is missing")
    else:
        yield Finding("ok", "packages", f"all {len(base)} of the base are there")
    for extra, purpose in EXTRAS.items():
        missing = [name for name, bounds in wanted.get(extra, []) if fault_of(name, bounds)]
        if missing:
            text = f"not installed (needed to {purpose}); missing: {', '.join(missing)}"
            yield Finding("ok", f"extra {extra}", text, f"pip install 'craton[{extra}]' if you need it")
        else:
            yield Finding("ok", f"extra {extra}", f"installed: {purpose}")


def fault_of(name: str, bounds: str) -> str:
    """What is wrong with an installed package, or "". Bounds such as `<1.45,>=1.43`."""
    try:
        text = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    found = numbers(text)
    kept = all(_HOLDS[sign](found, numbers(bound)) for sign, bound in _BOUND.findall(bounds))
    return "" if kept else f"{name} {text} is not {bounds.strip()}"


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, without zeros at its end: `1.44.0+cpu` is (1, 44)."""
    found = [int(part) for part in re.match(r"[\d.]*", version)[0].strip(".").split(".") if part]  # type: ignore[index]
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)


def service_models() -> Iterator[Finding]:
    """Whether botocore's description of the four services is there."""
    from craton.aws.wire.model import load

    try:
        found = [load(name) for name in SERVICES]
    except (OSError, LookupError, ValueError) as error:
        yield Finding("problem", "service models", f"botocore's cannot be read: {error}", "reinstall botocore")
        return
    count = sum(len(service.operations) for service in found)
    text = f"botocore {metadata.version('botocore')}: {len(found)} services, {count} operations"
    yield Finding("ok", "service models", text)


def runtime() -> Iterator[Finding]:
    """Whether ONNX Runtime GenAI loads; a wheel that does not fit the processor would end the process that tries."""
    code = "import onnxruntime_genai as og; print(og.__version__)"
    tried = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    if tried.returncode == 0:
        yield Finding("ok", "model runtime", f"onnxruntime-genai {tried.stdout.strip()} loads")
        return
    reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    yield Finding(
        "problem", "model runtime", f"onnxruntime-genai does not load: {reason}", "reinstall onnxruntime-genai"
    )


class _Card(msgspec.Struct):
    sha256: dict[str, str] = {}


def box() -> Iterator[Finding]:
    """Whether the models in the box are whole."""
    from craton.models.catalog.local import BOX, boxed_models

    try:
        models = boxed_models()
    except (OSError, msgspec.DecodeError) as error:
        yield Finding("problem", "sample model", f"its card cannot be read: {error}", "reinstall craton")
        return
    if not models:
        yield Finding("problem", "sample model", f"there is none in {BOX}", "reinstall craton")
    for model in models:
        weight = sum(file.stat().st_size for file in Path(model.directory).iterdir() if file.is_file())
        if model.packaged:
            yield Finding("ok", model.id, f"{model.kind}, of an installed package, {size(weight)}")
            continue
        wrong = damaged(Path(model.directory))
        if wrong:
            yield Finding("problem", model.id, f"damaged: {', '.join(wrong)}", "reinstall craton")
        else:
            yield Finding("ok", model.id, f"{model.kind}, in the box, {size(weight)}, hashes right")


def damaged(directory: Path) -> list[str]:
    """The files that are not what craton.json records."""
    card = msgspec.json.decode((directory / "craton.json").read_bytes(), type=_Card)
    wrong = []
    for name, wanted in card.sha256.items():
        file = directory / name
        if not file.is_file():
            wrong.append(f"{name} is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
            wrong.append(f"{name} differs")
    return wrong


def machine(home: Path) -> Iterator[Finding]:
    """Cores, free memory, free space where the home is."""
    from craton.infra.compute.process import available_cores

    yield Finding("ok", "cores", str(available_cores()))
    free = free_memory_bytes()
    if free:
        little = free < _LITTLE_MEMORY_BYTES
        mend = "end what you do not need: a model needs about the size of its files" if little else ""
        yield Finding("warning" if little else "ok", "memory", f"{size(free)} free", mend)
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    space = shutil.disk_usage(place).free
    little = space < _LITTLE_DISK_BYTES
    mend = "models and the database need room" if little else ""
    yield Finding("warning" if little else "ok", "disk", f"{size(space)} free at {place}", mend)


def walls() -> Iterator[Finding]:
    """Whether the system lets model processes be kept from the network and from other files."""
    from craton.infra.compute.sandbox import tried

    found = tried()
    if found.gaps:
        text = f"the system does not allow all walls: a model process could {', '.join(found.gaps)}"
        yield Finding("warning", "model sandbox", text, "docs/sandbox.md says which kernel features close which gap")
    else:
        kept = "" if found.namespaces else " (user namespaces are not allowed here; nothing needs them)"
        yield Finding("ok", "model sandbox", f"model processes have no network and write to their scratch alone{kept}")


def free_memory_bytes() -> int:
    """What the system could still give out; 0 where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 0
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return free
    return min(free, limit - used)


def proxies() -> Iterator[Finding]:
    """Whether a proxy variable would lead requests for this machine elsewhere, or ours to a vendor nowhere."""
    named = {name.lower(): value for name, value in os.environ.items() if name.lower().endswith("_proxy") and value}
    excepted = named.pop("no_proxy", "")
    if not named:
        yield Finding("ok", "proxies", "none set")
        return
    names = ", ".join(name.upper() for name in sorted(named))
    if excepted != "*" and not {"127.0.0.1", "localhost"} & set(re.split(r"[\s,]+", excepted)):
        text = f"{names} set: AWS's SDKs would send requests for this machine there"
        yield Finding("warning", "proxies", text, "export NO_PROXY=127.0.0.1,localhost")
    elif fault_of("aiohttp", ""):
        text = f"{names} set, but requests to vendors through a proxy need the extra proxy"
        yield Finding("warning", "proxies", text, "pip install 'craton[proxy]'")
    else:
        yield Finding("ok", "proxies", f"{names} set, this machine excepted")
