"""Pictures of every provider that paints, against a server that speaks the vendor's documented format."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.bedrock import BedrockProvider
from craton.models.providers.container import ContainerProvider
from craton.models.providers.openai import OpenAIProvider
from craton.models.providers.provider import Attempt, Paints, PaintsNative, Upstream
from craton.models.providers.sagemaker import SageMakerProvider
from craton.models.providers.stability import StabilityProvider
from tests.fakes import painters, scripts
from tests.fakes.replicas import local_at
from tests.fakes.upstream import FakeUpstream
from tests.unit.dialects.image_bodies import png

KEY = "sk-secret-key-1234"
SIGNED = {"region": "us-east-1", "access_key_id": "AKIATEST", "secret_access_key": "secret"}
IMAGE, MASK = png(128, 128), png(128, 128, (255, 255, 255))


@pytest.fixture
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=painters.natural) as server:
        yield server


def stability(up: FakeUpstream, **quirks: object) -> StabilityProvider:
    return StabilityProvider(Upstream("stability", up.base_url, "core", api_key=KEY, quirks=quirks))


def openai(up: FakeUpstream) -> OpenAIProvider:
    return OpenAIProvider(Upstream("openai", up.openai_url, "gpt-image-1", api_key=KEY))


def paint(
    provider: Any, request: ImageRequest, model: str, ledger: Ledger | None = None, seconds: float = 10.0
) -> ImageReply:
    """One call; the provider is closed after it."""

    async def ask() -> ImageReply:
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            return await provider.paint(request, Attempt(model, ledger or Ledger(), deadline, "r"))
        finally:
            await provider.close()

    return asyncio.run(ask())


TEXT = ImageRequest(
    task="text-to-image", prompt="a fox", negative="rain", seed=5, aspect_ratio="16:9", output_format="png"
)
CASES: list[tuple[str, str, ImageRequest, dict[str, bytes]]] = [
    ("core", "generate/core", TEXT, {"prompt": b"a fox", "negative_prompt": b"rain", "seed": b"5", "aspect_ratio": b"16:9"}),
    ("stability.stable-image-ultra-v1:1", "generate/ultra", TEXT, {"prompt": b"a fox"}),
    ("sd3.5-medium", "generate/sd3", TEXT, {"model": b"sd3.5-medium", "mode": b"text-to-image"}),
    ("stability.sd3-5-large-v1:0", "generate/sd3",
     ImageRequest(task="image-to-image", prompt="a", image=IMAGE, strength=0.75, cfg_scale=5.0),
     {"mode": b"image-to-image", "model": b"sd3.5-large", "image": IMAGE, "strength": b"0.75", "cfg_scale": b"5"}),
    ("core", "edit/inpaint", ImageRequest(task="inpaint", prompt="a", image=IMAGE, mask=MASK, grow_mask=5),
     {"image": IMAGE, "mask": MASK, "grow_mask": b"5"}),
    ("core", "edit/outpaint", ImageRequest(task="outpaint", image=IMAGE, left=512, creativity=0.5),
     {"left": b"512", "creativity": b"0.5"}),
    ("core", "edit/erase", ImageRequest(task="erase", image=IMAGE, mask=MASK), {"mask": MASK}),
    ("core", "edit/search-and-replace", ImageRequest(task="search-and-replace", image=IMAGE, prompt="a", find="cat"),
     {"search_prompt": b"cat"}),
    ("core", "edit/search-and-recolor", ImageRequest(task="search-and-recolor", image=IMAGE, prompt="a", find="cat"),
     {"select_prompt": b"cat"}),
    ("core", "edit/remove-background", ImageRequest(task="remove-background", image=IMAGE, output_format="webp"),
     {"output_format": b"webp"}),
    ("core", "control/sketch", ImageRequest(task="control-sketch", image=IMAGE, prompt="a", control_strength=0.7),
     {"control_strength": b"0.7"}),
    ("core", "control/structure", ImageRequest(task="control-structure", image=IMAGE, prompt="a", style="anime"),
     {"style_preset": b"anime"}),
    ("core", "control/style", ImageRequest(task="style-guide", image=IMAGE, prompt="a", fidelity=0.5), {"fidelity": b"0.5"}),
    ("core", "control/style-transfer", ImageRequest(task="style-transfer", image=IMAGE, style_image=MASK, style_strength=1.0),
     {"init_image": IMAGE, "style_image": MASK, "style_strength": b"1"}),
    ("core", "upscale/fast", ImageRequest(task="upscale-fast", image=IMAGE), {"image": IMAGE}),
    ("core", "upscale/conservative", ImageRequest(task="upscale-conservative", image=IMAGE, prompt="a", creativity=0.35),
     {"creativity": b"0.35"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "path", "request_", "fields"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_stability_gets_the_form_of_its_service(
    up: FakeUpstream, model: str, path: str, request_: ImageRequest, fields: dict[str, bytes]
) -> None:
    """Each task goes to its own path, with its fields and files, the key as a bearer token, and nothing is lost."""
    ledger = Ledger(strict=True)
    reply = paint(stability(up), request_, model, ledger)
    sent = up.requests[0]
    assert (sent.method, sent.path) == ("POST", f"/v2beta/stable-image/{path}")
    assert (sent.headers["authorization"], sent.headers["accept"]) == (f"Bearer {KEY}", "application/json")
    assert fields.items() <= painters.form(sent).items()
    assert [one.base64 for one in reply.pictures] == [painters.PICTURE]
    assert not ledger.dropped


def test_stability_is_called_once_a_picture(up: FakeUpstream) -> None:
    """Three pictures are three calls with seeds that count up."""
    ledger = Ledger()
    request = ImageRequest(task="text-to-image", prompt="a", count=3, seed=10)
    reply = paint(stability(up), request, "core", ledger)
    assert sorted(painters.form(one)["seed"] for one in up.requests) == [b"10", b"11", b"12"]
    assert [one.seed for one in reply.pictures] == [10, 11, 12]
    assert ledger.emulated == ["count"]


def test_a_creative_upscale_is_fetched_when_it_is_done(up: FakeUpstream) -> None:
    """The call gives an id; its result is asked for until it is no longer in progress."""
    up.play(scripts.reply({"id": "b1e5-42"}), scripts.reply({"id": "b1e5-42", "status": "in-progress"}, 202))
    request = ImageRequest(task="upscale-creative", image=IMAGE, prompt="a")
    reply = paint(stability(up, poll_s=0.01), request, "core")
    assert [one.path for one in up.requests[1:]] == ["/v2beta/results/b1e5-42"] * 2
    assert (reply.pictures[0].base64, reply.pictures[0].seed) == (painters.PICTURE, 12)


def test_what_stability_has_no_field_for_is_ledgered(up: FakeUpstream) -> None:
    """Steps, and a size that no ratio gives, are named; strict refuses before anything is sent."""
    request = ImageRequest(task="text-to-image", prompt="a", steps=30, width=512, height=512, paths={"steps": "steps"})
    ledger = Ledger()
    paint(stability(up), request, "core", ledger)
    assert ledger.dropped == ["width", "height", "steps"]
    with pytest.raises(Fault, match="cannot carry width"):
        paint(stability(up), request, "core", Ledger(strict=True))
    assert len(up.requests) == 1


@pytest.mark.parametrize(("status", "name"), [
    (400, "ValidationException"), (401, "ModelErrorException"), (404, "ModelErrorException"), (413, "ValidationException"),
    (422, "ValidationException"), (429, "ThrottlingException"), (500, "ModelErrorException"),
    (503, "ServiceUnavailableException"),
])  # fmt: skip
def test_stabilitys_errors(up: FakeUpstream, status: int, name: str) -> None:
    """Each documented error is the Fault that a Bedrock caller knows; the vendor's words come along where he can mend it."""
    up.play(painters.stability_error(status, {"retry-after": "7"}))
    with pytest.raises(Fault) as caught:
        paint(stability(up), TEXT, "core")
    assert caught.value.name == name
    assert KEY not in str(caught.value)
    if status == 400:
        assert "some-field: is required" in caught.value.message
    if status == 429:
        assert caught.value.retry_after_s == 7


