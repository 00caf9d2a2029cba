"""Native bodies of image models, and pictures small enough to write down."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any


def png(width: int, height: int, color: tuple[int, ...] = (200, 30, 30)) -> bytes:
    """A PNG of one colour: RGB, or RGBA with four numbers."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6 if len(color) == 4 else 2, 0, 0, 0)
    rows = (b"\0" + bytes(color) * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PICTURE = b64(png(512, 512))
MASK = b64(png(512, 512, (255, 255, 255)))

SDXL, TITAN, NOVA = "stability.stable-diffusion-xl-v1", "amazon.titan-image-generator-v2:0", "amazon.nova-canvas-v1:0"
SD3 = "stability.sd3-5-large-v1:0"


def service(name: str) -> str:
    return f"us.stability.{name}-v1:0"


# (model, dialect, body): each is what its own dialect writes, so reading and writing must change nothing.
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a cat", "weight": 1.0}], "cfg_scale": 10.0, "seed": 7, "steps": 50}),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a", "weight": 0.5}, {"text": "b", "weight": -0.3}],
                              "width": 1152, "height": 896, "style_preset": "anime", "sampler": "K_LMS"}),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a", "weight": 1.0}, {"text": "fog", "weight": -1.0}],
                              "init_image": PICTURE, "image_strength": 0.35, "init_image_mode": "IMAGE_STRENGTH"}),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a", "weight": 1.0}], "init_image": PICTURE,
                              "mask_source": "MASK_IMAGE_BLACK", "mask_image": MASK}),
    (SD3, "stability.image", {"prompt": "a car", "negative_prompt": "rain", "aspect_ratio": "16:9", "seed": 4,
                              "output_format": "jpeg"}),
    (SD3, "stability.image", {"prompt": "a car", "mode": "image-to-image", "image": PICTURE, "strength": 0.75}),
    (TITAN, "amazon.titan-image", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a", "negativeText": "b"},
                                   "imageGenerationConfig": {"quality": "premium", "numberOfImages": 3, "height": 512,
                                                             "width": 512, "cfgScale": 8.0, "seed": 0}}),
    (TITAN, "amazon.titan-image", {"taskType": "TEXT_IMAGE", "textToImageParams": {
        "text": "a", "conditionImage": PICTURE, "controlMode": "SEGMENTATION", "controlStrength": 0.5}}),
    (TITAN, "amazon.titan-image", {"taskType": "INPAINTING", "inPaintingParams": {
        "image": PICTURE, "text": "a", "maskPrompt": "the hat", "returnMask": True}}),
    (TITAN, "amazon.titan-image", {"taskType": "OUTPAINTING", "outPaintingParams": {
        "image": PICTURE, "text": "a", "maskImage": MASK, "outPaintingMode": "PRECISE"}}),
    (TITAN, "amazon.titan-image", {"taskType": "IMAGE_VARIATION", "imageVariationParams": {
        "images": [PICTURE, MASK], "text": "a", "similarityStrength": 0.7}}),
    (TITAN, "amazon.titan-image", {"taskType": "COLOR_GUIDED_GENERATION", "colorGuidedGenerationParams": {
        "text": "a", "colors": ["#ff8080", "#FFFFFF"], "referenceImage": PICTURE}}),
    (TITAN, "amazon.titan-image", {"taskType": "BACKGROUND_REMOVAL", "backgroundRemovalParams": {"image": PICTURE}}),
    (NOVA, "amazon.nova-canvas", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a", "style": "MAXIMALISM"},
                                  "imageGenerationConfig": {"width": 320, "height": 1280, "seed": 12}}),
    (NOVA, "amazon.nova-canvas", {"taskType": "VIRTUAL_TRY_ON", "virtualTryOnParams": {
        "sourceImage": PICTURE, "referenceImage": MASK, "maskType": "GARMENT", "mergeStyle": "SEAMLESS",
        "garmentBasedMask": {"garmentClass": "UPPER_BODY", "garmentStyling": {"tuckingStyle": "TUCKED"}}}}),
    (service("stable-creative-upscale"), "stability.service", {"image": PICTURE, "prompt": "a", "creativity": 0.3}),
    (service("stable-conservative-upscale"), "stability.service", {"image": PICTURE, "prompt": "a", "seed": 3}),
    (service("stable-fast-upscale"), "stability.service", {"image": PICTURE, "output_format": "webp"}),
    (service("stable-image-inpaint"), "stability.service", {"image": PICTURE, "prompt": "a", "mask": MASK, "grow_mask": 5}),
    (service("stable-image-inpaint"), "stability.service", {"image": PICTURE, "prompt": "a"}),
    (service("stable-outpaint"), "stability.service", {"image": PICTURE, "left": 512, "up": 20, "creativity": 0.5}),
    (service("stable-image-erase-object"), "stability.service", {"image": PICTURE, "mask": MASK}),
    (service("stable-image-search-recolor"), "stability.service", {"image": PICTURE, "prompt": "red", "select_prompt": "hat"}),
    (service("stable-image-search-replace"), "stability.service", {"image": PICTURE, "prompt": "a dog", "search_prompt": "cat"}),
    (service("stable-image-remove-background"), "stability.service", {"image": PICTURE}),
    (service("stable-image-control-sketch"), "stability.service", {"image": PICTURE, "prompt": "a", "control_strength": 0.7}),
    (service("stable-image-control-structure"), "stability.service", {"image": PICTURE, "prompt": "a", "style_preset": "origami"}),
    (service("stable-image-style-guide"), "stability.service", {"image": PICTURE, "prompt": "a", "fidelity": 0.5, "aspect_ratio": "4:5"}),
    (service("stable-style-transfer"), "stability.service", {"init_image": PICTURE, "style_image": MASK, "style_strength": 1.0,
                                                            "composition_fidelity": 0.9, "change_strength": 0.1}),
]  # fmt: skip

