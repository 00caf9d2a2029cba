"""What every dialect of embeddings offers, and what it may do with what its schema has no place for.

The counterpart of `dialects.dialect` for models that answer with vectors: no stream, no conversation. A dialect holds
no state and does no I/O.
"""

from __future__ import annotations

from typing import Protocol

from craton.aws.wire.faults import Fault, validation
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Media, Truncate
from craton.models.dialects.dialect import Ledger, Outgoing

NO_MEDIA = "The target of this model cannot embed {kind}. Send text, or use a model whose target embeds {kind}."
NO_S3 = "The target of this model cannot read from Amazon S3. Send the {kind} in the request."
_KINDS = {"image": "images", "audio": "audio", "video": "video"}


class EmbedDialect(Protocol):
    @property
    def name(self) -> str:
        """Such as `cohere.embed`."""
        ...

    @property
    def dimensions(self) -> int | None:
        """How long the vectors of its models are, unless others are asked for; None: the schema does not say."""
        ...

    def per_call(self, request: EmbedRequest) -> int:
        """How many items of this request one body can hold."""
        ...

    def read_request(self, body: bytes) -> EmbedRequest:
        """A native body → canon. Raises ValidationException in Bedrock's words ("Malformed input request: …")."""
        ...

    def write_request(self, request: EmbedRequest, out: Outgoing) -> bytes:
        """Canon → a native body; what cannot be carried goes to `out.ledger`.

        Raises ValidationException for items of a kind that the schema has no place for.
        """
        ...

    def read_reply(self, body: bytes) -> EmbedReply:
        """A native reply → canon. Raises ModelErrorException if it cannot be read."""
        ...

    def write_reply(self, reply: EmbedReply, request: EmbedRequest) -> bytes:
        """Canon → the native reply to this request; `reply.vectors` has every encoding that was asked for."""
        ...


def texts_alone(request: EmbedRequest, ledger: Ledger) -> list[str]:
    """The items' texts, for schemas without media. Raises ValidationException where nothing would be left."""
    texts: list[str] = []
    for item in request.items:
        if item.media:
            if item.text is None:
                raise refuse_media(NO_MEDIA, item.media[0])
            ledger.drop(request.names.media)
        texts.append(item.text or "")
    return texts


def refuse_media(text: str, media: Media) -> Fault:
    """The ValidationException for media that a schema has no place for."""
    return validation(text.format(kind=_KINDS[media.kind]))


def drop_purpose(request: EmbedRequest, ledger: Ledger) -> None:
    """For schemas that do not ask what the vectors are for."""
    if request.purpose is not None:
        ledger.drop(request.names.purpose)


def drop_limits(request: EmbedRequest, ledger: Ledger, does: Truncate | None) -> None:
    """For schemas that cannot say how to shorten a text; `does`: what their models do anyway, if that is known."""
    if request.truncate is not None and request.truncate != does:
        ledger.drop(request.names.truncate)
    if request.max_tokens is not None:
        ledger.drop(request.names.max_tokens)
