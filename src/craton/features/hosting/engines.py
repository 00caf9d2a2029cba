"""Which program serves a model's directory, and with which words it is started.

Owns the choice (ONNX Runtime, transformers, vLLM) from what lies in the directory and from the hardware, its reason in
words, and the `ModelSpec` of one replica. Directories are looked at, never opened as models; nothing is started here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from craton.config_tables import ComputeTable
from craton.infra.compute.port import Container, ModelSpec

Engine = Literal["onnx", "transformers", "vllm", "own"]
"""`own`: encoders and image pipelines, which the engine opens by the kind in their craton.json."""

Named = Literal["auto", "onnx", "transformers", "vllm"]
"""What a person may name."""

# Memory beyond the weights' files: caches and buffers as a share of them, and the runtime itself (both measured with
# the 15M model of bench/engine.py: resident 136 MB with ONNX Runtime, 430 MB with transformers).
SHARE, RUNTIME_BYTES = 1.3, {"onnx": 120 << 20, "own": 150 << 20, "transformers": 420 << 20, "vllm": 4 << 30}
# vLLM compiles and captures graphs before it serves.
VLLM_START_S = 900.0
# vLLM is several processes that talk over sockets, which the filter around the own engine forbids: it gets a network of
# its own, with nothing in it, and listens on the Unix socket that it is told.
OWN_NETWORK = Container(port=0, processes=8192, scratch_bytes=4 << 30)
# Words in a chat template → vLLM's parser of the calls that such a model writes.
CALL_PARSERS = (
    ("<tool_call>", "hermes"),
    ("[TOOL_CALLS]", "mistral"),
    ("<|python_tag|>", "llama3_json"),
    ("<|tool▁calls▁begin|>", "deepseek_v3"),
)


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a directory: graphs of ONNX Runtime GenAI, weights as Hugging Face keeps them, or both; `kind` is
    what its craton.json says (empty: nothing), or that of a directory of sentence-transformers; the sizes are those of the
    weights' files in bytes.
    """

    kind: str = ""
    onnx_bytes: int = 0
    tensor_bytes: int = 0
    onnx: bool = False
    tensors: bool = False
    template: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Who serves, and why, as a person is told."""

    engine: Engine
    reason: str


class CannotServe(Exception):
    """The directory does not hold what the engine named for it can open; the message may be shown."""


class Engines:
    """The choice for this installation. What was seen in a directory is kept until the directory changes.

    `gpus` is how many accelerators a replica may find (0: none).
    """

    def __init__(self, compute: ComputeTable, gpus: float = 0.0) -> None:
        self._compute = compute
        self._gpus = gpus
        self._seen: dict[str, tuple[int, Form]] = {}

    def choice(self, directory: str, named: Named = "auto", *, adapters: bool = False) -> Choice:
        """Who serves a directory. `adapters`: LoRA adapters will be loaded on it. Raises CannotServe, OSError."""
        named = named if named != "auto" else self._compute.engine
        return chosen(self.form(directory), named, gpus=self._gpus, vllm=bool(self._compute.vllm), adapters=adapters)

    def spec(
        self,
        model_id: str,
        directory: str,
        named: Named = "auto",
        *,
        adapters: tuple[str, ...] = (),
        threads: int | None = None,
    ) -> ModelSpec:
        """How one replica is run. `model_id` (or an ARN) is the name it answers to; `adapters` are the folders under
        which the adapters that it will be told to load lie. Raises CannotServe, OSError.
        """
        choice = self.choice(directory, named, adapters=bool(adapters))
        form, compute = self.form(directory), self._compute
        on_gpu = choice.engine == "vllm" or (choice.engine == "transformers" and self._gpus > 0)
        weights = form.onnx_bytes if choice.engine == "onnx" else max(form.tensor_bytes, form.onnx_bytes)
        started = {"vllm": max(VLLM_START_S, compute.start_timeout_s)}
        if choice.engine == "vllm":
            command = vllm_command(compute, model_id, directory, form, adapters=bool(adapters))
        else:
            command = engine_command(model_id, directory, choice.engine, compute, adapters=adapters)
        return ModelSpec(
            id=model_id,
            command=command,
            env=_environment(choice.engine),
            reads=(directory, *adapters, *(_prefixes(compute.vllm) if choice.engine == "vllm" else ())),
            container=OWN_NETWORK if choice.engine == "vllm" else None,
            threads=compute.threads if threads is None else threads,
            gpus=1.0 if on_gpu else 0.0,
            memory_bytes=int((0 if on_gpu else weights * SHARE) + RUNTIME_BYTES[choice.engine]),
            start_timeout_s=started.get(choice.engine, compute.start_timeout_s),
        )

    def form(self, directory: str) -> Form:
        """What lies in a directory; a directory that did not change is not read again. Raises OSError."""
        stamp = Path(directory).stat().st_mtime_ns
        seen = self._seen.get(directory)
        if seen is None or seen[0] != stamp:
            seen = self._seen[directory] = (stamp, form_of(Path(directory)))
        return seen[1]


def form_of(directory: Path) -> Form:
    """Look into a directory: names, sizes and the template, no weights. Raises OSError."""
    sizes = {file.name: file.stat().st_size for file in directory.iterdir() if file.is_file()}
    tensors = [size for name, size in sizes.items() if name.endswith(".safetensors")]
    return Form(
        kind=str(_document(directory / "craton.json").get("kind", "embedding" if "modules.json" in sizes else "")),
        onnx_bytes=sum(size for name, size in sizes.items() if ".onnx" in name),
        tensor_bytes=sum(tensors),
        onnx="genai_config.json" in sizes,
        tensors=bool(tensors) and "config.json" in sizes,
        template=_template(directory),
    )


def chosen(form: Form, named: Named, *, gpus: float, vllm: bool, adapters: bool = False) -> Choice:
    """The rule. `vllm`: where vLLM is was configured. Raises CannotServe."""
    if form.kind not in ("", "chat"):
        return Choice(engine="own", reason=f"a model of the kind {form.kind}")
    if named != "auto":
        return Choice(engine=_checked(form, named, vllm=vllm, adapters=adapters), reason="named by the configuration")
    if form.onnx and not (adapters and form.tensors):
        return Choice(engine="onnx", reason="the directory holds an ONNX graph: the fastest on a CPU")
    if not form.tensors:
        raise CannotServe("the directory holds neither genai_config.json nor config.json with *.safetensors")
    if gpus > 0 and vllm:
        return Choice(engine="vllm", reason="safetensors, an accelerator, and [compute] vllm is set")
    if gpus > 0:
        return Choice(engine="transformers", reason="safetensors and an accelerator; [compute] vllm is not set")
    why = "LoRA adapters are served on the original weights" if adapters else "safetensors that were not converted"
    return Choice(engine="transformers", reason=f"{why}; no accelerator")


def _checked(form: Form, named: Literal["onnx", "transformers", "vllm"], *, vllm: bool, adapters: bool) -> Engine:
    if named == "onnx" and not form.onnx:
        raise CannotServe("the engine onnx was named, and the directory holds no genai_config.json: convert it first")
    if named == "onnx" and adapters:
        raise CannotServe("the engine onnx was named, and it serves no adapters")
    if named != "onnx" and not form.tensors:
        # One name for a whole installation must not make the models in the box unusable.
        if form.onnx and not adapters:
            return "onnx"
        raise CannotServe(f"the engine {named} was named, and the directory holds no config.json with *.safetensors")
    if named == "vllm" and not vllm:
        raise CannotServe('the engine vllm was named, and [compute] vllm = "PATH" does not say where it is')
    return named


def engine_command(
    model_id: str, directory: str, engine: Engine, compute: ComputeTable, *, adapters: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Craton's own engine is a program of its own: started, never imported."""
    options = {"--model": directory, "--name": model_id, "--uds": "{uds}", "--threads": "{threads}"}
    if engine in ("onnx", "transformers"):
        options["--backend"] = engine
    if adapters:
        options["--max-adapters"] = str(compute.adapters_max)
    return (sys.executable, "-P", "-m", "craton.engine", *(word for pair in options.items() for word in pair))


