"""Checksums of uploads in parts: which algorithm and type an upload has, and what follows for the whole from its parts.

Pure. Source: S3 user guide, "Checking object integrity", the table of checksum types for multipart uploads.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from craton.aws.wire import checksums
from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault
from craton.infra.objects.record import COMPOSITE, FULL, Part

DEFAULT: Final = "CRC64NVME"
"""What S3 computes of an object whose sender declared no checksum; always of the full object."""


def type_of(algorithm: str | None, kind: str | None) -> tuple[str, str]:
    """Algorithm and checksum type of a new upload, ("", "") where it names none. Raises InvalidRequest."""
    if algorithm is None:
        if kind is not None:
            text = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise fault("InvalidRequest", text)
        return "", ""
    only_full = algorithm == DEFAULT
    kind = kind or (FULL if only_full else COMPOSITE)
    impossible = (kind == FULL and algorithm not in checksums.COMBINES) or (kind == COMPOSITE and only_full)
    if impossible:
        text = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise fault("InvalidRequest", text)
    return algorithm, kind


def declared(req: Any) -> dict[str, str]:
    """The checksums in the members of a request or of a part, by algorithm."""
    found = {name: getattr(req, f"Checksum{name}", None) for name in checksums.ALGORITHMS}
    return {name: value for name, value in found.items() if value is not None}


def members(values: Mapping[str, str]) -> dict[str, str]:
    """Checksums as members of an answer."""
    return {f"Checksum{name}": value for name, value in values.items()}


def check_same(expected: str, sent: Sequence[str]) -> None:
    """Raise InvalidRequest for a part that was sent with another algorithm than its upload's."""
    if expected and sent and expected not in sent:
        raise fault(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()}, actual checksum Type: "
            f"{sent[0].lower()}",
        )


def etag_of(parts: Sequence[Part]) -> str:
    """The ETag of an object in parts: the MD5 of their MD5s, and how many they are."""
    return f"{checksums.composed('MD5', (bytes.fromhex(part.etag) for part in parts)).hex()}-{len(parts)}"


def whole(algorithm: str, kind: str, parts: Sequence[Part]) -> dict[str, str]:
    """The checksum of an object made of these parts; none where a part's is not known."""
    digests = [base64.b64decode(part.checksums.get(algorithm, "")) for part in parts]
    if not all(digests):
        return {}
    if kind == COMPOSITE:
        return {algorithm: f"{checksums.text(checksums.composed(algorithm, digests))}-{len(parts)}"}
    sizes = (part.size for part in parts)
    return {algorithm: checksums.text(checksums.combined(algorithm, zip(digests, sizes, strict=True)))}


def check_whole(sent: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise BadDigest where a request states another checksum of the whole."""
    for name, value in sent.items():
        if name in found and found[name].partition("-")[0] != value.partition("-")[0]:
            raise bad_digest(name)


def bad_digest(algorithm: str) -> Fault:
    return fault("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
