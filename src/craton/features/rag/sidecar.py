"""A document's metadata file (`<file>.metadata.json`): its attributes, its access list, and what a CSV's columns mean.

Owns both forms of an attribute (a bare value, or a typed one with `includeForEmbedding`) and the limits. It must not
know where the file lies. Source: the user guide on metadata, and the API's MetadataAttributeValue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from craton.features.rag.access import BadMetadata, access_of, json_of
from craton.infra.vectors.port import Access, Value

ENDING = ".metadata.json"
"""What a document's key and its metadata file's differ by."""
MAX_BYTES = 10 * 1024


MAX_KEY = 200
_MEMBERS = {
    "STRING": "stringValue",
    "NUMBER": "numberValue",
    "BOOLEAN": "booleanValue",
    "STRING_LIST": "stringListValue",
}
# Exactly these: true is no number.
_TYPES: dict[str, tuple[type, ...]] = {
    "stringValue": (str,),
    "numberValue": (int, float),
    "booleanValue": (bool,),
    "stringListValue": (list,),
}


class Structure(msgspec.Struct, frozen=True):
    """What the columns of a CSV are: one of content, the others metadata, all of them unless some are named."""

    content: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class _Field(msgspec.Struct):
    name: str = msgspec.field(name="fieldName")


class _Columns(msgspec.Struct):
    include: list[_Field] = msgspec.field(name="fieldsToInclude", default_factory=list)
    exclude: list[_Field] = msgspec.field(name="fieldsToExclude", default_factory=list)


class _Records(msgspec.Struct):
    content: list[_Field] = msgspec.field(name="contentFields")
    columns: _Columns = msgspec.field(name="metadataFieldsSpecification", default_factory=_Columns)


class _StructureConfiguration(msgspec.Struct):
    type: Literal["RECORD_BASED_STRUCTURE_METADATA"]
    record_based: _Records = msgspec.field(name="recordBasedStructureMetadata")


class Sidecar(msgspec.Struct, frozen=True):
    """`embedded`: names of the attributes that are embedded with each piece, in the file's order."""

    attributes: Mapping[str, Value] = {}
    embedded: tuple[str, ...] = ()
    structure: Structure | None = None
    access: Access | None = None

    def prefix(self) -> str:
        """What stands before a piece's text for the embedding model alone."""
        return "".join(f"{key}: {_shown(self.attributes[key])}\n\n" for key in self.embedded)


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return value


def read_sidecar(data: bytes) -> Sidecar:
    """What a metadata file says.

    Raises:
        BadMetadata: it is too large, is no JSON object, or says something that no metadata file may.
    """
    if len(data) > MAX_BYTES:
        raise BadMetadata("The metadata file is larger than 10 KB.")
    found = json_of(data, "metadata file")
    if not isinstance(found, dict):
        raise BadMetadata("The metadata file is not a JSON object.")
    attributes = found.get("metadataAttributes", {})
    if not isinstance(attributes, dict):
        raise BadMetadata("The metadata file's metadataAttributes is not an object.")
    values: dict[str, Value] = {}
    embedded: list[str] = []
    for key, told in attributes.items():
        value, embeds = _attribute(key, told)
        values[key] = value
        if embeds:
            embedded.append(key)
    listed = found.get("accessControlList")
    return Sidecar(
        values,
        tuple(embedded),
        _structure(found.get("documentStructureConfiguration")),
        None if listed is None else access_of(listed),
    )


def _attribute(key: str, told: Any) -> tuple[Value, bool]:
    """The value, and whether it is embedded. A bare value never is."""
    if not 0 < len(key) <= MAX_KEY:
        raise BadMetadata(f"The name of a metadata attribute has 1 to {MAX_KEY} characters.")
    if not isinstance(told, dict):
        return _value(key, told), False
    typed = told.get("value")
    typed = typed if isinstance(typed, dict) else {}
    member = _MEMBERS.get(str(typed.get("type")), "")
    value = typed.get(member)
    if type(value) not in _TYPES.get(member, ()):
        raise BadMetadata(f"The metadata attribute '{key}' has no value of the type that it names.")
    embeds = told.get("includeForEmbedding", False)
    if not isinstance(embeds, bool):
        raise BadMetadata(f"The metadata attribute '{key}' has an includeForEmbedding that is neither true nor false.")
    return _value(key, value), embeds


def _value(key: str, told: Any) -> Value:
    if isinstance(told, bool):
        return told
    if isinstance(told, int | float):
        return _number(key, told)
    if isinstance(told, str) and told:
        return told
    if isinstance(told, list) and told and all(isinstance(one, str) and one for one in told):
        return tuple(told)
    raise BadMetadata(f"The metadata attribute '{key}' is not a string, number, boolean or list of strings.")


def _number(key: str, told: float) -> float:
    try:
        number = float(told)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadMetadata(f"The metadata attribute '{key}' is too large a number.")
    return number


def _structure(told: Any) -> Structure | None:
    if told is None:
        return None
    try:
        found = msgspec.convert(told, _StructureConfiguration)
    except msgspec.ValidationError:
        raise BadMetadata("The metadata file's documentStructureConfiguration is not of its form.") from None
    records = found.record_based
    if len(records.content) != 1:
        raise BadMetadata("The metadata file's documentStructureConfiguration needs exactly one content field.")
    columns = records.columns
    return Structure(
        records.content[0].name,
        tuple(field.name for field in columns.include),
        tuple(field.name for field in columns.exclude),
    )
