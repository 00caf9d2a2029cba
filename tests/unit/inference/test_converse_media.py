"""What files in a conversation must be: size, kind and dimensions, each in Bedrock's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.rules import media
from craton.models.canon.content import DocumentBlock, DocumentSource, ImageBlock, MediaSource, VideoBlock
from tests.fakes import files

MAKERS = {"png": files.png, "jpeg": files.jpeg, "gif": files.gif, "webp": files.webp}
CONTENTS = {
    "pdf": files.pdf("x"),
    "doc": files.doc("x"),
    "xls": files.xls([["x"]]),
    "docx": b"PK\x03\x04 and so on",
    "xlsx": b"PK\x03\x04 and so on",
    "txt": b"plain",
    "csv": b"a,b",
    "md": b"# a",
    "html": "<p>ü".encode(),
}


def image(data: bytes, kind: Any) -> ImageBlock:
    return ImageBlock(kind, MediaSource(bytes=data))


def document(data: bytes, kind: Any, name: str = "name") -> DocumentBlock:
    return DocumentBlock(name, DocumentSource(bytes=data), kind)


@pytest.mark.parametrize("kind", MAKERS)
def test_an_images_kind_and_size_are_read_from_its_head(kind: str) -> None:
    """All four formats."""
    data = MAKERS[kind](8000, 17)
    assert media.image_kind(data) == kind
    assert media.dimensions(data) == (8000, 17)
    media.check_image("messages.0.content.0", image(data, kind))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_image_of_too_many_pixels_is_refused(make: Callable[[int, int], bytes]) -> None:
    """8000 a side."""
    data = make(5, 8001)
    with pytest.raises(Fault, match="max allowed size: 8000 pixels"):
        media.check_image("messages.0.content.0", image(data, media.image_kind(data)))


def test_an_image_of_another_format_is_refused() -> None:
    """What it is and what it was said to be."""
    with pytest.raises(Fault, match="using the image/png media type, but the image appears to be a image/gif image"):
        media.check_image("messages.0.content.0", image(files.gif(1, 1), "png"))


def test_what_cannot_be_told_is_left_to_the_model() -> None:
    """Bytes of no known head, and a head that is cut."""
    media.check_image("messages.0.content.0", image(b"whatever", "png"))
    assert media.dimensions(files.png(1, 1)[:12]) is None
    assert media.dimensions(files.jpeg(1, 1)[:9]) is None


def test_an_image_may_have_so_many_bytes() -> None:
    """3.75 MB."""
    media.check_image("w", image(bytes(media.MAX_IMAGE_BYTES), "png"))
    with pytest.raises(Fault, match=r"3\.75 MB"):
        media.check_image("w", image(bytes(media.MAX_IMAGE_BYTES + 1), "png"))


def test_a_video_may_have_so_many_bytes() -> None:
    """25 MB in the request itself."""
    with pytest.raises(Fault, match="25 MB"):
        media.check_video("w", VideoBlock("mp4", MediaSource(bytes=bytes(media.MAX_VIDEO_BYTES + 1))))


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_document_of_its_own_format_passes(kind: str) -> None:
    """All nine formats."""
    media.check_document("w", document(CONTENTS[kind], kind))


@pytest.mark.parametrize(
    ("given", "data", "words"),
    [
        ("pdf", b"plain", "The detected filetype is PLAIN_TEXT, but the provided filetype was PDF."),
        ("txt", CONTENTS["pdf"], "The detected filetype is PDF, but the provided filetype was TXT."),
        ("docx", CONTENTS["doc"], "DOC or XLS, but the provided filetype was DOCX."),
        ("pdf", files.png(1, 1), "Unsupported MIME type: image/png. Retry your request with a supported file type"),
    ],
)
def test_a_document_of_another_format_is_refused(given: str, data: bytes, words: str) -> None:
    """Bedrock looks into the bytes."""
    with pytest.raises(Fault) as caught:
        media.check_document("w", document(data, given))
    assert words in caught.value.message


@pytest.mark.parametrize("data", ["Grüße".encode("utf-16"), "é".encode("latin-1"), b"a" * 1023 + "é".encode(), b"\0\1"])
def test_text_in_any_encoding_passes(data: bytes) -> None:
    """What is not UTF-8 may be text still."""
    media.check_document("w", document(data, "txt"))


def test_a_document_may_have_so_many_bytes_and_needs_a_format() -> None:
    """4.5 MB; bytes alone do not say how they are to be read."""
    with pytest.raises(Fault, match=r"4\.5 MB"):
        media.check_document("w", document(b"a" * (media.MAX_DOCUMENT_BYTES + 1), "txt"))
    with pytest.raises(Fault, match="format field must be set"):
        media.check_document("w", document(b"a", None))
