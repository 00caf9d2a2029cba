"""Export: `python -m recipes.chat.export --run DIR --out DIR [--precision int8] [--id ID]`: a training run → the shipped directory.

One directory serves both readers: ONNX Runtime GenAI (genai_config.json, model.onnx) and transformers (config.json,
model.safetensors in bf16, for fine-tuning). This file owns the files' layout and hashes. It must not know training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer

from recipes.chat import tokenizer
from recipes.chat.evaluate import averaged
from recipes.chat.model import Decoder, save_hugging_face
from recipes.chat.turns import CALL_END, CALL_START

MODEL_ID = "craton.chat-mini-v4:0"
LARGEST_BYTES = 12_000_000
TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def hugging_face(model: Decoder, vocabulary: Tokenizer, directory: Path, dtype: torch.dtype) -> None:
    """A directory that transformers loads: weights in `dtype`, tokenizer, chat template."""
    save_hugging_face(dict(model.state_dict()), model.shape, directory, dtype)
    tokenizer.save(vocabulary, directory, TEMPLATE.read_text(), model.shape.context_tokens)


def convert(source: Path, target: Path, precision: str) -> None:
    """ONNX Runtime GenAI's own builder, in a process of its own: it reads only what lies in `source`."""
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(source), "-o", str(target), "-p", precision,
               "-e", "cpu", "-c", str(source / "cache")]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the builder failed:\n{done.stderr[-2000:]}")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(directory: Path, context_tokens: int, model_id: str) -> None:
    """Write craton.json: id, limits, markers, and the hash of every other file but the card."""
    names = sorted(path.name for path in directory.iterdir() if path.name not in ("craton.json", "MODEL_CARD.md"))
    record = {
        "id": model_id, "context_tokens": context_tokens, "tool_call": {"start": CALL_START, "end": CALL_END}, "eos": [0],
        "sha256": {name: sha256(directory / name) for name in names},
    }  # fmt: skip
    (directory / "craton.json").write_text(json.dumps(record, indent=2) + "\n")


def finish_config(directory: Path) -> None:
    """Greedy unless asked otherwise, ends at END, and no search options of the machine that built it."""
    path = directory / "genai_config.json"
    config = json.loads(path.read_text())
    config["model"].update(bos_token_id=0, eos_token_id=[0], pad_token_id=0)
    config["search"].update(do_sample=False, temperature=1.0, top_k=50, top_p=1.0)
    path.write_text(json.dumps(config, indent=4) + "\n")


def export(run: Path, out: Path, precision: str, model_id: str = MODEL_ID) -> None:
    """Build in a temporary directory beside `out`, then put it in place at once."""
    model, vocabulary = averaged(run)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        full, built = Path(scratch, "full"), Path(scratch, "built")
        hugging_face(model, vocabulary, full, torch.float32)
        convert(full, built, precision)
        hugging_face(model, vocabulary, built, torch.bfloat16)
        finish_config(built)
        for path in built.iterdir():
            path.chmod(0o644)
        describe(built, model.shape.context_tokens, model_id)
        size = sum(path.stat().st_size for path in built.iterdir())
        if size > LARGEST_BYTES:
            raise RuntimeError(f"the export has {size} bytes, over {LARGEST_BYTES}")
        if (out / "MODEL_CARD.md").exists():
            shutil.copy2(out / "MODEL_CARD.md", built)
        if out.exists():
            out.rename(Path(scratch, "old"))
        built.rename(out)
        out.chmod(0o755)
    print(f"{out}: {size} bytes, {precision}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a training run to the shipped directory.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--precision", choices=("int4", "int8", "fp32"), default="int8")
    parser.add_argument("--id", default=MODEL_ID, help="the id that craton.json gives it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    export(options.run, options.out, options.precision, options.id)


if __name__ == "__main__":
    main()
