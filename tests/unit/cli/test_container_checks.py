"""What `craton doctor` says of containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton.cli.checks_containers import containers
from craton.config import Settings
from craton.config_containers import ContainerTable
from craton.config_tables import ComputeTable, ConfigFile, ModelTable

COMMAND, IMAGE = ContainerTable(command=("x",)), ContainerTable(image="i")


def found(*tables: ContainerTable, compute: ComputeTable = ComputeTable()) -> list[tuple[str, str]]:  # noqa: B008
    models = [ModelTable(id=f"m{place}", container=table) for place, table in enumerate(tables)]
    return [
        (one.level, one.text) for one in containers(Settings(home="/h", file=ConfigFile(model=models, compute=compute)))
    ]


def test_nothing_is_said_where_nobody_has_containers() -> None:
    """A configuration without containers needs none of it."""
    assert found() == []


def test_what_is_missing_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bubblewrap and without a runtime nothing could be run; without a sandbox commands can."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [level for level, _ in found(COMMAND, IMAGE)] == ["problem", "problem"]
    off = ComputeTable(sandbox="off")
    assert [level for level, _ in found(COMMAND, compute=off)] == ["warning"]
    assert [level for level, _ in found(ContainerTable(root="/r"), compute=off)] == ["problem"]


def test_a_bubblewrap_that_is_not_allowed_anything_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own words are shown."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: no namespaces for you' >&2\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    ((level, text),) = found(COMMAND)
    assert level == "problem"
    assert "no namespaces for you" in text


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """The model's folder must exist."""
    table = ContainerTable(command=("x",), model_dir=str(tmp_path / "no"))
    assert ("problem", f"there is no folder {tmp_path}/no") in found(table)
