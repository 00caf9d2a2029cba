"""`python -m craton.engine.convert SRC OUT`: a Hugging Face directory becomes one that the engine serves.

Owns the command and, for models that write text, the checks, the export (by the exporter of ONNX Runtime GenAI, in a
process of its own), `craton.json`, and the proof that the result computes a token; these need the extra `craton[local]`,
serving does not. Encoders (embedding, rerank) are `embeddings.package`'s and need the base alone. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from craton.engine.backend import EngineFault, ModelSpec
from craton.engine.embeddings.package import package
from craton.engine.embeddings.source import recognised
from craton.engine.modeldir import ModelDirectory, describe, sha256

PRECISIONS = ("int4", "int8", "w8a8", "fp16", "fp32")
# What the exporter imports, and the extra that brings it.
NEEDED = ("torch", "transformers", "onnx", "onnx_ir", "safetensors")
EXTRA = "craton[local]"
# Copied from the source where they are there: the exporter rewrites some of them.
COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)
Say = Callable[[str], None]


class ConversionFault(EngineFault):
    """The directory cannot be converted; the message says what is missing or went wrong."""


def convert(source: Path, target: Path, *, precision: str = "int4", model_id: str | None = None, say: Say) -> Path:
    """Convert `source` into `target`, which must not exist; it appears whole or not at all.

    `say` is told each step as it begins. Raises ConversionFault.
    """
    _check(source, target)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        say("exporting")
        _export(source, partial, "fp32" if precision == "w8a8" else precision)
        if precision == "w8a8":
            say("quantising")
            _to_bytes(partial)
        for name in COPIED:
            if (source / name).is_file():
                shutil.copyfile(source / name, partial / name)
        shutil.rmtree(partial / "cache", ignore_errors=True)
        say("checking")
        _describe(partial, model_id or target.name, precision)
        _prove(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say("done")
    return target


def missing(source: Path) -> list[str]:
    """What a Hugging Face directory lacks for conversion, one sentence each."""
    if not source.is_dir():
        return [f"{source} is not a directory"]
    problems = [f"{name} is missing" for name in ("config.json", "tokenizer.json") if not (source / name).is_file()]
    if not any(source.glob("*.safetensors")):
        found = "only pickled weights are there (*.bin); " if any(source.glob("*.bin")) else ""
        problems.append(f"{found}*.safetensors are missing")
    return problems


def _check(source: Path, target: Path) -> None:
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise ConversionFault(f"conversion needs {', '.join(absent)}: pip install '{EXTRA}'")
    problems = missing(source)
    if problems:
        raise ConversionFault(f"{source} cannot be converted: " + "; ".join(problems))
    if target.exists():
        raise ConversionFault(f"{target} exists already")
    if not target.parent.is_dir():
        raise ConversionFault(f"{target.parent} is not a directory")


def _export(source: Path, partial: Path, precision: str) -> None:
    """Run the exporter; a second time without its pruning of the logits, which not every architecture takes."""
    first = _run_exporter(source, partial, precision, ["prune_lm_head=true"])
    if first is None:
        return
    shutil.rmtree(partial, ignore_errors=True)
    second = _run_exporter(source, partial, precision, [])
    if second is not None:
        raise ConversionFault(f"the export failed: {second}")


def _run_exporter(source: Path, partial: Path, precision: str, more: list[str]) -> str | None:
    """None when it succeeded, else the last line that it said."""
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(source), "-o", str(partial)]
    command += ["-p", precision, "-e", "cpu", "-c", str(partial / "cache")]
    command += ["--extra_options", "hf_token=false", "hf_remote=false", *more]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False, errors="replace")
    if done.returncode == 0 and (partial / "genai_config.json").is_file():
        return None
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    # A traceback ends with its exception; progress bars and notes come on other lines.
    faults = [line for line in lines if "Error" in line or "error" in line]
    return (faults or lines or [f"the exporter ended with status {done.returncode}"])[-1][:500]


def _to_bytes(partial: Path) -> None:
    from craton.engine.w8a8 import rewrite

    if not rewrite(partial):
        raise ConversionFault("the exported graph has no matrices of weights that could be quantised")


def _describe(partial: Path, model_id: str, precision: str) -> None:
    """Write `craton.json` from what the directory itself says."""
    found = describe(partial)
    facts: dict[str, Any] = {
        "id": model_id,
        "context_tokens": found.context_tokens,
        "precision": precision,
        "eos": sorted(found.eos),
        "tool_call": _markers(found),
        "compact_json": False,
    }
    files = sorted(file for file in partial.iterdir() if file.is_file() and file.name != "craton.json")
    facts["sha256"] = {file.name: sha256(file) for file in files}
    (partial / "craton.json").write_text(json.dumps(facts, indent=2) + "\n")


def _markers(found: ModelDirectory) -> dict[str, Any] | None:
    if found.markers is None:
        return None
    return {"start": found.markers.start, "end": found.markers.end, "compact": found.markers.compact}


def _prove(partial: Path) -> None:
    """Open the result as the server will, and compute one token. Raises ConversionFault when that fails."""
    import numpy as np

    from craton.engine.onnx_backend import open_rows
    from craton.engine.tokenizer import Tokenizer

    found = describe(partial)
    tokenizer = Tokenizer(partial / "tokenizer.json", found.eos, found.vocabulary)
    prompt = tokenizer.encode("Hello") or [0]
    try:
        rows = open_rows(ModelSpec(partial, 1, 2, context_tokens=min(found.context_tokens, 512)))
        logits = rows.prefill(0, prompt, 0)
    except (EngineFault, RuntimeError) as fault:
        raise ConversionFault(f"the converted model does not run: {fault}") from fault
    if logits.shape != (found.vocabulary,) or not np.isfinite(logits).any():
        raise ConversionFault("the converted model's first logits are not numbers")


def main(given: list[str] | None = None) -> int:
    """The command line; exit status 0 when the directory is there, 1 with one line on stderr when not."""
    parser = argparse.ArgumentParser(prog="python -m craton.engine.convert", description=__doc__)
    parser.add_argument("source", type=Path, help="Hugging Face or sentence-transformers directory")
    parser.add_argument("target", type=Path, help="directory to make")
    parser.add_argument("--precision", choices=PRECISIONS, help="of the weights (default: int4; fp32 for encoders)")
    parser.add_argument("--id", dest="model_id", help="model id recorded in the result (default: its name)")
    options = parser.parse_args(given)
    source, target = options.source.resolve(), options.target.resolve()

    def say(step: str) -> None:
        print(f"craton-convert state={step}", flush=True)

    try:
        if recognised(source):
            made = package(source, target, precision=options.precision or "fp32", model_id=options.model_id, say=say)
            if made.cosine_to_fp32:
                say(f"near lowest={made.cosine_to_fp32['lowest']} mean={made.cosine_to_fp32['mean']}")
        else:
            convert(source, target, precision=options.precision or "int4", model_id=options.model_id, say=say)
    except EngineFault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
