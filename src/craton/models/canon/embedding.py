"""What an embedding model is asked, and what it answers: one shape for every vendor's schema.

Owns the records and what can be done to a vector without a model: cut or padded to a length, brought to length one,
quantised. Knows no HTTP and no vendor. Vectors are plain lists: they come from JSON and go to JSON.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Literal

import msgspec

Purpose = Literal["document", "query", "classification", "clustering", "similarity", "image"]
Truncate = Literal["none", "start", "end"]
Encoding = Literal["float", "int8", "uint8", "binary", "ubinary", "bits", "base64"]
"""How a vector is written. `binary` and `ubinary`: eight signs to a byte, first sign highest, signed (by an offset of
128) or not, as Cohere packs them; `bits`: a 0 or 1 per dimension, as Titan does; `base64`: little-endian float32."""

Vector = list[float]

_UNIT = 1e-3  # how far from one the length of a vector may be that counts as normalised
_SPREAD = 6.0  # int8 spans so many standard deviations of a unit vector's members


class Media(msgspec.Struct, frozen=True):
    """A picture, a sound or a film. `data` is base64 as it came; `uri` an S3 object in its place; `format` may be ""."""

    kind: Literal["image", "audio", "video"]
    format: str = ""
    data: str = ""
    uri: str = ""


class Item(msgspec.Struct, frozen=True):
    """What one vector is made of: a text, media, or both together. `media` in the order given."""

    text: str | None = None
    media: tuple[Media, ...] = ()


class Names(msgspec.Struct, frozen=True):
    """The caller's own names of the members below, for the ledger; `tokens`: where its reply must have a count."""

    dimensions: str = "dimensions"
    normalize: str = "normalize"
    purpose: str = "input_type"
    truncate: str = "truncate"
    max_tokens: str = "max_tokens"
    media: str = "image"
    text: str = "text"
    tokens: str = ""


class EmbedRequest(msgspec.Struct, kw_only=True):
    """A request for vectors.

    `dimensions`: the length that the reply must have, asked for or by the schema's default; None: whatever comes.
    `typed`: the caller named the encodings, which some schemas answer otherwise than the same by default.
    `normalize` True: vectors of length one; False: as the model makes them; None: the caller cannot say.
    `native`: the caller's body as it came and `schema`, its name: a target that speaks it gets it byte for byte.
    """

    items: list[Item]
    model_id: str = ""
    purpose: Purpose | None = None
    dimensions: int | None = None
    normalize: bool | None = None
    encodings: tuple[Encoding, ...] = ("float",)
    typed: bool = False
    truncate: Truncate | None = None
    max_tokens: int | None = None
    names: Names = Names()
    schema: str = ""
    native: bytes = b""

    def texts(self) -> list[str]:
        """The texts, where every item is one. Raises ValueError if any is not."""
        found = [item.text for item in self.items if item.text is not None and not item.media]
        if len(found) != len(self.items):
            raise ValueError("not every item is a text alone")
        return found


class EmbedReply(msgspec.Struct, kw_only=True):
    """Vectors by encoding, each list in the order of the request's items.

    `input_tokens` None: the upstream did not say. `images`: what the upstream told of pictures, in Cohere's form.
    `native`: the upstream's reply as it came, in the caller's own schema; then `vectors` may be empty.
    """

    vectors: dict[Encoding, list[Vector]] = {}
    input_tokens: int | None = None
    images: list[dict[str, object]] | None = None
    native: bytes = b""


def length(vector: Vector) -> float:
    return math.hypot(*vector)


def is_unit(vector: Vector) -> bool:
    return abs(length(vector) - 1.0) < _UNIT


def normalized(vector: Vector) -> Vector:
    """The vector at length one; the zero vector as it is."""
    size = length(vector)
    return vector if size == 0.0 else [x / size for x in vector]


def resized(vector: Vector, dimensions: int) -> Vector:
    """The first `dimensions` members; zeros at the end where there are fewer, which leaves every cosine as it was."""
    missing = dimensions - len(vector)
    return vector[:dimensions] if missing <= 0 else vector + [0.0] * missing


def cosine(one: Vector, other: Vector) -> float:
    """Their cosine, from -1 to 1; 0 if either has no length."""
    sizes = length(one) * length(other)
    return sum(map(operator.mul, one, other)) / sizes if sizes else 0.0


def quantized(vector: Vector, encoding: Encoding) -> Vector:
    """The vector's members in `encoding`, integers but for `float`. Cosines of int8 differ from the exact in the third
    digit; those of signs are coarse.

    A vendor calibrates int8 to the model; here the scale follows from the length of the vector alone: 127 is six
    standard deviations, or the largest member where that is more, so scores compare across vectors.
    """
    if encoding in ("int8", "uint8"):
        limit = max(_SPREAD * length(vector) / math.sqrt(len(vector)), *vector, -min(vector)) if vector else 0.0
        scale = 127.0 / limit if limit else 0.0
        middle = 128.5 if encoding == "uint8" else 0.5
        return list(map(math.floor, [x * scale + middle for x in vector]))
    if encoding == "bits":
        return [1 if x > 0 else 0 for x in vector]
    if encoding in ("binary", "ubinary"):
        return packed(vector, 128 if encoding == "binary" else 0)
    return vector


def packed(vector: Vector, offset: int) -> Vector:
    """Eight signs to a number, less `offset`; the last number is filled up with zeros."""
    octets = (vector[at : at + 8] for at in range(0, len(vector), 8))
    return [signs(octet) - offset for octet in octets]


def signs(octet: Iterable[float]) -> int:
    """Up to eight signs as one byte, the first the highest."""
    number = 0
    for place, x in enumerate(octet):
        if x > 0:
            number |= 0x80 >> place
    return number
