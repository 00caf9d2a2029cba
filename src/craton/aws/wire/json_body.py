"""The JSON body of a path of our own, which no service model describes, read into a struct."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from craton.aws.wire.faults import serialization, validation

T = TypeVar("T")


def read_body(body: bytes, shape: type[T]) -> T:
    """Raises ValidationException where it does not fit the shape, SerializationException where it is not JSON."""
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except msgspec.ValidationError as error:
        raise validation(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise serialization("The body is not JSON.") from None
