"""The parts of the pipeline: tokenizer, text encoder, UNet, autoencoder and scheduler, in `diffusers`' classes.

Owns their sizes, and the autoencoder's encoder, which is not learned: a latent is the mean colour of 4 x 4 pixels, its
fourth channel is nothing. So the UNet works on 16 x 16, and only the decoder has to learn what an edge is.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from recipes.image.words import LENGTH, vocabulary

LATENT_SIDE = 16
CONTRAST = 4.0  # a latent is (mean - 0.5) x CONTRAST: about unit variance
_WIDTH = 96
_DECODER = 16


def text_encoder() -> CLIPTextModel:
    """Three layers of width 96 over LENGTH tokens."""
    config = CLIPTextConfig(
        vocab_size=len(vocabulary()), hidden_size=_WIDTH, intermediate_size=4 * _WIDTH, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=LENGTH, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return CLIPTextModel(config)


def unet() -> UNet2DConditionModel:
    """Three levels from 16 x 16 to 4 x 4; the text enters by attention and, as a whole, beside the time."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE, block_out_channels=(32, 64, 96), layers_per_block=1, norm_num_groups=8,
        attention_head_dim=4, cross_attention_dim=_WIDTH, resnet_time_scale_shift="scale_shift",
        addition_embed_type="text", addition_embed_type_num_heads=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def autoencoder() -> AutoencoderTiny:
    """Two halvings; the encoder set by hand, the decoder to be learned."""
    made = AutoencoderTiny(
        encoder_block_out_channels=(_DECODER,) * 3, decoder_block_out_channels=(_DECODER,) * 3,
        num_encoder_blocks=(0, 0, 0), num_decoder_blocks=(2, 2, 1), latent_channels=4, scaling_factor=1.0,
    )  # fmt: skip
    convolutions = list(made.encoder.layers)
    with torch.no_grad():
        for part in convolutions:
            part.weight.zero_()
            if part.bias is not None:
                part.bias.zero_()
        for channel in range(3):
            convolutions[0].weight[channel, channel, 1, 1] = 1.0
            for halving in convolutions[1:-1]:
                halving.weight[channel, channel, 1:, 1:] = 0.25
            convolutions[-1].weight[channel, channel, 1, 1] = CONTRAST
            convolutions[-1].bias[channel] = -CONTRAST / 2
    made.encoder.requires_grad_(False)
    return made


def scheduler() -> DDIMScheduler:
    """The cosine schedule; the network predicts velocity."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False,
        set_alpha_to_one=True, timestep_spacing="trailing", steps_offset=1,
    )  # fmt: skip


def latents_of(pictures: torch.Tensor) -> torch.Tensor:
    """What the encoder makes of pictures from 0 to 1: N x 4 x 16 x 16."""
    means = (torch.nn.functional.avg_pool2d(pictures, 4) - 0.5) * CONTRAST
    return torch.cat([means, torch.zeros_like(means[:, :1])], 1)
