"""What `craton models add` takes and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton.cli.modelfiles import add_files, draft_beside, folder_of, try_out
from craton.cli.models import check_id
from craton.cli.refusal import Refused


def quiet(text: str) -> None:
    assert text


def test_folders_are_distinct_and_plain(tmp_path: Path) -> None:
    """Two ids never share a folder, and no folder's name holds a colon."""
    ids = ("a:b", "a_b", "a-b", "a.b")
    folders = {folder_of(tmp_path, each) for each in ids}
    assert len(folders) == len(ids)
    assert not any(":" in folder.name for folder in folders)


@pytest.mark.parametrize("bad", ["", "A", "-a", "../x", "a/b", "a b", "x" * 141, "a\n"])
def test_bad_ids_are_refused(bad: str) -> None:
    """An id is what routes and file names can carry."""
    with pytest.raises(Refused):
        check_id(bad)


def test_good_ids_pass() -> None:
    """Letters, digits and the four signs."""
    check_id("my-model_1.5:0")


@pytest.mark.parametrize("source", ["/no/such/place", "nowhere"])
def test_a_source_that_is_neither_path_nor_hub_id(tmp_path: Path, source: str) -> None:
    """What cannot be a hub id is told to be no directory."""
    with pytest.raises(Refused, match="there is no directory"):
        add_files(tmp_path, "m", source, None, quiet)


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    """A folder of other things is refused, and nothing of the attempt stays."""
    (tmp_path / "source").mkdir()
    with pytest.raises(Refused, match="is no model"):
        add_files(tmp_path / "home", "m", str(tmp_path / "source"), None, quiet)
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_a_precision_for_a_served_directory_is_refused(tmp_path: Path) -> None:
    """Weights that are served as they are cannot be made anew."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "genai_config.json").write_text("{}")
    with pytest.raises(Refused, match="--precision"):
        add_files(tmp_path / "home", "m", str(source), "int8", quiet)


def test_the_engine_says_why_a_directory_cannot_be_served(tmp_path: Path) -> None:
    """A broken directory is refused with the engine's own reason, and leaves no folder behind."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "genai_config.json").write_text("{}")
    with pytest.raises(Refused, match=r"tokenizer\.json is missing"):
        add_files(tmp_path / "home", "m", str(source), None, quiet)
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_an_engine_that_cannot_even_begin(tmp_path: Path) -> None:
    """A path that is no directory is told by the engine as well."""
    with pytest.raises(Refused, match="no such directory"):
        try_out(tmp_path / "gone")


def test_drafts_are_removed(tmp_path: Path) -> None:
    """A failure in between leaves nothing beside the model's place."""
    with pytest.raises(ZeroDivisionError), draft_beside(tmp_path / "models" / "m") as draft:
        (draft / "half").touch()
        raise ZeroDivisionError
    assert list((tmp_path / "models").iterdir()) == []
