"""The head of a picture's file: its format and its size, and whether a schema accepts them.

Owns the few bytes of PNG, JPEG and WebP that tell a size; decodes no pixel, so that a file that unfolds to
gigabytes is refused before anybody opens it. Sources: RFC 2083, ITU T.81 annex B, RFC 9649.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from craton.aws.wire.faults import Fault
from craton.models.dialects.malformed import malformed

_NO_SIZE = frozenset({0x01, *range(0xD0, 0xDA)})  # JPEG markers without a length
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # JPEG markers that begin a frame


class Head(NamedTuple):
    """`format` is png, jpeg or webp; sizes in pixels."""

    format: str
    width: int
    height: int


class Bounds(msgspec.Struct, frozen=True):
    """What a schema takes: pixels a side, pixels in all, the longest side over the shortest."""

    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    min_side: int = 64
    max_side: int = 16_384
    min_pixels: int = 0
    max_pixels: int = 9_437_184
    max_ratio: float = 0.0


def read_head(data: bytes) -> Head | None:
    """The head of a file, or None if it is none of the three formats or is cut off."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        return Head("png", int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp(data)
    return None


def check(data: bytes, path: str, bounds: Bounds) -> Head:
    """The head of a picture that is within bounds. Raises ValidationException that names `path`."""
    head = read_head(data)
    if head is None:
        raise _refused(path, "the value is not a base64-encoded picture in the format " + " or ".join(bounds.formats))
    if head.format not in bounds.formats:
        raise _refused(path, f"the format {head.format} is not one of {', '.join(bounds.formats)}")
    width, height, pixels = head.width, head.height, head.width * head.height
    size = f"the picture's {width}x{height} pixels"
    if min(width, height) < bounds.min_side or max(width, height) > bounds.max_side:
        raise _refused(path, f"{size} are not between {bounds.min_side} and {bounds.max_side} a side")
    if not bounds.min_pixels <= pixels <= bounds.max_pixels:
        raise _refused(path, f"{size} are not between {bounds.min_pixels} and {bounds.max_pixels} in all")
    if bounds.max_ratio and max(width, height) > bounds.max_ratio * min(width, height):
        raise _refused(path, f"{size} have an aspect ratio beyond {bounds.max_ratio:g}:1")
    return head


def check_mask(mask: bytes, path: str, bounds: Bounds, image: Head, image_path: str) -> None:
    """The mask of a schema that wants it as large as its picture. Raises ValidationException."""
    head = check(mask, path, bounds)
    if (head.width, head.height) != (image.width, image.height):
        raise _refused(path, f"the mask must have the size of {image_path}")


def _refused(path: str, why: str) -> Fault:
    return malformed(f"#/{path.replace('.', '/')}: {why}")


def _jpeg(data: bytes) -> Head | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _NO_SIZE:
            at += 2
        elif marker in _FRAMES:
            height, width = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            return Head("jpeg", width, height)
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp(data: bytes) -> Head | None:
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return Head(
            "webp", int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
        )
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return Head("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        return Head("webp", int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1)
    return None
