"""The command line and encoders: added without torch, listed by kind, served, and their wrong ways told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from craton.infra.store.opening import open_store
from craton.models.catalog.local import LocalModel
from tests.fakes.encoders import add_modules, write_encoder, write_reranker

# torch and its kin cannot be imported in what these tests start: adding and serving must not need them.
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'tokenizers', 'onnx'))); "
LIMIT_S = 120


def craton(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CRATON_"))}
    return subprocess.run(
        [sys.executable, "-m", "craton.cli.main", *words, "--home", str(home)],
        check=False,
        capture_output=True,
        text=True,
        env=kept,
        timeout=LIMIT_S,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an embedding model and a reranker."""
    place = tmp_path_factory.mktemp("encoders")
    add_modules(write_encoder(place / "embedder"), {"pooling_mode_mean_tokens": True})
    write_reranker(place / "ranker")
    told = craton("models", "add", str(place / "embedder"), "--id", "my-embedder", home=place / "home")
    assert (told.returncode, "embedding, context of 32 tokens" in told.stdout) == (0, True), told.stderr
    told = craton(
        "models", "add", str(place / "ranker"), "--id", "my-ranker:1", "--precision", "int8", home=place / "home"
    )
    assert (told.returncode, "rerank" in told.stdout) == (0, True), told.stderr
    return place / "home"


def test_kinds_are_listed(home: Path) -> None:
    """In the table and as JSON, beside what came in the box."""
    rows = json.loads(craton("models", "list", "--json", home=home).stdout)
    kinds = {row["id"]: (row["kind"], row["origin"]) for row in rows}
    assert kinds["my-embedder"] == ("embedding", "registered")
    assert kinds["my-ranker:1"] == ("rerank", "registered")
    assert kinds["craton.chat-mini-v1:0"] == ("chat", "box")
    assert craton("models", home=home).stdout.split()[:3] == ["MODEL", "KIND", "ORIGIN"]


def test_the_row_says_the_kind(home: Path) -> None:
    """What the server reads of the store."""
    from craton.features.hosting.registry import registered

    store = open_store(f"sqlite:///{home / 'craton.db'}")
    try:
        found = {model.id: model for model in registered(store, "000000000000")}
    finally:
        store.close()
    model = found["my-embedder"]
    assert isinstance(model, LocalModel)
    assert (model.kind, model.context_tokens) == ("embedding", 32)


def test_doctor_counts_them(home: Path) -> None:
    """By kind, and their files are where the rows say."""
    told = craton("doctor", home=home).stdout
    assert "1 embedding, 1 rerank" in told


def test_a_converted_directory_is_taken_as_it_is(home: Path, tmp_path: Path) -> None:
    """No second conversion; a precision cannot be chosen then."""
    made = home / "models" / "my-embedder"
    told = craton("models", "add", str(made), "--id", "copy", home=tmp_path / "home")
    assert told.returncode == 0, told.stderr
    assert "Copying" in told.stderr
    told = craton("models", "add", str(made), "--id", "copy2", "--precision", "int8", home=tmp_path / "home")
    assert (told.returncode, "--precision" in told.stderr) == (1, True)


def test_what_cannot_be_added_is_told_in_one_line(home: Path, tmp_path: Path) -> None:
    """The reason is the converter's, and no folder is left."""
    write_reranker(tmp_path / "three", labels=3)
    told = craton("models", "add", str(tmp_path / "three"), "--id", "three", home=home)
    assert told.returncode == 1
    assert "sorts into 3 classes" in told.stderr
    told = craton("models", "add", str(tmp_path / "three"), home=home)
    assert (told.returncode, told.stderr) == (2, "craton: say by which id programs will ask for it: --id NAME\n")
    told = craton("models", "add", str(tmp_path / "three"), "--id", "x", "--precision", "int4", home=home)
    assert told.returncode == 1
    assert sorted(each.name for each in (home / "models").iterdir()) == ["my-embedder", "my-ranker+1"]


def test_neither_torch_nor_tokenizers_are_needed(tmp_path: Path) -> None:
    """With the base install alone an encoder is converted and opened."""
    source = add_modules(write_encoder(tmp_path / "source"), {"pooling_mode_mean_tokens": True})
    code = WITHOUT + (
        "import asyncio; from pathlib import Path; from craton.engine import convert;"
        f"assert convert.main([{str(source)!r}, {str(tmp_path / 'made')!r}]) == 0;"
        "from craton.engine.backend import ModelSpec; from craton.engine.embeddings.serving import open_encoder;"
        f"open_encoder(ModelSpec(Path({str(tmp_path / 'made')!r}), 1, 1), asyncio.new_event_loop()).close()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
