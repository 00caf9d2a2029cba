"""What type a file is: said by its name and its media type, and held against its first bytes.

Owns the tables of types. A name that promises one thing over bytes of another is refused here, before any reader sees
them; an office document that was only saved under its older name is taken for what it is.
"""

from __future__ import annotations

from typing import Literal

from craton.features.rag.pieces import Unreadable
from craton.infra.documents.port import FileFormat

Kind = Literal["txt", "md", "csv", "png", "jpeg"] | FileFormat

_ENDINGS: dict[str, Kind] = {
    "txt": "txt", "text": "txt", "md": "md", "markdown": "md", "csv": "csv", "html": "html", "htm": "html",
    "pdf": "pdf", "doc": "doc", "docx": "docx", "xls": "xls", "xlsx": "xlsx", "pptx": "pptx",
    "png": "png", "jpg": "jpeg", "jpeg": "jpeg",
}  # fmt: skip
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MEDIA: dict[str, Kind] = {
    "text/plain": "txt",
    "text/markdown": "md",
    "text/x-markdown": "md",
    "text/csv": "csv",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "application/msword": "doc",
    _OFFICE + "wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    _OFFICE + "spreadsheetml.sheet": "xlsx",
    _OFFICE + "presentationml.presentation": "pptx",
    "image/png": "png",
    "image/jpeg": "jpeg",
}
PLAIN = frozenset({"txt", "md", "csv"})
IMAGES: dict[str, str] = {"png": "image/png", "jpeg": "image/jpeg"}

_ZIP, _COMPOUND, _OTHER = "zip", "compound", "other"
# What the first bytes tell; the reader of a compound file or an archive looks further.
_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _COMPOUND),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", _OTHER),
    (b"\x1f\x8b", _OTHER),
    (b"{\\rtf", _OTHER),
)
# (said, seen) → what it is read as. An encrypted document of the newer formats lies within a compound file.
_MEANT: dict[tuple[Kind, str | None], Kind] = {
    ("pdf", "pdf"): "pdf",
    ("docx", _ZIP): "docx",
    ("docx", _COMPOUND): "docx",
    ("xlsx", _ZIP): "xlsx",
    ("xlsx", _COMPOUND): "xlsx",
    ("pptx", _ZIP): "pptx",
    ("pptx", _COMPOUND): "pptx",
    ("doc", _COMPOUND): "doc",
    ("doc", _ZIP): "docx",
    ("xls", _COMPOUND): "xls",
    ("xls", _ZIP): "xlsx",
    ("png", "png"): "png",
    ("jpeg", "jpeg"): "jpeg",
    ("png", "jpeg"): "jpeg",
    ("jpeg", "png"): "png",
    ("txt", None): "txt",
    ("md", None): "md",
    ("csv", None): "csv",
    ("html", None): "html",
}
# A PDF may begin with up to this much of something else (ISO 32000, annex H).
_LEAD_BYTES = 1024


def kind_of(name: str, mime: str | None, head: bytes) -> Kind:
    """The file's type. `name` may be a key, a URL's path or a bare name; its ending goes before `mime`.

    Raises Unreadable: the type is none that is read, or the bytes are of another one.
    """
    ending = name.rpartition("/")[2].rpartition(".")
    said = _ENDINGS.get(ending[2].lower()) if ending[0] else None
    said = said or _MEDIA.get((mime or "").partition(";")[0].strip().lower())
    if said is None:
        raise Unreadable("The document's type is not supported.")
    seen = next((kind for sign, kind in _SIGNS if head.startswith(sign)), None)
    if said == "pdf" and seen is None and b"%PDF-" in head[:_LEAD_BYTES]:
        seen = "pdf"
    meant = _MEANT.get((said, seen))
    if meant is None:
        raise Unreadable(f"The document's content is not of the type {said}, which it is named as.")
    return meant
