"""Which models take StartAsyncInvoke, and what becomes of an input: checked at once, and told by one word what is done.

Owns the table from native schemas to tasks. Bedrock takes video models and the long inputs of two families of
embeddings; here image models take their InvokeModel bodies as well. It must not know routes, callers or S3.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import Fault, validation
from craton.features.async_invoke.invocation import Task
from craton.models.dialects.embeddings.all import embed_dialect
from craton.models.dialects.images.all import SCHEMAS as IMAGES
from craton.models.dialects.images.all import image_dialect
from craton.models.dialects.malformed import malformed
from craton.models.dialects.videos.all import SCHEMAS as VIDEOS
from craton.models.dialects.videos.all import video_dialect

NOVA_EMBED = "amazon.nova-embed"
MARENGO = frozenset({"twelvelabs.marengo", "twelvelabs.marengo-3"})
ASYNCHRONOUS = frozenset({*VIDEOS, *IMAGES, *MARENGO, NOVA_EMBED})
NOT_ASYNCHRONOUS = "The provided model doesn't support asynchronous invocation."
ONLY_BEDROCK = (
    'The target of this model embeds no {kind}. Give the model a [[model.target]] with provider = "bedrock" and '
    "output_s3, or send text or a picture."
)
_MEDIA = ("audio", "video")


class _Kind(msgspec.Struct):
    input_type: str = msgspec.field(name="inputType", default="")


_KIND = msgspec.json.Decoder(_Kind)


def not_asynchronous() -> Fault:
    return validation(NOT_ASYNCHRONOUS)


def task_of(schema: str, body: bytes, model_id: str) -> Task:
    """What is to be done with an input that nobody else does. Raises ValidationException for one that is malformed."""
    video = video_dialect(schema)
    if video is not None:
        video.read_request(body, model_id)
        return "film"
    if schema == NOVA_EMBED:
        check_local(segmented(body))
        return "segments"
    if schema in MARENGO:
        check_local(marengo_kind(body))
        embeds = embed_dialect(schema)
        assert embeds is not None  # noqa: S101 - the table has both
        embeds.read_request(body)
        return "reply"
    image = image_dialect(schema)
    if image is None:
        raise not_asynchronous()
    image.read_request(body, model_id)
    return "reply"


def check_relayed(schema: str, body: bytes, model_id: str) -> None:
    """The same for an input that another Bedrock gets as it is: of sound and film only that service knows all rules."""
    media = schema in MARENGO and marengo_kind(body) in _MEDIA
    if schema == NOVA_EMBED:
        segmented(body)
    elif not media:
        task_of(schema, body, model_id)


def segmented(body: bytes) -> str:
    """What kind of thing Nova is to embed in segments."""
    from craton.models.dialects.embeddings import nova_segments  # as dialects are: when somebody names it

    return nova_segments.read(body).kind


def marengo_kind(body: bytes) -> str:
    """The member `inputType`, "" for none."""
    try:
        return _KIND.decode(body).input_type
    except msgspec.DecodeError:
        raise malformed() from None


def check_local(kind: str) -> None:
    if kind in _MEDIA:
        raise validation(ONLY_BEDROCK.format(kind=kind))
