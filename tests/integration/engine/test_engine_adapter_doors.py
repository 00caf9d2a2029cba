"""The engine with adapters over HTTP: vLLM's doors, the model that a request names, and what health tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.engine_process import TINY, EngineProcess
from tests.integration.engine.tiny_models import make_adapter, make_model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    make_model(home / "model")
    for seed, name in enumerate(("red", "blue")):
        make_adapter(home / name, home / "model", seed)
    return home


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[EngineProcess]:
    options = ("--backend", "transformers", "--device", "cpu", "--name", "base", "--max-adapters", "1")
    with EngineProcess(home, *options, model=home / "model") as engine:
        yield engine


def post(engine: EngineProcess, path: str, body: dict[str, Any]) -> tuple[int, str]:
    connection = engine.connect()
    try:
        connection.request("POST", path, json.dumps(body).encode())
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def complete(engine: EngineProcess, model: str) -> tuple[int, str]:
    """What a model goes on with, in token ids' stead: its text with every special token's place."""
    asked = {"model": model, "prompt": [20, 30, 40, 50], "max_tokens": 12, "temperature": 0, "ignore_eos": True}
    status, reply = engine.post("/v1/completions", {**asked, "logprobs": 0})
    return status, "" if status != 200 else str(reply["choices"][0]["logprobs"]["tokens"])


def test_adapters_come_answer_and_go(engine: EngineProcess, home: Path) -> None:
    """Loaded while it serves, told apart by the request's model, more of them than fit the memory, and unloaded."""
    bare = complete(engine, "base")
    for name in ("red", "blue"):
        told = post(engine, "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(home / name)})
        assert told == (200, f"Success: LoRA adapter '{name}' added successfully.")
    assert [model["id"] for model in engine.get("/v1/models")[1]["data"]] == ["base", "red", "blue"]
    assert engine.get("/health")[1]["adapters"] == 2
    alone = {name: complete(engine, name) for name in ("base", "red", "blue")}
    assert alone["base"] == bare
    assert len(set(alone.values())) == 3
    with ThreadPoolExecutor(6) as pool:
        asked = [name for _ in range(4) for name in alone]
        together = list(pool.map(lambda name: complete(engine, name), asked))
    assert together == [alone[name] for name in asked]
    assert post(engine, "/v1/unload_lora_adapter", {"lora_name": "red"})[0] == 200
    assert complete(engine, "red")[0] == 404
    assert complete(engine, "blue") == alone["blue"]
    assert post(engine, "/v1/unload_lora_adapter", {"lora_name": "blue"})[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("load", {"lora_name": "x"}, 400, "must be provided"),
        ("load", {"lora_name": "x", "lora_path": "/nowhere"}, 404, "No adapter found for /nowhere"),
        ("load", {"lora_name": "x", "lora_path": str(TINY)}, 404, "No adapter found"),
        ("unload", {"lora_name": "x"}, 404, "The lora adapter 'x' cannot be found."),
        ("unload", {}, 400, "needs to be provided"),
    ],
)
def test_refusals_have_vllms_shape(
    engine: EngineProcess, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    """An error object whose code is the status."""
    found, text = post(engine, f"/v1/{path}_lora_adapter", body)
    error = json.loads(text)["error"]
    assert (found, error["code"]) == (status, status)
    assert said in error["message"]
    assert error["type"] == ("NotFoundError" if status == 404 else "InvalidUserInput")


def test_chats_stream_and_follow_grammars(engine: EngineProcess) -> None:
    """What lies above the backend works on this one as well: templates, streams, schemas, stop strings."""
    chunks = list(engine.stream(model="base", max_tokens=5, ignore_eos=True))
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    status, reply = engine.chat(response_format=wanted, max_tokens=60)
    assert status == 200
    assert isinstance(json.loads(reply["choices"][0]["message"]["content"])["ok"], bool)


def test_a_model_without_its_weights_says_which(home: Path, tmp_path: Path) -> None:
    """The process ends with the reason on its last line."""
    (home / "bad").mkdir()
    for file in (home / "model").iterdir():
        (home / "bad" / file.name).write_bytes(
            file.read_bytes()[:-20] if file.suffix == ".safetensors" else file.read_bytes()
        )
    options = ("--backend", "transformers", "--device", "cpu")
    with EngineProcess(tmp_path, *options, model=home / "bad", wait=False) as engine:
        assert engine.process.wait(60) == 1
    assert "model.safetensors is cut short" in engine.log.read_text()
