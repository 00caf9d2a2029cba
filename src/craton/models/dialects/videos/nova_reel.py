"""Amazon Nova Reel: one shot of six seconds, or (from 1.1 on) up to twenty of them, cut by the model or by hand.

Owns its bounds. Sources: reference invoke-bodies-media.md; the Nova user guide, "Video generation access and usage".
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.video import Picture, Shot, VideoRequest
from craton.models.dialects.images import pictures
from craton.models.dialects.malformed import decode_native, malformed

SHOT_S = 6
_SEED = 42
_FIRST_VERSION = "amazon.nova-reel-v1:0"
_WIDTH, _HEIGHT = 1280, 720
# A picture is the film's first frame, so it has the film's size.
_FRAME = pictures.Bounds(formats=("png", "jpeg"))

ShortText = Annotated[str, Meta(min_length=1, max_length=512)]
Seed = Annotated[int, Meta(ge=0, le=2_147_483_646)]


class Object(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An object of the schema."""


class Location(Object):
    uri: Annotated[str, Meta(pattern=r"^s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](/.*)?\Z")]
    bucket_owner: str | None = None


class Source(Object):
    data: bytes | None = msgspec.field(name="bytes", default=None)
    s3_location: Location | None = None


class Image(Object):
    format: Literal["png", "jpeg"]
    source: Source


class TextToVideo(Object):
    text: ShortText
    images: Annotated[list[Image], Meta(max_length=1)] = []


class Automated(Object):
    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class ManualShot(Object):
    text: ShortText
    image: Image | None = None


class Manual(Object):
    shots: Annotated[list[ManualShot], Meta(min_length=2, max_length=20)]


class Config(Object):
    duration_seconds: Annotated[int, Meta(ge=SHOT_S, le=120, multiple_of=SHOT_S)] | None = None
    fps: Literal[24] = 24
    dimension: Literal["1280x720"] = "1280x720"
    seed: Seed = _SEED


class Body(Object, kw_only=True):
    task_type: Literal["TEXT_VIDEO", "MULTI_SHOT_AUTOMATED", "MULTI_SHOT_MANUAL"]
    text_to_video_params: TextToVideo | None = None
    multi_shot_automated_params: Automated | None = None
    multi_shot_manual_params: Manual | None = None
    video_generation_config: Config = msgspec.field(default_factory=Config)


_BODY = msgspec.json.Decoder(Body)
# Task → the member that holds its parameters.
_PARAMS = {
    "TEXT_VIDEO": ("textToVideoParams", "text_to_video_params"),
    "MULTI_SHOT_AUTOMATED": ("multiShotAutomatedParams", "multi_shot_automated_params"),
    "MULTI_SHOT_MANUAL": ("multiShotManualParams", "multi_shot_manual_params"),
}


class NovaReel:
    """See the file's head."""

    name = "amazon.nova-reel"

    def read_request(self, body: bytes, model_id: str) -> VideoRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        if native.task_type != "TEXT_VIDEO" and model_id == _FIRST_VERSION:
            raise malformed(f"#/taskType: {native.task_type} is not a valid enum value")
        for task, (key, attribute) in _PARAMS.items():
            if (getattr(native, attribute) is not None) != (task == native.task_type):
                trouble = (
                    f"required key [{key}] not found"
                    if task == native.task_type
                    else (f"extraneous key [{key}] is not permitted")
                )
                raise malformed(f"#: {trouble}")
        config = native.video_generation_config
        return VideoRequest(
            shots=_shots(native, config.duration_seconds), width=_WIDTH, height=_HEIGHT, fps=config.fps,
            seed=config.seed, apart=native.task_type != "TEXT_VIDEO",
        )  # fmt: skip


def _shots(native: Body, seconds: int | None) -> tuple[Shot, ...]:
    at = "#/videoGenerationConfig/durationSeconds"
    if native.text_to_video_params is not None:
        if seconds not in (None, SHOT_S):
            raise malformed(f"{at}: {seconds} is not a valid enum value")
        params = native.text_to_video_params
        image = params.images[0] if params.images else None
        return (Shot(params.text, SHOT_S, _picture(image, "textToVideoParams.images.0.source")),)
    if native.multi_shot_manual_params is not None:
        shots = native.multi_shot_manual_params.shots
        if seconds not in (None, SHOT_S * len(shots)):
            raise malformed(f"{at}: {seconds} is not {SHOT_S} seconds for each of the {len(shots)} shots")
        return tuple(
            Shot(shot.text, SHOT_S, _picture(shot.image, f"multiShotManualParams.shots.{number}.image.source"))
            for number, shot in enumerate(shots)
        )
    if seconds is None or seconds < 2 * SHOT_S:
        raise malformed(f"{at}: a film of several shots lasts from 12 to 120 seconds")
    assert native.multi_shot_automated_params is not None  # noqa: S101 - one of the three was checked
    return (Shot(native.multi_shot_automated_params.text, SHOT_S),) * (seconds // SHOT_S)


def _picture(image: Image | None, path: str) -> Picture | None:
    if image is None:
        return None
    data, place = image.source.data, image.source.s3_location
    where = path.replace(".", "/")
    if (data is None) == (place is None):
        raise malformed(f"#/{where}: exactly one of [bytes, s3Location] must be set")
    if place is not None:
        return Picture(uri=place.uri, owner=place.bucket_owner)
    assert data is not None  # noqa: S101 - the line above
    head = pictures.check(data, f"{path}.bytes", _FRAME)
    if (head.width, head.height) != (_WIDTH, _HEIGHT):
        raise malformed(f"#/{where}/bytes: the picture has {head.width}x{head.height} pixels, not {_WIDTH}x{_HEIGHT}")
    return Picture(data)
