"""The native schemas of image models: read, written, refused, translated into one another."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from craton.aws.wire.faults import Fault
from craton.models.canon.image import ImageReply, ImageRequest, Painted
from craton.models.catalog.rows import load
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.images import pictures
from craton.models.dialects.images.all import SCHEMAS, image_dialect
from craton.models.dialects.images.dialect import ImageDialect
from craton.models.dialects.images.masks import mask_painting
from tests.unit.dialects.image_bodies import BODIES, NOVA, PICTURE, REFUSED, SD3, SDXL, TITAN, png, service


def dialect(name: str) -> ImageDialect:
    found = image_dialect(name)
    assert found is not None
    return found


def read(name: str, model: str, body: dict[str, Any]) -> ImageRequest:
    return dialect(name).read_request(json.dumps(body).encode(), model)


def written(name: str, request: ImageRequest, model: str, ledger: Ledger | None = None, **quirks: object) -> Any:
    out = Outgoing(model, stream=False, ledger=ledger or Ledger(strict=True), quirks=quirks)
    return json.loads(dialect(name).write_request(request, out))


@pytest.mark.parametrize(("model", "name", "body"), BODIES, ids=lambda value: value if isinstance(value, str) else "")
def test_own_bodies_survive(model: str, name: str, body: dict[str, Any]) -> None:
    """A body read and written by its own dialect is the same body, and nothing is ledgered."""
    request = read(name, model, body)
    assert written(name, request, model) == body
    assert read(name, model, written(name, request, model)) == request


@pytest.mark.parametrize(
    ("model", "name", "body", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_refusals_name_the_member(model: str, name: str, body: dict[str, Any], words: str) -> None:
    """What a schema does not allow is a ValidationException that says where."""
    with pytest.raises(Fault) as caught:
        read(name, model, body)
    assert caught.value.name == "ValidationException"
    assert words in caught.value.message
    assert len(caught.value.message) < 400


def test_every_image_id_of_the_catalog_has_its_dialect() -> None:
    """Each image model of the catalog names a schema that is built."""
    models = [model for model in load().models() if model.family == "image"]
    assert len(models) == 27
    assert {model.dialect for model in models} <= set(SCHEMAS)


sdxl_bodies = st.fixed_dictionaries(
    {
        "text_prompts": st.lists(
            st.fixed_dictionaries({"text": st.text(max_size=30), "weight": st.floats(-2, 2, width=16)}), max_size=3
        ).map(lambda rest: [{"text": "a", "weight": 1.0}, *rest])
    },
    optional={
        "cfg_scale": st.floats(0, 35, width=16),
        "seed": st.integers(0, 4294967295),
        "steps": st.integers(10, 150),
        "style_preset": st.sampled_from(["anime", "3d-model"]),
        "clip_guidance_preset": st.sampled_from(["NONE", "SLOW"]),
    },
)
titan_config = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.sampled_from(["standard", "premium"]),
        "numberOfImages": st.integers(1, 5),
        "cfgScale": st.floats(1.125, 10, width=16),
        "seed": st.integers(0, 2147483646),
    },
)


@settings(max_examples=60, deadline=None)
@given(sdxl_bodies)
def test_sdxl_reads_what_it_writes(body: dict[str, Any]) -> None:
    """read(write(x)) is x for every request that SDXL's schema can carry."""
    request = read("stability.sdxl", SDXL, body)
    assert read("stability.sdxl", SDXL, written("stability.sdxl", request, SDXL)) == request


@settings(max_examples=60, deadline=None)
@given(
    titan_config,
    st.text(min_size=1, max_size=40),
    st.sampled_from([("amazon.titan-image", TITAN), ("amazon.nova-canvas", NOVA)]),
)
def test_titan_and_nova_read_what_they_write(config: dict[str, Any], text: str, which: tuple[str, str]) -> None:
    """read(write(x)) is x for the schemas that Titan and Nova share."""
    body = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}, "imageGenerationConfig": config}
    request = read(*which, body)
    assert read(*which, written(which[0], request, which[1])) == request


def test_a_size_becomes_the_nearest_ratio_and_is_ledgered() -> None:
    """Titan's 512x512 asks Stability for 1:1, and says that the size is lost."""
    body = {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a"},
        "imageGenerationConfig": {"width": 512, "height": 512},
    }
    ledger = Ledger()
    sent = written("stability.image", read("amazon.titan-image", TITAN, body), SD3, ledger)
    assert sent == {"prompt": "a", "aspect_ratio": "1:1"}
    assert ledger.dropped == ["imageGenerationConfig.width", "imageGenerationConfig.height"]


def test_a_ratio_becomes_its_size() -> None:
    """SD3's 16:9 asks SDXL for the size that both draw, and loses nothing."""
    sent = written("stability.sdxl", read("stability.image", SD3, {"prompt": "a", "aspect_ratio": "16:9"}), SDXL)
    assert (sent["width"], sent["height"]) == (1344, 768)


