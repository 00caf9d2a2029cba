"""Office documents as archives: what must be true of one before a parser may open it.

Owns the limits of archives and the refusals. A file of a few KiB can hold gigabytes of zeros, and XML can define a word
that is a billion words long; neither is ever in a document that an office program wrote.
"""

from __future__ import annotations

import io
import zipfile

from craton.infra.documents.port import UnreadableError

MAX_UNPACKED = 512 * 1024 * 1024
# Below this size a high ratio harms nobody, and sheets of equal cells do reach it.
_FREE_BYTES = 32 * 1024 * 1024
MAX_RATIO = 250
_MAX_MEMBERS = 20_000
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DEFINITION = "<!doctype"
_HEAD_BYTES = 1024


def unpackable(data: bytes) -> io.BytesIO:
    """The archive, after its directory was held against the limits. Raises UnreadableError."""
    if data.startswith(_COMPOUND):
        _compound(data)
    file = io.BytesIO(data)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # The directory's sizes bind: no more is ever unpacked of a member than it says.
        size = sum(member.file_size for member in members)
        if len(members) > _MAX_MEMBERS or size > MAX_UNPACKED:
            raise UnreadableError("unpacks to more than 512 MiB or 20,000 parts")
        if size > _FREE_BYTES and size > MAX_RATIO * len(data):
            raise UnreadableError(f"unpacks to more than {MAX_RATIO} times its size")
        if any(member.flag_bits & 1 for member in members):
            raise UnreadableError("is encrypted")
        for member in members:
            if member.filename.lower().endswith((".xml", ".rels")):
                _no_definitions(archive, member)
    file.seek(0)
    return file


def _no_definitions(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    with archive.open(member) as part:
        head = part.read(_HEAD_BYTES)
    if _DEFINITION in head.replace(b"\0", b"").decode("latin-1").lower():
        raise UnreadableError("defines entities, as no document of its type may")


def _compound(data: bytes) -> None:
    """The newer formats under a password lie in a file of the older kind."""
    from olefile import OleFileIO  # type: ignore[import-untyped]

    with OleFileIO(io.BytesIO(data)) as file:
        if file.exists("EncryptedPackage"):
            raise UnreadableError("is encrypted")
    raise UnreadableError("is damaged or not of the format that was given")
