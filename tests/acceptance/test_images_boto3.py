"""Pictures as programs written for Amazon Bedrock ask for them: AWS's own examples, against a whole server."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from craton.models.catalog.rows import load
from tests.fakes import painters
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config
from tests.unit.dialects.image_bodies import PICTURE

SMALL = {"numberOfImages": 1, "height": 512, "width": 512, "cfgScale": 8.0, "seed": 0}


@pytest.fixture(scope="module")
def vendor() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=painters.natural) as up:
        yield up


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, vendor: FakeUpstream) -> Iterator[Running]:
    """Stand-ins for all image models but one, which Stability answers."""
    key = 'api_key = "env:STABILITY_KEY"'
    config = model_config("stability.stable-image-core-v1:1", "stability", vendor.base_url, model="core", extra=key)
    with Running(tmp_path_factory.mktemp("images"), config, env={"STABILITY_KEY": "sk-stability"}) as running:
        yield running


def invoke(server: Running, model: str, body: dict[str, Any], mode: str = "") -> tuple[dict[str, Any], dict[str, str]]:
    client = server.client("bedrock-runtime")
    if mode:
        client.meta.events.register(
            "before-sign", lambda request, **_: request.headers.add_header("x-craton-translation", mode)
        )
    answer = client.invoke_model(
        modelId=model, body=json.dumps(body), accept="application/json", contentType="application/json"
    )
    return json.loads(answer["body"].read()), answer["ResponseMetadata"]["HTTPHeaders"]


def opened(picture: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture)))


def test_awss_example_of_sdxl(server: Running) -> None:
    """The example of AWS's page on Stable Diffusion XL: an artifact of success with a PNG, and the seed is kept."""
    body = {"text_prompts": [{"text": "Sri Lanka tea plantation"}], "cfg_scale": 10, "seed": 7, "steps": 10}
    reply, headers = invoke(server, "stability.stable-diffusion-xl-v1", body)
    assert reply["result"] == "success"
    artifact = reply["artifacts"][0]
    assert (artifact["finishReason"], artifact["seed"]) == ("SUCCESS", 7)
    assert opened(artifact["base64"]).size == (1024, 1024)
    assert headers["x-craton-standin"] == "craton.image-mini-v2:0"
    assert "x-amzn-bedrock-input-token-count" not in headers
    assert int(headers["x-amzn-bedrock-invocation-latency"]) > 0


def test_awss_example_of_titan(server: Running) -> None:
    """The example of AWS's page on Titan: as many pictures as asked for, and no error."""
    body = {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a red rose"},
        "imageGenerationConfig": {**SMALL, "numberOfImages": 2},
    }
    reply, _ = invoke(server, "amazon.titan-image-generator-v2:0", body)
    assert reply["error"] is None
    assert [opened(one).size for one in reply["images"]] == [(512, 512)] * 2
    assert reply["images"][0] != reply["images"][1]


def test_awss_example_of_nova_canvas(server: Running) -> None:
    """The example of AWS's page on Nova Canvas: inpainting by a mask prompt, which the header says was emulated."""
    params = {"text": "a blue hat", "image": PICTURE, "maskPrompt": "red hat", "returnMask": True}
    reply, headers = invoke(server, "amazon.nova-canvas-v1:0", {"taskType": "INPAINTING", "inPaintingParams": params})
    assert opened(reply["images"][0]).size == (512, 512)
    assert opened(reply["maskImage"]).size == (512, 512)
    assert headers["x-craton-emulated"] == "inPaintingParams.maskPrompt"


def test_the_default_seed_of_titan_repeats_itself(server: Running) -> None:
    """Titan's seed is 42 where none is given: the same request gives the same picture."""
    body = {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "x"},
        "imageGenerationConfig": {"width": 320, "height": 704},
    }
    first, again = (invoke(server, "amazon.titan-image-generator-v1", body)[0] for _ in range(2))
    assert first == again


