"""The header `X-Amzn-Bedrock-Request-Metadata` of InvokeModel: what Converse has as its member `requestMetadata`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import validation
from craton.models.canon.request import MetadataKey, MetadataValue

INVALID = (
    "The request metadata is invalid. Provide a JSON object of 1 to 16 pairs; keys of 1 to 256 and values of up to 256 "
    "characters, each an alphanumeric or whitespace character or one of : _ @ $ # = / + , - ."
)
_METADATA: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(
    Annotated[dict[MetadataKey, MetadataValue], Meta(min_length=1, max_length=16)]
)


def check_metadata(text: str) -> dict[str, str]:
    """What the text holds. Raises ValidationException unless it is metadata within Converse's bounds."""
    try:
        return _METADATA.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise validation(INVALID) from None