def test_what_a_target_lacks_is_named_by_the_callers_own_path() -> None:
    """SDXL's steps, scale and sampler are lost on SD3; the ledger says so, and strict refuses the first."""
    body = {"text_prompts": [{"text": "a", "weight": 0.5}], "steps": 20, "cfg_scale": 9.0, "sampler": "DDIM"}
    request = read("stability.sdxl", SDXL, body)
    ledger = Ledger()
    assert written("stability.image", request, SD3, ledger) == {"prompt": "a"}
    assert set(ledger.dropped) == {"text_prompts.weight", "steps", "cfg_scale", "sampler"}
    with pytest.raises(Fault, match="cannot carry"):
        written("stability.image", request, SD3, Ledger(strict=True))


def test_a_task_that_a_schema_lacks_is_refused_in_both_modes() -> None:
    """Nothing could be sent in place of a background removal, so it is an error even where losses are allowed."""
    request = read("stability.service", service("stable-image-remove-background"), {"image": PICTURE})
    with pytest.raises(Fault, match="cannot do remove-background"):
        written("stability.sdxl", request, SDXL, Ledger())


def test_masks_are_turned() -> None:
    """Stability paints white pixels anew, Titan black ones: the mask is inverted on its way."""
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    file = io.BytesIO()
    mask.save(file, "PNG")
    request = ImageRequest(task="inpaint", image=png(64, 64), mask=file.getvalue(), mask_paints="white")
    turned = Image.open(io.BytesIO(mask_painting(request, "black") or b""))
    assert (turned.getpixel((10, 10)), turned.getpixel((50, 10))) == (0, 255)
    alpha = Image.open(io.BytesIO(mask_painting(request, "alpha") or b""))
    assert (alpha.getpixel((10, 10)), alpha.getpixel((50, 10))) == ((255, 255, 255, 0), (255, 255, 255, 255))
    assert mask_painting(request, "white") == file.getvalue()


@pytest.mark.parametrize("name", ["stability.sdxl", "stability.image", "amazon.titan-image", "openai.images"])
def test_replies_survive(name: str) -> None:
    """Pictures, and where the schema has them seeds, come back as they were written."""
    request = ImageRequest(task="text-to-image", prompt="a")
    reply = ImageReply(pictures=[Painted(base64="aGk=", seed=5), Painted(base64="aG8=", seed=6)])
    found = dialect(name).read_reply(dialect(name).write_reply(reply, request))
    assert [one.base64 for one in found.pictures] == ["aGk=", "aG8="]
    if name != "amazon.titan-image":
        assert [one.seed for one in found.pictures] == [5, 6]


def test_a_filtered_prompt_is_said_in_each_schemas_way() -> None:
    """Stability answers with a reason, SDXL with an artifact's, Titan and Nova with an error."""
    request = ImageRequest(task="text-to-image", prompt="a")
    reply = ImageReply(pictures=[Painted(base64="", finish="filtered prompt")])
    assert json.loads(dialect("stability.image").write_reply(reply, request)) == {
        "finish_reasons": ["Filter reason: prompt"]
    }
    assert (
        json.loads(dialect("stability.sdxl").write_reply(reply, request))["artifacts"][0]["finishReason"]
        == "CONTENT_FILTERED"
    )
    with pytest.raises(Fault, match="blocked by our content filters"):
        dialect("amazon.nova-canvas").write_reply(reply, request)


def test_some_filtered_pictures_leave_the_others() -> None:
    """Titan gives the pictures that passed, and says that others did not."""
    reply = ImageReply(pictures=[Painted(base64="aGk="), Painted(base64="", finish="filtered output")])
    native = json.loads(dialect("amazon.titan-image").write_reply(reply, ImageRequest(task="text-to-image")))
    assert native["images"] == ["aGk="]
    assert "Some of the images" in native["error"]


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("WEBP", {"lossless": True})])
def test_heads_of_files(kind: str, options: dict[str, Any]) -> None:
    """Format and size are read from a file's head without decoding it."""
    file = io.BytesIO()
    Image.new("RGB", (301, 207), (9, 120, 40)).save(file, kind, **options)
    assert pictures.read_head(file.getvalue()) == (kind.lower(), 301, 207)
    assert pictures.read_head(file.getvalue()[:11]) is None


def test_the_extended_form_carries_everything() -> None:
    """Craton's own engine is sent every member, the usual size and seed of the caller's model among them."""
    body = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a", "negativeText": "b"}}
    sent = written("openai.images", read("amazon.titan-image", TITAN, body), "m", extended=True)
    assert sent == {
        "model": "m",
        "task": "text-to-image",
        "prompt": "a",
        "negative_prompt": "b",
        "seed": 42,
        "size": "1024x1024",
    }


def test_a_seed_of_zero_means_what_its_schema_says() -> None:
    """Stability's 0 asks for any seed; Titan's is a seed, and reaches Stability as one."""
    assert read("stability.image", SD3, {"prompt": "a", "seed": 0}).seed is None
    body = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"}, "imageGenerationConfig": {"seed": 0}}
    request = read("amazon.titan-image", TITAN, body)
    assert request.seed == 0
    assert written("stability.image", request, SD3)["seed"] == 4294967294