def test_the_edit_services_answer_by_their_profiles(server: Running) -> None:
    """Erase takes AWS's own example, whose picture stands in a list by mistake; output formats are honoured."""
    reply, _ = invoke(server, "us.stability.stable-image-erase-object-v1:0", {"image": [PICTURE], "mask": PICTURE})
    assert (reply["finish_reasons"], len(reply["seeds"])) == ([None], 1)
    reply, _ = invoke(server, "us.stability.stable-image-control-sketch-v1:0",
                      {"image": PICTURE, "prompt": "a house", "output_format": "jpeg"})  # fmt: skip
    assert opened(reply["images"][0]).format == "JPEG"


def test_every_image_id_answers(server: Running) -> None:
    """No image id of the catalog is without a route; an empty body is refused in the schema's own words."""
    runtime = server.client("bedrock-runtime")
    for model in load().models():
        if model.family != "image":
            continue
        name = model.model_id if "ON_DEMAND" in model.inference_types else f"us.{model.model_id}"
        if "PROVISIONED" in model.inference_types and "ON_DEMAND" not in model.inference_types:
            continue  # answers behind provisioned throughput only
        with pytest.raises(ClientError) as caught:
            runtime.invoke_model(modelId=name, body=b"{}")
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        message = caught.value.response["Error"]["Message"]
        assert "required key" in message or "schema violations found" in message


def test_stability_itself_answers_where_it_is_configured(server: Running, vendor: FakeUpstream) -> None:
    """The vendor's service gets the form with the key, and the reply has Bedrock's shape and no stand-in's name."""
    reply, headers = invoke(
        server, "stability.stable-image-core-v1:1", {"prompt": "a car", "seed": 5, "aspect_ratio": "3:2"}
    )
    assert reply == {"seeds": [5], "finish_reasons": [None], "images": [painters.PICTURE]}
    assert vendor.requests[-1].headers["authorization"] == "Bearer sk-stability"
    assert painters.form(vendor.requests[-1])["aspect_ratio"] == b"3:2"
    assert "x-craton-standin" not in headers


def test_strict_refuses_what_the_stand_in_cannot_carry(server: Running) -> None:
    """SDXL's clip guidance is lost on the stand-in: named in lenient mode, refused in strict."""
    body = {"text_prompts": [{"text": "a"}], "clip_guidance_preset": "SLOW", "width": 640, "height": 1536, "steps": 10}
    _, headers = invoke(server, "stability.stable-diffusion-xl-v1", body)
    assert headers["x-craton-dropped"] == "clip_guidance_preset"
    with pytest.raises(ClientError, match="cannot carry clip_guidance_preset"):
        invoke(server, "stability.stable-diffusion-xl-v1", body, mode="strict")


@pytest.mark.parametrize(("operation", "words"), [
    ("stream", "The model is unsupported for streaming"),
    ("video", "can only be invoked with StartAsyncInvoke"),
    ("try-on", "cannot do try-on"),
])  # fmt: skip
def test_what_such_models_do_not_do(server: Running, operation: str, words: str) -> None:
    """Streams of pictures, videos by InvokeModel and try-ons on the stand-in are refused as ValidationException."""
    runtime = server.client("bedrock-runtime")
    with pytest.raises(ClientError, match=words) as caught:
        if operation == "stream":
            runtime.invoke_model_with_response_stream(modelId="stability.sd3-5-large-v1:0", body=b'{"prompt":"a"}')
        elif operation == "video":
            runtime.invoke_model(modelId="amazon.nova-reel-v1:1", body=b"{}")
        else:
            params = {"sourceImage": PICTURE, "referenceImage": PICTURE, "maskType": "GARMENT",
                      "garmentBasedMask": {"garmentClass": "UPPER_BODY"}}  # fmt: skip
            invoke(server, "amazon.nova-canvas-v1:0", {"taskType": "VIRTUAL_TRY_ON", "virtualTryOnParams": params})
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_the_local_model_answers_under_its_own_id(server: Running, tmp_path: Path) -> None:
    """Its bodies are OpenAI's, with further members."""
    reply, _ = invoke(
        server, "craton.image-mini-v1:0", {"prompt": "galaxy", "size": "128x96", "seed": 3, "output_format": "webp"}
    )
    picture = opened(reply["data"][0]["b64_json"])
    assert (picture.size, picture.format, reply["data"][0]["seed"]) == ((128, 96), "WEBP", 3)