def vllm_command(
    compute: ComputeTable, model_id: str, directory: str, form: Form, *, adapters: bool = False
) -> tuple[str, ...]:
    """The command of vLLM, in its own environment, which answers OpenAI's shape on the same kind of socket.

    The options are those of `vllm serve --help`; [compute] vllm_options come last and win.
    """
    words = [compute.vllm, "serve", directory, "--uds", "{uds}", "--served-model-name", model_id]
    words += ["--enable-prefix-caching", "--gpu-memory-utilization", f"{compute.gpu_memory_share:g}"]
    words += ["--disable-uvicorn-access-log", "--enable-prompt-tokens-details"]
    parser = next((parser for mark, parser in CALL_PARSERS if mark in form.template), "")
    if parser:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", parser]
    if adapters:
        count = str(compute.adapters_max)
        words += ["--enable-lora", "--max-loras", count, "--max-cpu-loras", count]
        words += ["--max-lora-rank", str(compute.adapter_rank_max)]
    return (*words, *compute.vllm_options)


def _environment(engine: Engine) -> dict[str, str]:
    shared = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    if engine != "vllm":
        return shared
    # Adapters come and go by POST /v1/load_lora_adapter; nothing is told to anybody; its own processes meet on loopback.
    own = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_NO_USAGE_STATS": "1", "VLLM_HOST_IP": "127.0.0.1"}
    return shared | own


def _prefixes(program: str) -> tuple[str, ...]:
    """The environment that a program lies in, and the interpreter that it was made with."""
    home = Path(program).parent.parent
    python = home / "bin" / "python"
    return tuple(str(each) for each in (home, python.resolve().parent.parent) if each.is_dir() and each != Path("/"))


def _template(directory: Path) -> str:
    try:
        return (directory / "chat_template.jinja").read_text("utf-8")
    except (OSError, ValueError):
        found = _document(directory / "tokenizer_config.json").get("chat_template")
        return json.dumps(found, ensure_ascii=False) if found else ""


def _document(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