# (model, dialect, body, words of the refusal)
REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    (SDXL, "stability.sdxl", {}, "#: required key [text_prompts] not found"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a"}], "steps": 9}, "#/steps: 9 is not greater or equal to 10"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a"}], "cfg_scale": 36}, "#/cfg_scale: 36 is not less or equal to 35"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a" * 2001}]}, "#/text_prompts/0/text: expected maxLength: 2000"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a", "weight": -1}]}, "#/text_prompts"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a"}], "width": 512, "height": 512}, "the allowed dimensions are 1024x1024"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a"}], "init_image": PICTURE, "mask_source": "MASK_IMAGE_WHITE"},
     "required key [mask_image] not found"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a"}], "init_image": PICTURE, "mask_source": "MASK_IMAGE_WHITE",
                              "mask_image": b64(png(128, 128))}, "#/mask_image: the mask must have the size of init_image"),
    (SDXL, "stability.sdxl", {"text_prompts": [{"text": "a"}], "init_image": b64(b"no picture at all")}, "#/init_image"),
    (SD3, "stability.image", {"prompt": "a", "cfg_scale": 4}, "#: extraneous key [cfg_scale] is not permitted"),
    (SD3, "stability.image", {"prompt": "a", "aspect_ratio": "7:1"}, "#/aspect_ratio: 7:1 is not a valid enum value"),
    (SD3, "stability.image", {"prompt": "a", "seed": 4294967295}, "#/seed: 4294967295 is not less or equal to 4294967294"),
    (SD3, "stability.image", {"prompt": "a", "mode": "image-to-image"}, "required key [image] not found"),
    (SD3, "stability.image", {"prompt": "a", "image": PICTURE, "aspect_ratio": "1:1"}, "#/aspect_ratio"),
    ("stability.stable-image-core-v1:1", "stability.image", {"prompt": "a", "image": PICTURE}, "extraneous key [image]"),
    (TITAN, "amazon.titan-image", {"taskType": "TEXT_IMAGE"}, "required key [textToImageParams] not found"),
    (TITAN, "amazon.titan-image", {"taskType": "PAINT"}, "#/taskType: PAINT is not a valid enum value"),
    (TITAN, "amazon.titan-image", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a" * 513}},
     "#/textToImageParams/text: expected maxLength: 512, actual: 513"),
    (TITAN, "amazon.titan-image", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"},
                                   "imageGenerationConfig": {"numberOfImages": 6}},
     "#/imageGenerationConfig/numberOfImages: 6 is not less or equal to 5"),
    (TITAN, "amazon.titan-image", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"},
                                   "imageGenerationConfig": {"width": 500, "height": 500}}, "#/imageGenerationConfig: 500x500"),
    (TITAN, "amazon.titan-image", {"taskType": "INPAINTING", "inPaintingParams": {"image": PICTURE}},
     "#/inPaintingParams: exactly one of [maskPrompt, maskImage] is required"),
    (TITAN, "amazon.titan-image", {"taskType": "COLOR_GUIDED_GENERATION", "colorGuidedGenerationParams": {
        "text": "a", "colors": ["red"]}}, "#/colorGuidedGenerationParams/colors/0: string does not match pattern"),
    ("amazon.titan-image-generator-v1", "amazon.titan-image",
     {"taskType": "BACKGROUND_REMOVAL", "backgroundRemovalParams": {"image": PICTURE}}, "#/taskType: BACKGROUND_REMOVAL"),
    (NOVA, "amazon.nova-canvas", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"},
                                  "imageGenerationConfig": {"width": 321, "height": 320}}, "divisible by 16"),
    (NOVA, "amazon.nova-canvas", {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"},
                                  "imageGenerationConfig": {"width": 4096, "height": 4096}}, "more than 4194304 pixels"),
    (NOVA, "amazon.nova-canvas", {"taskType": "VIRTUAL_TRY_ON", "virtualTryOnParams": {
        "sourceImage": PICTURE, "referenceImage": PICTURE, "maskType": "PROMPT"}},
     "#/virtualTryOnParams: required key [promptBasedMask] not found"),
    (service("stable-outpaint"), "stability.service", {"image": PICTURE}, "at least one of [left, right, up, down]"),
    (service("stable-image-search-replace"), "stability.service", {"image": PICTURE, "prompt": "a"},
     "required key [search_prompt] not found"),
    (service("stable-fast-upscale"), "stability.service", {"image": b64(png(16, 64))}, "#/image: the picture's 16x64 pixels"),
    (service("stable-image-inpaint"), "stability.service", {"image": b64(png(64, 640)), "prompt": "a"}, "aspect ratio beyond 2.5:1"),
]  # fmt: skip
