"""Every embedding and reranking id of the catalog answers in its own schema through one local model.

The model's process is a server that speaks the engine's contract: `/v1/embeddings`, over a socket of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from craton import config, config_tables
from craton.features.inference.kinds import invoker
from craton.features.inference.routing.compile import Compiler
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import Model, load
from craton.models.dialects.all import dialect_named
from craton.models.dialects.embeddings.all import embed_dialect
from craton.models.providers.local import LocalProvider
from craton.models.providers.provider import Upstream
from tests.fakes import embedders
from tests.fakes.replicas import local_at
from tests.fakes.upstream import FakeUpstream
from tests.unit.dialects.test_dialect_embeddings import MINIMAL

CATALOG = load()
MODELS = [model for model in CATALOG.models() if model.family in ("embedding", "rerank")]
MINI = LocalModel(id="mini", directory="/nowhere", kind="embedding")
RANKING = {"query": "a cat", "documents": ["a dog", "a cat", "nothing"]}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeUpstream]:
    with FakeUpstream(uds=Path(tmp_path_factory.mktemp("run")) / "m", fallback=embedders.natural) as upstream:
        yield upstream


class Call:
    """As much of a call as an inference looks at."""

    def __init__(self) -> None:
        settings = config.Settings(home="/nowhere", file=config_tables.ConfigFile())
        self.headers: dict[bytes, bytes] = {}
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.request_id, self.speaks = "r-1", ""
        self.started_at = time.monotonic()
        self.app = type("App", (), {"clock": time, "quota": None, "tracer": None, "settings": settings})()


def ask(engine: FakeUpstream, model_id: str, body: dict[str, Any]) -> tuple[bytes, dict[bytes, bytes], Any]:
    """InvokeModel, from the route to the model's process and back."""

    async def main() -> tuple[bytes, dict[bytes, bytes], Any]:
        def make(_upstream: Upstream) -> LocalProvider:
            return local_at(engine.base_url)

        settings = config.Settings(
            home="/nowhere", file=config_tables.ConfigFile(compat=config_tables.CompatTable(relaxed=True))
        )
        compiler = Compiler(settings, CATALOG, make, dialect_named)
        call: Any = Call()
        resolved = compiler.routes([MINI]).resolve(model_id, "123456789012", "us-east-1")
        try:
            native, counted = await invoker(resolved.route.kind)(call, resolved, model_id, json.dumps(body).encode())
        finally:
            for provider in compiler.providers.values():
                await provider.close()
        return native, dict(call.response_headers), counted

    return asyncio.run(main())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model_id)
def test_each_id_answers(engine: FakeUpstream, model: Model) -> None:
    """In its schema, as long as its family's vectors are, and says who answered."""
    if model.family == "rerank":
        further = {"api_version": 2} if model.dialect == "cohere.rerank" else {}
        native, told, counted = ask(engine, model.model_id, {**RANKING, **further})
        assert [one["index"] for one in json.loads(native)["results"]] == [1, 0, 2]
    else:
        body, size = MINIMAL[model.dialect]
        native, told, counted = ask(engine, model.model_id, body)
        dialect = embed_dialect(model.dialect)
        assert dialect is not None
        assert len(dialect.read_reply(native).vectors["float"][0]) == size
    assert told[b"x-craton-standin"] == b"mini"
    assert counted.input_tokens > 0
    assert engine.requests[-1].path == "/v1/embeddings"


def test_the_models_own_id_takes_openais_body(engine: FakeUpstream) -> None:
    """And gives its vectors as they are."""
    native, told, _ = ask(engine, MINI.id, {"input": ["one cat", "two"], "model": "whatever"})
    reply = json.loads(native)
    assert [len(one["embedding"]) for one in reply["data"]] == [384, 384]
    assert reply["usage"]["prompt_tokens"] == 3
    assert told == {}
    assert engine.requests[-1].json["model"] == "mini"
