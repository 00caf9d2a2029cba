"""Inputs of asynchronous invocations: what each family's schema takes, what becomes of it, where its results lie."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.async_invoke import tasks
from craton.features.async_invoke.invocation import Place
from craton.models.dialects.embeddings import nova_segments
from craton.models.dialects.videos.all import SCHEMAS, video_dialect
from craton.models.dialects.videos.luma_ray import sized
from craton.workflows.async_invoke.encoding import loaded
from craton.workflows.workflow import JobFailed
from tests.unit.dialects.image_bodies import png

REEL = "amazon.nova-reel-v1:1"
FRAME = base64.b64encode(png(1280, 720)).decode()
SHOT = {"text": "a boat", "image": {"format": "png", "source": {"bytes": FRAME}}}
PURPOSE = {"embeddingPurpose": "GENERIC_INDEX"}
MEDIUM = {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/a.mp4"}}, "segmentationConfig": {}}


def read(schema: str, body: object, model: str = REEL) -> Any:
    found = video_dialect(schema)
    assert found is not None
    return found.read_request(json.dumps(body).encode(), model)


def reel(task: str, key: str, params: object, **config: object) -> dict[str, Any]:
    return {"taskType": task, key: params, "videoGenerationConfig": config}


def refusal(schema: str, body: object) -> str:
    with pytest.raises(Fault) as caught:
        tasks.task_of(schema, json.dumps(body).encode(), REEL)
    assert caught.value.name == "ValidationException"
    return caught.value.message


def test_every_video_schema_is_loaded() -> None:
    """Each name of the table leads to the dialect of that name."""
    assert [getattr(video_dialect(name), "name", None) for name in SCHEMAS] == list(SCHEMAS)
    assert video_dialect("amazon.nova") is None


def test_one_shot_of_six_seconds() -> None:
    """A TEXT_VIDEO has one shot, the usual seed, and a picture as its first frame."""
    body = reel("TEXT_VIDEO", "textToVideoParams", {"text": "a boat", "images": [SHOT["image"]]})
    found = read("amazon.nova-reel", body)
    assert (found.seconds, found.fps, found.width, found.height, found.seed) == (6, 24, 1280, 720, 42)
    assert found.shots[0].first.data == png(1280, 720)
    assert not found.apart


def test_a_long_text_becomes_shots() -> None:
    """MULTI_SHOT_AUTOMATED has a shot for each six seconds."""
    body = reel("MULTI_SHOT_AUTOMATED", "multiShotAutomatedParams", {"text": "a day"}, durationSeconds=30, seed=1)
    found = read("amazon.nova-reel", body)
    assert ([shot.text for shot in found.shots], found.seconds, found.apart) == (["a day"] * 5, 30, True)


def test_shots_by_hand_have_their_own_texts() -> None:
    """MULTI_SHOT_MANUAL keeps each shot's text and picture."""
    found = read(
        "amazon.nova-reel", reel("MULTI_SHOT_MANUAL", "multiShotManualParams", {"shots": [SHOT, {"text": "b"}]})
    )
    assert [(shot.text, shot.first is not None) for shot in found.shots] == [("a boat", True), ("b", False)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (reel("MULTI_SHOT_AUTOMATED", "multiShotAutomatedParams", {"text": "a"}), "lasts from 12 to 120 seconds"),
        (reel("MULTI_SHOT_AUTOMATED", "textToVideoParams", {"text": "a"}), "extraneous key [textToVideoParams]"),
        (reel("TEXT_VIDEO", "other", {}), "extraneous key [other]"),
        ({"taskType": "TEXT_VIDEO"}, "required key [textToVideoParams] not found"),
        (reel("TEXT_VIDEO", "textToVideoParams", {"text": "a"}, fps=25), "#/videoGenerationConfig/fps"),
        (
            reel("TEXT_VIDEO", "textToVideoParams", {"text": "a", "images": [{"format": "png", "source": {}}]}),
            "exactly one of [bytes, s3Location] must be set",
        ),
        (
            reel("MULTI_SHOT_MANUAL", "multiShotManualParams", {"shots": [SHOT, SHOT]}, durationSeconds=6),
            "is not 6 seconds for each of the 2 shots",
        ),
    ],
)
def test_reels_bounds(body: object, message: str) -> None:
    """A body beyond the schema is refused with the place of the fault."""
    assert message in refusal("amazon.nova-reel", body)


