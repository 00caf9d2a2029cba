"""The embedding model of a package that happens to be installed."""

from __future__ import annotations

import msgspec
import pytest

from craton.features.hosting.engines import chosen, form_of
from craton.models.catalog.local import PACKAGED_ID, LocalModel, packaged_models, standin_of

OWN = LocalModel(id="own.encoder", directory="/m", kind="embedding")
PACKAGED = LocalModel(id=PACKAGED_ID, directory="/p", kind="embedding", boxed=True, packaged=True)


def test_a_package_brings_its_model(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package's folder is a model without a step more; nothing of the package runs."""
    package = tmp_path / "holding_a_model"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert packaged_models("holding_a_model") == []
    (package / "model" / "modules.json").write_text("[]")
    (found,) = packaged_models("holding_a_model")
    assert (found.id, found.kind, found.directory) == (PACKAGED_ID, "embedding", str(package / "model"))
    assert packaged_models("no_such_package_anywhere") == []


def test_what_somebody_added_stands_in_first() -> None:
    """The packaged model is the default; one that was added goes before it, and one that is named before both."""
    assert standin_of("embedding", [PACKAGED], "") is PACKAGED
    assert standin_of("embedding", [PACKAGED, OWN], "") is OWN
    assert standin_of("embedding", [OWN, PACKAGED], PACKAGED_ID) is PACKAGED
    assert standin_of("embedding", [msgspec.structs.replace(OWN, kind="rerank")], "") is None
    assert standin_of("embedding", [OWN], "somebody.else") is None


def test_its_directory_is_served_by_the_engine(tmp_path) -> None:
    """A directory of sentence-transformers without a card of ours is an encoder's."""
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    form = form_of(tmp_path)
    assert form.kind == "embedding"
    assert chosen(form, "auto", gpus=0, vllm=False).engine == "own"
