"""The fields of one native object ↔ the members of an `ImageRequest`, by one table each.

Owns how fields are copied, how a value that the other schema's bounds refuse goes to the ledger, and nothing of any
schema: a dialect gives the Struct with the bounds and the names that differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from craton.models.canon.image import ImageRequest
from craton.models.dialects.dialect import Ledger

Given = dict[str, Any]


class Members:
    """One native object.

    Args:
        body: the Struct that decodes it, with the schema's bounds.
        names: attributes that are called otherwise in the canon, and what they are called there.
        inverted: attributes that say how much stays, where the canon says how much may change.
        prefix: where the object stands in the body, with a dot at its end; for the ledger.
    """

    def __init__(
        self,
        body: type[msgspec.Struct],
        names: Mapping[str, str] | None = None,
        *,
        inverted: frozenset[str] = frozenset(),
        prefix: str = "",
    ) -> None:
        names = names or {}
        fields = msgspec.structs.fields(body)
        canonical = frozenset(ImageRequest.__struct_fields__)
        self._rows = [
            (field.name, field.encode_name, names.get(field.name, field.name), field.type, field.name in inverted)
            for field in fields
            if names.get(field.name, field.name) in canonical
        ]
        self._required = {field.encode_name: field.type for field in fields if field.required}
        self.paths = {member: prefix + wire for _, wire, member, _, _ in self._rows}

    @property
    def carried(self) -> frozenset[str]:
        """The canonical members that this object has a field for."""
        return frozenset(self.paths)

    def read(self, value: msgspec.Struct | None) -> Given:
        """The members that the object gives."""
        found: Given = {}
        if value is None:
            return found
        for attribute, _, member, _, inverted in self._rows:
            given = getattr(value, attribute)
            if given is not None:
                found[member] = round(1 - given, 6) if inverted else given
        return found

    def write(self, given: Given, request: ImageRequest, ledger: Ledger) -> Given:
        """The native object; takes out of `given` what it had a field for. Required texts that are missing are empty."""
        body: Given = {}
        for _, wire, member, kind, inverted in self._rows:
            if member not in given:
                continue
            value = given.pop(member)
            value = round(1 - value, 6) if inverted else value
            if fits(value, kind):
                body[wire] = value
            else:
                ledger.drop(request.path(member))
        for wire in self._required:
            body.setdefault(wire, "")
        return body


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is within the bounds of a field."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def drop_rest(given: Given, request: ImageRequest, ledger: Ledger) -> None:
    """What no field took goes to the ledger."""
    for member in given:
        ledger.drop(request.path(member))
    for name in request.extras:
        ledger.drop(request.path(name))
