"""A directory of sentence-transformers, served without having been converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from craton.engine.embeddings.directory import GRAPH, describe
from craton.engine.embeddings.package import package
from craton.engine.embeddings.session import Session
from craton.engine.embeddings.tokens import TextEncoder
from craton.engine.embeddings.unconverted import open_unconverted
from tests.fakes.encoders import TEXTS, add_modules, write_encoder
from tests.integration.engine.engine_process import EngineProcess


def test_it_gives_what_the_converted_one_gives(tmp_path: Path) -> None:
    """The same vectors to the last bit, and nothing is left in the directory or beside it."""
    source = write_encoder(tmp_path / "source", "bert")
    add_modules(source, {"pooling_mode_mean_tokens": True})
    before = sorted(file.name for file in source.rglob("*"))
    package(source, tmp_path / "made", model_id="tiny", say=lambda _: None)
    card = describe(tmp_path / "made").card
    texts = TextEncoder(source / "tokenizer.json", card.context_tokens)
    rows = [texts.one(text) for text in TEXTS]
    found, session = open_unconverted(source, 1)
    assert np.array_equal(session.run(rows), Session(tmp_path / "made" / GRAPH, 1).run(rows))
    assert (found.card.kind, found.card.dimensions, found.card.context_tokens) == (
        "embedding", card.dimensions, card.context_tokens,
    )  # fmt: skip
    assert sorted(file.name for file in source.rglob("*")) == before


def test_the_engine_serves_it(tmp_path: Path) -> None:
    """A directory with modules.json and no card of ours is an encoder."""
    source = write_encoder(tmp_path / "source", "bert")
    add_modules(source, {"pooling_mode_mean_tokens": True})
    with EngineProcess(tmp_path, "--name", "tiny", model=source) as engine:
        status, told = engine.post("/v1/embeddings", {"input": "water", "model": "tiny"})
    assert status == 200, told
    assert len(told["data"]) == 1
