"""Build: `python -m recipes.tiny_image.build --out DIR`: a Stable Diffusion pipeline of a few hundred kilobytes.

Its weights are random, from one seed: it paints noise in colours, but it is a whole pipeline (tokenizer, text encoder,
UNet, autoencoder, scheduler) that text-to-image, image-to-image and inpainting open, so that what the engine does with
a real one can be tested anywhere. Needs the extra craton[images].
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

MODEL_ID = "craton.image-tiny-v1:0"
LARGEST_BYTES = 1_000_000
_SEED = 20_261_122
_WIDTH = 16
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte between a beginning and an end: 258 words, 77 tokens at most."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {_BEGIN: 0, _END: 1, **{letter: index + 2 for index, letter in enumerate(letters)}}
    made = Tokenizer(models.BPE(vocabulary, [], unk_token=_END))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.TemplateProcessing(f"{_BEGIN} $A {_END}", None, [(_BEGIN, 0), (_END, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=_BEGIN, eos_token=_END, pad_token=_END, unk_token=_END, model_max_length=77
    )


def text_encoder() -> CLIPTextModel:
    """Two layers of width 16."""
    config = CLIPTextConfig(
        vocab_size=258, hidden_size=_WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return CLIPTextModel(config)


def unet() -> UNet2DConditionModel:
    """Two levels; 4 x H/8 x W/8 latents in and out."""
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, attention_head_dim=8,
        cross_attention_dim=_WIDTH, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def autoencoder() -> AutoencoderKL:
    """Three halvings, as Stable Diffusion's own, so that sizes behave alike."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), norm_num_groups=8, latent_channels=4, sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip


def build(directory: Path) -> None:
    """Write the pipeline with its card. Raises ValueError if it came out larger than it may."""
    torch.manual_seed(_SEED)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder(), text_encoder=text_encoder(), tokenizer=tokenizer(), unet=unet(), scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.to(torch.float16).save_pretrained(directory, safe_serialization=True)
    card = {"id": MODEL_ID, "name": "Craton Image Tiny", "kind": "image", "context_tokens": 77}
    (directory / "craton.json").write_text(json.dumps(card, indent=1) + "\n")
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    if size > LARGEST_BYTES:
        raise ValueError(f"{size} bytes are more than {LARGEST_BYTES}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.tiny_image.build", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    build(parser.parse_args().out)


if __name__ == "__main__":
    main()
