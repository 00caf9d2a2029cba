"""Export: `python -m recipes.image.export --run DIR --out DIR`: checkpoints → the shipped directory.

One directory for two readers with one copy of the weights: `diffusers` opens it as a Stable Diffusion pipeline, and the
engine runs three graphs whose weights are named places within the pipeline's own safetensors files. Owns the layout, the
graphs and the hashes. Knows no training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import struct
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from onnx import TensorProto, external_data_helper, helper
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from recipes.image import parts
from recipes.image.words import BEGIN, END, LENGTH, UNKNOWN, subjects, vocabulary

MODEL_ID = "craton.image-mini-v2:0"
LARGEST_BYTES = 12_000_000
WORDS = Path(__file__).resolve().parents[2] / "src/craton/engine/box/image-mini-v1/words.json"


class _Called(nn.Module):
    """A part with one tensor for an answer, as the exporter wants it."""

    def __init__(self, part: Any) -> None:
        super().__init__()
        self.part = part

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        if isinstance(self.part, AutoencoderTiny):
            decoded: torch.Tensor = self.part.decode(*given, return_dict=False)[0]
            return decoded
        answer: tuple[torch.Tensor, ...] = self.part(*given, return_dict=False)
        return answer[0]


def tokenizer() -> PreTrainedTokenizerFast:
    """Words of letters, without case; what is between them is nothing."""
    made = Tokenizer(models.WordLevel(vocabulary(), unk_token=UNKNOWN))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Split(Regex("[a-z]+"), "removed", invert=True)
    made.post_processor = processors.TemplateProcessing(f"{BEGIN} $A {END}", None, [(BEGIN, 0), (END, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=BEGIN, eos_token=END, pad_token=END, unk_token=UNKNOWN, model_max_length=LENGTH
    )


def load(run: Path) -> tuple[CLIPTextModel, UNet2DConditionModel, AutoencoderTiny]:
    """The averaged weights of a run; what it has not trained yet is as it began."""
    torch.manual_seed(0)
    text, unet, autoencoder = parts.text_encoder(), parts.unet(), parts.autoencoder()
    painter = _weights(run / "unet.pt")
    if painter:
        unet.load_state_dict(_under(painter, "unet."))
        text.load_state_dict(_under(painter, "text.encoder."))
    decoder = _weights(run / "decoder.pt")
    if decoder:
        autoencoder.load_state_dict(_under(decoder, "autoencoder."))
    return text.eval(), unet.eval(), autoencoder.eval()


def _weights(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"] if path.is_file() else {}
    return found


def _under(weights: dict[str, torch.Tensor], lead: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(lead): value for name, value in weights.items() if name.startswith(lead)}


def export(run: Path, out: Path) -> None:
    """Write the directory anew. Raises ValueError if it came out larger than it may."""
    shutil.rmtree(out, ignore_errors=True)
    text, unet, autoencoder = load(run)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder, text_encoder=text, tokenizer=tokenizer(), unet=unet, scheduler=parts.scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.to(torch.float16).save_pretrained(out, safe_serialization=True)
    pipeline.to(torch.float32)
    latents = torch.zeros(2, 4, parts.LATENT_SIDE, parts.LATENT_SIDE)
    tokens = torch.zeros(2, LENGTH, dtype=torch.long)
    times, states = torch.zeros(2, dtype=torch.long), torch.zeros(2, LENGTH, text.config.hidden_size)
    _graph(text, {"tokens": tokens}, out / "text_encoder")
    _graph(unet, {"latents": latents, "time": times, "states": states}, out / "unet")
    _graph(autoencoder, {"latents": latents}, out / "vae")
    shutil.copyfile(WORDS, out / "words.json")
    _describe(out)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if size > LARGEST_BYTES:
        raise ValueError(f"{size} bytes are more than {LARGEST_BYTES}")


def _graph(part: nn.Module, given: dict[str, torch.Tensor], folder: Path) -> None:
    """`model.onnx` beside the part's weights, which it points at."""
    target = folder / "model.onnx"
    with warnings.catch_warnings():  # tracing fixes sizes, which are the same for every picture
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Called(part).eval(), tuple(given.values()), str(target), input_names=list(given), output_names=["answer"],
            dynamic_axes={name: {0: "count"} for name in given}, dynamo=False, do_constant_folding=False, opset_version=17,
        )  # fmt: skip
    model = onnx.load(target)
    weights = next(folder.glob("*.safetensors"))
    places = _places(weights)
    halves, casts = [], []
    for tensor in list(model.graph.initializer):
        place = places.get(tensor.name.removeprefix("part."))
        if place is None or tensor.data_type != TensorProto.FLOAT:
            continue
        half = TensorProto(name=f"{tensor.name}.half", data_type=TensorProto.FLOAT16, dims=tensor.dims, raw_data=b"")
        external_data_helper.set_external_data(half, weights.name, offset=place[0], length=place[1])
        half.ClearField("raw_data")
        half.data_location = TensorProto.EXTERNAL
        halves.append(half)
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        model.graph.initializer.remove(tensor)
    model.graph.initializer.extend(halves)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    target.write_bytes(model.SerializeToString())


def _places(weights: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor of a safetensors file lies: (offset, bytes)."""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return {
        name: (8 + size + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _describe(out: Path) -> None:
    """craton.json: id, limits, and the hash of every file but the card."""
    files = sorted(
        file for file in out.rglob("*") if file.is_file() and file.name not in ("craton.json", "MODEL_CARD.md")
    )
    record = {
        "id": MODEL_ID, "name": "Craton Image Mini 2", "kind": "image", "context_tokens": LENGTH, "pipeline": "craton.shapes",
        "width": 512, "height": 512, "max_pixels": 4_194_304, "subjects": subjects(),
        "sha256": {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    }  # fmt: skip
    (out / "craton.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.image.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    export(asked.run, asked.out)


if __name__ == "__main__":
    main()
