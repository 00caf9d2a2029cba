"""Images, documents and videos in a conversation: their sizes, what their bytes really are, and Bedrock's words.

Owns: what the first bytes of a file tell, and the rules for one block each. What nobody can tell from the bytes passes:
the model says what it thinks of it. Sources: reference converse.md and errors.md; the heads of the formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - struct names its error in lower case
from struct import unpack_from

from craton.aws.wire.faults import validation
from craton.models.canon.content import DocumentBlock, ImageBlock, VideoBlock

_MIB = 1024 * 1024
MAX_IMAGE_BYTES = int(3.75 * _MIB)
MAX_DOCUMENT_BYTES = int(4.5 * _MIB)
MAX_VIDEO_BYTES = 25 * _MIB
MAX_PIXELS = 8000  # a side
_HEAD = 1024  # bytes in which a PDF must begin

DOCUMENT_NAME = (
    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, "
    "and square brackets. The name can't contain more than one consecutive whitespace character. Check that the file "
    "name conforms to these restrictions and retry your request."
)
OTHER_FILE = "The detected filetype is {found}, but the provided filetype was {given}."
NO_DOCUMENT = (
    "Unsupported MIME type: {found}. Retry your request with a supported file type: "
    "csv, doc, docx, html, md, pdf, txt, xls, xlsx."
)
OTHER_IMAGE = (
    "The model returned the following errors: {where}.image.source.bytes: The image was specified using the "
    "image/{given} media type, but the image appears to be a image/{found} image"
)
TOO_MANY_PIXELS = (
    "The model returned the following errors: {where}.image.source.bytes: At least one of the image dimensions exceed "
    "max allowed size: 8000 pixels"
)
_DOCUMENT_NAME = re.compile(r"[A-Za-z0-9\-()\[\]]+(?:\s[A-Za-z0-9\-()\[\]]+)*\s?|\s(?:[A-Za-z0-9\-()\[\]]+\s?)*")

# What formats that are no text begin with. Office formats share two containers.
_PDF, _ZIP, _OLE, _TEXT = "PDF", "ZIP", "OLE", "PLAIN_TEXT"
_CONTAINERS = {"pdf": _PDF, "docx": _ZIP, "xlsx": _ZIP, "doc": _OLE, "xls": _OLE}
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06")
_OLE_HEAD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Worksheets before Excel 5 stand alone: the record that begins each of their versions.
_SHEETS = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00")


def image_kind(data: bytes) -> str:
    """The image format that the bytes begin as, or ""."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def file_kind(data: bytes) -> str:
    """What a document's bytes begin as: PDF, an archive, a compound file, plain text, or "" for what is none."""
    if b"%PDF-" in data[:_HEAD]:
        return _PDF
    if data.startswith(_ZIP_HEADS):
        return _ZIP
    if data.startswith((_OLE_HEAD, *_SHEETS)):
        return _OLE
    if b"\x00" in data[:_HEAD]:
        return ""
    try:
        data[:_HEAD].decode("utf-8")
    except UnicodeDecodeError as error:
        return _TEXT if error.start > _HEAD - 4 else ""  # cut within a character
    return _TEXT


# --- dimensions ------------------------------------------------------------------------------------------------------


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame's head
            height, width = unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:  # filling
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers that stand alone
            at += 2
        else:
            at += 2 + max(2, unpack_from(">H", data, at + 2)[0])


def _webp(data: bytes) -> tuple[int, int]:
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        (bits,) = unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


_DIMENSIONS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "png": lambda data: unpack_from(">II", data, 16),
    "gif": lambda data: unpack_from("<HH", data, 6),
    "jpeg": _jpeg,
    "webp": _webp,
}


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, or None where they cannot be found."""
    find = _DIMENSIONS.get(image_kind(data))
    if find is None:
        return None
    try:
        return find(data)
    except (StructError, IndexError):
        return None


# --- the rules -------------------------------------------------------------------------------------------------------


def check_image(where: str, image: ImageBlock) -> None:
    """Raise ValidationException for an image that is too large or of another format than it says."""
    data = image.source.bytes
    if data is None:
        return
    if len(data) > MAX_IMAGE_BYTES:
        raise validation(f"The image at {where} exceeds the maximum size of 3.75 MB.")
    found = image_kind(data)
    if found and found != image.format:
        raise validation(OTHER_IMAGE.format(where=where, given=image.format, found=found))
    if max(dimensions(data) or (0, 0)) > MAX_PIXELS:
        raise validation(TOO_MANY_PIXELS.format(where=where))


def check_video(where: str, video: VideoBlock) -> None:
    """Raise ValidationException for a video that is too large for its bytes to be in the request."""
    data = video.source.bytes
    if data is not None and len(data) > MAX_VIDEO_BYTES:
        raise validation(f"The video at {where} exceeds the maximum size of 25 MB. Provide it by an S3 location.")


def check_document(where: str, document: DocumentBlock) -> None:
    """Raise ValidationException for a bad name, or bytes that `check_file` refuses."""
    if not _DOCUMENT_NAME.fullmatch(document.name):
        raise validation(DOCUMENT_NAME)
    check_file(where, document)


def check_file(where: str, document: DocumentBlock) -> None:
    """Raise ValidationException for bytes that are too many or of another format than they say."""
    data, given = document.source.bytes, document.format
    if data is None:
        return
    if len(data) > MAX_DOCUMENT_BYTES:
        raise validation(f"The document at {where} exceeds the maximum size of 4.5 MB.")
    if given is None:
        raise validation(f"The format field must be set for the document at {where} when its source is bytes.")
    picture = image_kind(data)
    if picture:
        raise validation(NO_DOCUMENT.format(found=f"image/{picture}"))
    wanted, found = _CONTAINERS.get(given, _TEXT), file_kind(data)
    # Text in an encoding that is not UTF-8 begins as nothing known.
    if found and found != wanted:
        shown = {_ZIP: "DOCX or XLSX", _OLE: "DOC or XLS"}.get(found, found)
        raise validation(OTHER_FILE.format(found=shown, given=given.upper()))
