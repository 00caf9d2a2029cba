"""The binary operator: values in base64, compared byte for byte once decoded.

A request's value that is no base64 fits nothing. Source: IAM user guide, "Binary condition operators".
"""

from __future__ import annotations

import base64
import binascii

from craton.aws.access.conditions.operator import Compare, Operator


def decoded(text: str) -> bytes | None:
    """The bytes of a base64 text, None where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def equals(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
    """Whether the request's bytes are one of the policy's."""
    wanted = []
    for text in values:
        read = decoded(text)
        if read is None:
            raise ValueError(f"{text[:100]!r} is not base64")
        wanted.append(read)
    return lambda value, _keys: decoded(value) in wanted


OPERATORS = {"BinaryEquals": Operator(equals)}
