"""The fleet over vLLM's command line and API: options, bodies, adapters, spoken to a stand-in that checks them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.config_tables import ComputeTable
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.engines import Engines
from craton.infra.compute.sandbox import Sandbox
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.provider import Attempt
from tests.integration.hosting.test_fleet_processes import Place, in_place

STANDIN = Path(__file__).parents[2] / "fakes" / "vllm_standin.py"
MESSAGES = [{"role": "user", "content": [{"text": "Hi"}]}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"toolSpec": {"name": "find", "inputSchema": {"json": SCHEMA}}}


def installed(folder: Path) -> str:
    """A program `vllm` in an environment of its own, which runs the stand-in."""
    program = folder / "venv" / "bin" / "vllm"
    program.parent.mkdir(parents=True)
    python, code = program.with_name("python"), program.with_name("vllm.py")
    python.symlink_to(Path(sys.executable).resolve())
    code.write_bytes(STANDIN.read_bytes())
    program.write_text(f'#!/bin/sh\nexec {python} -I -S {code} "$@"\n')
    program.chmod(0o755)
    return str(program)


def model(folder: Path) -> Path:
    """A directory as Hugging Face keeps models, of a family whose calls vLLM can read."""
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["Qwen2ForCausalLM"]}')
    (folder / "model.safetensors").write_bytes(b"\0" * 64)
    (folder / "chat_template.jinja").write_text("{{ messages }}<tool_call>{}</tool_call>")
    return folder


def adapter(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    return folder


def deployed(folder: Path, adapters: dict[str, str], **table: Any) -> Deployment:
    compute = ComputeTable(vllm=installed(folder), start_timeout_s=20.0, **table)
    spec = Engines(compute, gpus=1).spec("m", str(model(folder / "model")), adapters=(str(folder / "adapters"),))
    # The machine of a test has no accelerator to place it on, nor as much memory as vLLM is expected to take.
    spec = msgspec.structs.replace(spec, gpus=0.0, memory_bytes=32 << 20)
    return Deployment(id="m", spec=spec, scale=Scale(least=1, most=1), adapters=adapters)


async def ask(place: Place, adapter: str = "", **more: Any) -> dict[str, Any]:
    """What the stand-in was asked when Converse was called."""
    request = msgspec.json.decode(json.dumps({"modelId": "m", "messages": MESSAGES, **more}), type=ConverseRequest)
    quirks = {"adapter": adapter, "waits_s": 0.2} if adapter else {}
    attempt = Attempt("m", Ledger(), asyncio.get_running_loop().time() + 30, "r", quirks=quirks)
    reply = await place.provider.converse(request, attempt)
    told: dict[str, Any] = json.loads(str(reply.output.message.content[0].text))
    return told


def test_options_and_bodies_are_vllms(tmp_path: Path) -> None:
    """The command is taken, tools go in OpenAI's shape, and the answer's usage comes back whole."""

    async def play(place: Place) -> None:
        place.fleet.want([deployed(tmp_path, {}, vllm_options=["--max-model-len", "2048"])])
        await place.until(lambda row: row.ready == 1)
        told = await ask(place, toolConfig={"tools": [TOOL]}, inferenceConfig={"maxTokens": 9, "temperature": 0.5})
        options = told["argv"]
        assert options[:2] == ["serve", str(tmp_path / "model")]
        assert {"--enable-prefix-caching", "--enable-lora", "--enable-auto-tool-choice", "--uds"} <= set(options)
        assert options[options.index("--tool-call-parser") + 1] == "hermes"
        assert options[-2:] == ["--max-model-len", "2048"]
        asked = told["asked"]
        assert asked["tools"][0]["function"]["parameters"] == SCHEMA
        assert (asked["model"], asked["temperature"]) == ("m", 0.5)

    in_place(tmp_path / "run", play)


def test_a_schema_of_the_answer_reaches_vllm(tmp_path: Path) -> None:
    """Guided decoding is asked for by OpenAI's response_format."""

    async def play(place: Place) -> None:
        place.fleet.want([deployed(tmp_path, {})])
        await place.until(lambda row: row.ready == 1)
        schema = {"name": "city", "schema": json.dumps(SCHEMA)}
        wanted = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
        told = await ask(place, outputConfig=wanted)
        assert told["asked"]["response_format"]["json_schema"]["schema"] == SCHEMA

    in_place(tmp_path / "run", play)


def test_the_fleet_loads_and_unloads_adapters(tmp_path: Path) -> None:
    """An adapter that a deployment names is loaded by vLLM's own call, answers by its name, and goes again."""
    folder = adapter(tmp_path / "adapters" / "tuned")
    one = deployed(tmp_path, {"tuned": str(folder)})

    async def play(place: Place) -> None:
        place.fleet.want([one])
        await place.until(lambda row: row.ready == 1 and row.replicas[0].adapters == ["tuned"])
        told = await ask(place, "tuned")
        assert (told["asked"]["model"], told["path"]) == ("tuned", str(folder))
        assert (await ask(place))["path"] == str(tmp_path / "model")
        pid = place.row().replicas[0].pid
        place.fleet.want([msgspec.structs.replace(one, adapters={"gone": str(folder) + "x"})])
        await place.until(lambda row: row.replicas[0].adapters == [])
        await place.until(lambda row: "No adapter found" in row.note + row.last_error + row.replicas[0].last_error)
        assert place.row().replicas[0].pid == pid
        with pytest.raises(Fault):
            await ask(place, "tuned")

    in_place(tmp_path / "run", play)


def test_it_runs_within_walls(tmp_path: Path) -> None:
    """In a network of its own, where its processes may talk, and where there is nobody else."""
    (tmp_path / "adapters").mkdir()

    async def play(place: Place) -> None:
        place.fleet.want([deployed(tmp_path, {})])
        await place.until(lambda row: row.ready == 1)
        assert (await ask(place))["path"] == str(tmp_path / "model")

    in_place(tmp_path / "run", play, Sandbox("required", tmp_path / "home"))
