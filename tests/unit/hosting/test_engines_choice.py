"""Who serves a directory, and with which words: by its files, the hardware, and what somebody named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from craton.config_tables import ComputeTable
from craton.features.hosting.engines import CannotServe, Engines, Form, Named, chosen, form_of

ONNX = Form(onnx=True, onnx_bytes=1000)
TENSORS = Form(tensors=True, tensor_bytes=4000)
BOTH = Form(onnx=True, onnx_bytes=1000, tensors=True, tensor_bytes=4000)


def directory(path: Path, *files: str, **card: Any) -> str:
    path.mkdir(parents=True, exist_ok=True)
    for name in files:
        (path / name).write_bytes(b"0" * 1000)
    if card:
        (path / "craton.json").write_text(json.dumps(card))
    return str(path)


@pytest.mark.parametrize(
    ("form", "named", "gpus", "vllm", "adapters", "engine"),
    [
        (ONNX, "auto", 0, False, False, "onnx"),
        (BOTH, "auto", 0, False, False, "onnx"),
        (BOTH, "auto", 1, True, False, "onnx"),
        (BOTH, "auto", 0, False, True, "transformers"),
        (BOTH, "transformers", 0, False, False, "transformers"),
        (TENSORS, "auto", 0, False, False, "transformers"),
        (TENSORS, "auto", 0, True, False, "transformers"),
        (TENSORS, "auto", 1, False, False, "transformers"),
        (TENSORS, "auto", 1, True, False, "vllm"),
        (TENSORS, "auto", 2, True, True, "vllm"),
        (TENSORS, "vllm", 0, True, False, "vllm"),
        (ONNX, "vllm", 1, True, False, "onnx"),
        (Form(kind="embedding"), "vllm", 1, True, False, "own"),
    ],
)
def test_the_choice(form: Form, named: Named, gpus: float, vllm: bool, adapters: bool, engine: str) -> None:
    """Graphs go to ONNX Runtime, weights to what the hardware makes fast, adapters to who can serve them."""
    choice = chosen(form, named, gpus=gpus, vllm=vllm, adapters=adapters)
    assert choice.engine == engine
    assert choice.reason


@pytest.mark.parametrize(
    ("form", "named", "vllm", "adapters", "said"),
    [
        (Form(), "auto", False, False, "neither"),
        (TENSORS, "onnx", False, False, "convert it first"),
        (ONNX, "onnx", False, True, "no adapters"),
        (ONNX, "transformers", False, True, "no config.json"),
        (TENSORS, "vllm", False, False, "does not say where it is"),
    ],
)
def test_what_cannot_be(form: Form, named: Named, vllm: bool, adapters: bool, said: str) -> None:
    """An engine that was named and cannot open the directory is refused with the reason."""
    with pytest.raises(CannotServe, match=said):
        chosen(form, named, gpus=1, vllm=vllm, adapters=adapters)


def test_what_lies_in_a_directory(tmp_path: Path) -> None:
    """Forms, sizes, the kind of its card and the template are found without opening weights."""
    place = directory(tmp_path / "m", "genai_config.json", "model.onnx", "model.onnx.data", "config.json", kind="chat")
    assert form_of(Path(place)) == Form(kind="chat", onnx=True, onnx_bytes=2000)
    (tmp_path / "m" / "a.safetensors").write_bytes(b"0" * 500)
    (tmp_path / "m" / "tokenizer_config.json").write_text(json.dumps({"chat_template": "x [TOOL_CALLS] y"}))
    found = form_of(Path(place))
    assert (found.tensors, found.tensor_bytes) == (True, 500)
    assert "[TOOL_CALLS]" in found.template


def test_a_directory_is_read_once(tmp_path: Path) -> None:
    """As long as it does not change; a file that is added is seen."""
    place = directory(tmp_path / "m", "genai_config.json", "model.onnx")
    engines = Engines(ComputeTable())
    assert engines.form(place) is engines.form(place)
    assert engines.choice(place).engine == "onnx"
    with pytest.raises(OSError, match="absent"):
        engines.choice(str(tmp_path / "absent"))


def test_a_replica_of_our_own_engine(tmp_path: Path) -> None:
    """The command names the backend; memory is expected by the files that it will open."""
    place = directory(tmp_path / "m", "genai_config.json", "model.onnx", "config.json", "model.safetensors")
    engines = Engines(ComputeTable(threads=3, adapters_max=9))
    spec = engines.spec("m", place)
    assert spec.command[1:4] == ("-P", "-m", "craton.engine")
    assert spec.command[-2:] == ("--backend", "onnx")
    assert (spec.threads, spec.gpus, spec.reads) == (3, 0.0, (place,))
    tuned = engines.spec("m", place, adapters=("/adapters",))
    assert tuned.command[-4:] == ("--backend", "transformers", "--max-adapters", "9")
    assert tuned.reads == (place, "/adapters")
    assert tuned.memory_bytes > spec.memory_bytes


def test_a_replica_on_an_accelerator(tmp_path: Path) -> None:
    """Weights go to the accelerator, so one is asked for; vLLM takes its own time to start."""
    place = directory(tmp_path / "m", "config.json", "model.safetensors")
    assert Engines(ComputeTable(), gpus=1).spec("m", place).gpus == 1.0
    spec = Engines(ComputeTable(vllm="/venv/bin/vllm", gpu_memory_share=0.5), gpus=1).spec("arn:m", place)
    assert spec.command[:7] == ("/venv/bin/vllm", "serve", place, "--uds", "{uds}", "--served-model-name", "arn:m")
    assert spec.command[spec.command.index("--gpu-memory-utilization") + 1] == "0.5"
    assert "--enable-lora" not in spec.command
    assert spec.env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert spec.start_timeout_s == 900.0