def test_a_hang_is_a_timeout(up: FakeUpstream) -> None:
    """A server that does not answer costs no more than the deadline."""
    up.play((scripts.Hang(),))
    with pytest.raises(Fault) as caught:
        paint(stability(up), TEXT, "core", seconds=0.3)
    assert caught.value.name == "ModelTimeoutException"


def test_moderation_is_no_wrong_key(up: FakeUpstream) -> None:
    """A 403 for content says that the prompt was filtered; a filtered output says that."""
    up.play(painters.stability_error(403))
    assert paint(stability(up), TEXT, "core").pictures[0].finish == "filtered prompt"
    up.play(scripts.reply({"image": painters.PICTURE, "finish_reason": "CONTENT_FILTERED", "seed": 1}))
    assert paint(stability(up), TEXT, "core").pictures[0].finish == "filtered output"
    up.play(painters.stability_error(403, name="permission_denied"))
    with pytest.raises(Fault, match="credentials"):
        paint(stability(up), TEXT, "core")


def test_masks_by_words_and_for_outpainting_find_a_service(up: FakeUpstream) -> None:
    """What Titan asks in its own way goes to the service that can, and is said to be emulated."""
    ledger = Ledger()
    paint(
        stability(up),
        ImageRequest(task="inpaint", image=IMAGE, prompt="a", find="hat", mask_paints="black"),
        "core",
        ledger,
    )
    paint(
        stability(up),
        ImageRequest(task="outpaint", image=IMAGE, prompt="a", mask=MASK, mask_paints="white"),
        "core",
        ledger,
    )
    assert [one.path.rpartition("/")[2] for one in up.requests] == ["search-and-replace", "inpaint"]
    assert ledger.emulated == ["find", "mask"]
    with pytest.raises(Fault, match="cannot do color-guided"):
        paint(stability(up), ImageRequest(task="color-guided", prompt="a", colors=["#ffffff"]), "core")


