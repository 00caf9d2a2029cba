"""A model's directory: everything that is wrong with it is said at once, and its facts are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from craton.engine.backend import Sampling
from craton.engine.modeldir import ModelDirectoryFault, describe, verify
from tests.unit.engine.fake_rows import TINY


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "model"))


def change(path: Path, **facts: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def test_the_facts_of_a_whole_directory() -> None:
    """Id, context, end tokens, markers and template of the test model."""
    found = describe(TINY)
    assert (found.model_id, found.context_tokens, found.vocabulary) == ("craton.test-tiny-v1:0", 512, 320)
    assert found.eos == {0}
    assert found.markers is not None
    assert (found.markers.start, found.markers.start_id, found.markers.compact) == ("<tool_call>", 5, True)
    assert "default" in found.templates
    assert found.sampling == Sampling()
    verify(found)


@pytest.mark.parametrize("name", ["genai_config.json", "tokenizer.json", "model.onnx"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    """What is missing is said by name."""
    (copy / name).unlink()
    with pytest.raises(ModelDirectoryFault, match=f"{name} is missing"):
        describe(copy)


def test_all_problems_are_told_together(copy: Path) -> None:
    """Two broken files are both in the message."""
    (copy / "tokenizer.json").write_text("{")
    (copy / "model.onnx").unlink()
    with pytest.raises(ModelDirectoryFault) as refused:
        describe(copy)
    assert refused.value.problems == ["model.onnx is missing", "tokenizer.json is not valid JSON"]


def test_a_hugging_face_directory_is_recognised(tmp_path: Path) -> None:
    """Someone who points at unconverted weights is told to convert them."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelDirectoryFault, match="convert it first"):
        describe(tmp_path)
    with pytest.raises(ModelDirectoryFault, match="no such directory"):
        describe(tmp_path / "nothing")


def test_changed_weights_are_refused(copy: Path) -> None:
    """A file that is not the recorded one does not load: an id never changes its weights."""
    with (copy / "model.onnx.data").open("r+b") as opened:
        opened.write(b"\x01\x02")
    with pytest.raises(ModelDirectoryFault, match=r"model\.onnx\.data is not the file"):
        verify(describe(copy))
    (copy / "model.onnx.data").unlink()
    with pytest.raises(ModelDirectoryFault, match="recorded in craton"):
        verify(describe(copy))


def test_foreign_directories_need_no_craton_json(copy: Path) -> None:
    """Without it the id is the directory's name, and known markers are found in the vocabulary."""
    (copy / "craton.json").unlink()
    found = describe(copy)
    assert found.model_id == "model"
    assert found.markers is not None
    assert not found.markers.compact


def test_wishes_of_the_directory(copy: Path) -> None:
    """`sampling` and `tool_call` in craton.json decide; a null marker switches calls off."""
    change(copy / "craton.json", sampling={"temperature": 0.5, "top_p": 0.8}, tool_call=None, context_tokens=100)
    found = describe(copy)
    assert found.sampling == Sampling(temperature=0.5, top_p=0.8)
    assert (found.markers, found.context_tokens) == (None, 100)


def test_templates_in_the_tokenizers_configuration(copy: Path) -> None:
    """Without a file of its own the template is the configuration's, be it one or several by name."""
    (copy / "chat_template.jinja").unlink()
    change(copy / "tokenizer_config.json", chat_template="one")
    assert describe(copy).templates == {"default": "one"}
    change(copy / "tokenizer_config.json", chat_template=[{"name": "tool_use", "template": "t"}])
    assert describe(copy).templates == {"tool_use": "t"}