def test_a_first_frame_has_the_films_size() -> None:
    """A picture of another size is refused before anything is made of it."""
    small = {"format": "png", "source": {"bytes": base64.b64encode(png(640, 360)).decode()}}
    body = reel("TEXT_VIDEO", "textToVideoParams", {"text": "a", "images": [small]})
    assert "has 640x360 pixels, not 1280x720" in refusal("amazon.nova-reel", body)


def test_rays_defaults_and_frames() -> None:
    """Ray's film is 5 seconds of 1280x720 unless told otherwise, between the frames that it is given."""
    frame = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": FRAME}}
    found = read("luma.ray", {"prompt": "a boat", "keyframes": {"frame1": frame}})
    assert (found.width, found.height, found.seconds, found.loop) == (1280, 720, 5, False)
    assert (found.shots[0].first, found.shots[0].last.data) == (None, png(1280, 720))
    assert "#/duration: 7s is not a valid enum value" in refusal("luma.ray", {"prompt": "a", "duration": "7s"})


@pytest.mark.parametrize(("ratio", "size"), [("16:9", (960, 540)), ("9:21", (540, 1260)), ("1:1", (540, 540))])
def test_sizes_of_ratios_are_even(ratio: str, size: tuple[int, int]) -> None:
    """The shorter side is the resolution's, and codecs get even sides."""
    assert sized(ratio, 540) == size


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (PURPOSE, "exactly one of [text, image, audio, video] must be set"),
        ({**PURPOSE, "text": {"truncationMode": "END", "segmentationConfig": {}}}, "exactly one of [value, source]"),
        ({**PURPOSE, "video": {**MEDIUM, "embeddingMode": "AUDIO_VIDEO_COMBINED"}}, "embeds no video"),
        ({**PURPOSE, "audio": {**MEDIUM, "format": "mp3"}}, "embeds no audio"),
        ({"embeddingPurpose": "OTHER"}, "#/segmentedEmbeddingParams/embeddingPurpose"),
    ],
)
def test_what_nova_segments(params: object, message: str) -> None:
    """Nova's segments are of exactly one thing, and of sound and film only where another Bedrock makes them."""
    body = {"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params}
    assert message in refusal("amazon.nova-embed", body)


def test_another_bedrock_gets_sound_and_film() -> None:
    """What is relayed may be sound and film; what is malformed is refused all the same."""
    params = {**PURPOSE, "video": {**MEDIUM, "embeddingMode": "AUDIO_VIDEO_COMBINED"}}
    body = {"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params}
    tasks.check_relayed("amazon.nova-embed", json.dumps(body).encode(), "m")
    tasks.check_relayed("twelvelabs.marengo", b'{"inputType": "video"}', "m")
    with pytest.raises(Fault):
        tasks.check_relayed("luma.ray", b"{}", REEL)


def test_segments_of_a_text_without_spaces() -> None:
    """A text that has no word's end is cut where it must be; nothing is lost."""
    found = list(nova_segments.pieces("x" * 2000, 800))
    assert [(piece.index, piece.start, piece.stop) for piece in found] == [(0, 0, 800), (1, 800, 1600), (2, 1600, 2000)]


@pytest.mark.parametrize(
    ("uri", "folder", "shown"),
    [
        ("s3://bucket", "abc/", "s3://bucket/abc"),
        ("s3://bucket/", "abc/", "s3://bucket/abc"),
        ("s3://bucket/a/b", "a/b/abc/", "s3://bucket/a/b/abc"),
        ("s3://bucket/a/b/", "a/b/abc/", "s3://bucket/a/b/abc"),
    ],
)
def test_where_results_lie(uri: str, folder: str, shown: str) -> None:
    """The invocation's id is the last part of the folder, with or without a slash before it."""
    place = Place(uri)
    assert (place.bucket, place.folder("abc"), place.result_uri("abc")) == ("bucket", folder, shown)


def test_without_pyav_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the extra fails the invocation, and says how to get it."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(JobFailed, match=r"pip install 'craton\[video\]'"):
        loaded()