def test_openai_generates(up: FakeUpstream) -> None:
    """Prompt, number and the nearest size go out as JSON; the seed has no field there."""
    ledger = Ledger()
    request = ImageRequest(
        task="text-to-image", prompt="a", count=2, seed=3, width=1024, height=1024, quality="standard"
    )
    reply = paint(openai(up), request, "gpt-image-1", ledger)
    assert up.requests[0].path == "/v1/images/generations"
    assert up.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert up.requests[0].json == {"model": "gpt-image-1", "prompt": "a", "n": 2, "size": "1024x1024"}
    assert len(reply.pictures) == 2
    assert ledger.dropped == ["seed"]


def test_openai_edits_with_a_transparent_mask(up: FakeUpstream) -> None:
    """A picture makes it a form with files; white of the mask becomes transparent."""
    request = ImageRequest(task="inpaint", prompt="a", image=IMAGE, mask=MASK, mask_paints="white")
    paint(openai(up), request, "gpt-image-1")
    sent = painters.form(up.requests[0])
    assert up.requests[0].path == "/v1/images/edits"
    assert sent["image"] == IMAGE
    assert sent["mask"][25] == 6  # RGBA


def test_openais_safety_system_is_a_filter(up: FakeUpstream) -> None:
    """Its refusal of a prompt is an answer without pictures, not an error of the caller's."""
    error = {"message": "Your request was rejected as a result of our safety system.", "type": "invalid_request_error",
             "code": "moderation_blocked"}  # fmt: skip
    up.play(scripts.reply({"error": error}, 400))
    assert paint(openai(up), TEXT, "dall-e-3").pictures[0].finish == "filtered prompt"


def test_the_engine_says_what_it_could_not_carry(up: FakeUpstream) -> None:
    """What a local pipeline ignored or emulated reaches the ledger by the caller's own path."""
    answer = {
        "data": [{"b64_json": painters.PICTURE, "seed": 9}],
        "ignored": ["guidance_scale"],
        "emulated": ["search_prompt"],
    }
    up.play(scripts.reply(answer))
    ledger = Ledger()
    request = ImageRequest(task="text-to-image", prompt="a", cfg_scale=7.0, seed=9, usual={"width": 512, "height": 512},
                           paths={"cfg_scale": "imageGenerationConfig.cfgScale"})  # fmt: skip
    reply = paint(local_at(up.base_url), request, "m", ledger)
    assert up.requests[0].path == "/v1/images/generations"
    assert up.requests[0].json == {"model": "m", "task": "text-to-image", "prompt": "a", "seed": 9, "size": "512x512",
                                   "guidance_scale": 7.0}  # fmt: skip
    assert (ledger.dropped, ledger.emulated, reply.pictures[0].seed) == (
        ["imageGenerationConfig.cfgScale"],
        ["find"],
        9,
    )


def test_native_upstreams_get_the_bodies_as_they_are(up: FakeUpstream) -> None:
    """The real Bedrock, endpoints and containers are sent a native body byte for byte; Bedrock's is signed."""
    body = b'{"taskType":"TEXT_IMAGE", "textToImageParams":{"text":"a"}}'
    made: list[Any] = [
        BedrockProvider(Upstream("bedrock", up.base_url, "m", native="amazon.titan-image", **SIGNED)),
        SageMakerProvider(Upstream("sagemaker", up.base_url, "m", **SIGNED)),
        ContainerProvider(Upstream("container", up.base_url, "m", api_key=KEY)),
    ]

    async def ask(provider: Any) -> bytes:
        assert isinstance(provider, PaintsNative)
        assert isinstance(provider, Paints)
        try:
            deadline = asyncio.get_running_loop().time() + 60
            return await provider.paint_native(body, Attempt("m", Ledger(), deadline, "r"))
        finally:
            await provider.close()

    for provider in made:
        assert painters.PICTURE.encode() in asyncio.run(ask(provider))
    asked = [one for one in up.requests if one.method == "POST"]
    assert [one.path for one in asked] == ["/model/m/invoke", "/endpoints/m/invocations", "/invocations"]
    assert {one.body for one in asked} == {body}
    assert asked[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert [one.image_schema for one in made] == ["amazon.titan-image", "*", "*"]


def test_a_bedrock_of_another_schema_is_translated(up: FakeUpstream) -> None:
    """A request of SDXL's reaches Titan on the real Bedrock in Titan's schema."""
    provider = BedrockProvider(Upstream("bedrock", up.base_url, "t", native="amazon.titan-image", **SIGNED))
    reply = paint(provider, ImageRequest(task="text-to-image", prompt="a", width=1024, height=1024), "amazon.titan-x")
    config = {"width": 1024, "height": 1024}
    assert up.requests[0].json == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "a"},
        "imageGenerationConfig": config,
    }
    assert reply.pictures[0].base64 == painters.PICTURE
