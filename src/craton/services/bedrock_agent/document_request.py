"""Documents as requests name and bring them: identifiers, content, metadata and access lists, checked.

Owns the rules of IngestKnowledgeBaseDocuments beyond the service model and the words in which they are refused, and the
two forms of an identifier. It must not know the ledger's tables, nor what becomes of a document. Sources: Bedrock's user
guide, "Ingest documents directly into a knowledge base" and "Document-level access controls" of custom data sources.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

from craton.aws.wire.faults import validation
from craton.features.rag.documents import Asked, Attribute, Kind
from craton.features.rag.resources import DataSource
from craton.infra.vectors.port import Access

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        CustomContent,
        CustomS3Location,
        DocumentContent,
        DocumentIdentifier,
        DocumentIdentifierDict,
        DocumentMetadata,
        InlineContent,
        KnowledgeBaseDocument,
        MetadataAttributeValue,
    )

Named = tuple[Kind, str]

NOT_DIRECT = "Documents of a data source of the type {type} cannot be named one by one: start an ingestion job."
OTHER_TYPE = "The dataSourceType {given} is not that of the data source, which is {kind}."
MISSING = "The {where} of the type {type} needs the member {member}."
TWICE = "The document {name} is named more than once in the request."
TWO_VALUES = "The metadata attribute {key} is given more than once."
NO_VALUE = "The value of the metadata attribute {key} needs the member {member} and no other."
ONLY_S3 = "A document of a data source of the type S3 takes its metadata from S3: use the type S3_LOCATION."
OTHER_BUCKET = "The document {uri} is not in the bucket of the data source."
NO_ACL = "The data source does not heed access lists: leave out the accessControlList, or set aclEnabled."
ACL_IN_FILE = "With the metadata type S3_LOCATION the accessControlList stands in the metadata file."

_MEMBERS = {
    "BOOLEAN": "booleanValue",
    "NUMBER": "numberValue",
    "STRING": "stringValue",
    "STRING_LIST": "stringListValue",
}


# --- the data source ---


def parameters(source: DataSource) -> dict[str, Any]:
    """The connector's, of a managed knowledge base's source; else none."""
    connector = source.configuration.get("managedKnowledgeBaseConnectorConfiguration", {})
    return dict(connector.get("connectorParameters", {}))


def kind_of(source: DataSource) -> Literal["S3", "CUSTOM"]:
    """Which kind of documents a source has. Raises ValidationException for one whose documents have no identifiers."""
    kind = parameters(source).get("type") or source.configuration["type"]
    if kind not in ("S3", "CUSTOM"):
        raise validation(NOT_DIRECT.format(type=kind))
    return cast('Literal["S3", "CUSTOM"]', kind)


def bucket_of(source: DataSource) -> str:
    """The bucket of a source of the kind S3."""
    place = source.configuration.get("s3Configuration")
    if place is not None:
        return str(place["bucketArn"]).rpartition(":")[2]
    return str(parameters(source)["connectionConfiguration"]["bucketName"])


# --- identifiers ---


def identified(source: DataSource, given: Iterable[DocumentIdentifier]) -> list[str]:
    """The identifiers, each once. Raises ValidationException."""
    kind = kind_of(source)
    found = []
    for one in given:
        check_kind(kind, one.dataSourceType)
        member = one.s3 if kind == "S3" else one.custom
        if member is None:
            raise missing("document identifier", kind, kind.lower())
        found.append(one.s3.uri if one.s3 is not None and kind == "S3" else cast("Any", member).id)
    check_once(found)
    return found


def shown(kind: Kind, identifier: str) -> DocumentIdentifierDict:
    if kind == "S3":
        return {"dataSourceType": "S3", "s3": {"uri": identifier}}
    return {"dataSourceType": "CUSTOM", "custom": {"id": identifier}}


def check_kind(kind: str, given: str) -> None:
    if given != kind:
        raise validation(OTHER_TYPE.format(given=given, kind=kind))


def check_once(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise validation(TWICE.format(name=name[:200]))


def missing(where: str, kind: str, member: str) -> Exception:
    return validation(MISSING.format(where=where, type=kind, member=member))


# --- documents ---


def asked_of(source: DataSource, documents: Iterable[KnowledgeBaseDocument]) -> dict[str, Asked]:
    """What is asked for each document, by its identifier. Raises ValidationException."""
    kind = kind_of(source)
    pairs = []
    for one in documents:
        check_kind(kind, one.content.dataSourceType)
        identifier, members = content_of(source, one.content)
        pairs.append((identifier, Asked(**members, **metadata_of(source, kind, one.metadata))))
    check_once([identifier for identifier, _ in pairs])
    return dict(pairs)


def content_of(source: DataSource, content: DocumentContent) -> tuple[str, dict[str, Any]]:
    """The document's identifier, and the members of `Asked` that say what is in it."""
    kind = content.dataSourceType
    if kind == "S3":
        if content.s3 is None:
            raise missing("content", kind, "s3")
        uri = content.s3.s3Location.uri
        if not uri.startswith(f"s3://{bucket_of(source)}/"):
            raise validation(OTHER_BUCKET.format(uri=uri[:200]))
        return uri, {"uri": uri}
    if content.custom is None:
        raise missing("content", kind, "custom")
    return content.custom.customDocumentIdentifier.id, custom_content(content.custom)


def custom_content(custom: CustomContent) -> dict[str, Any]:
    if custom.sourceType == "S3_LOCATION":
        if custom.s3Location is None:
            raise missing("custom content", custom.sourceType, "s3Location")
        return {"uri": custom.s3Location.uri, "owner": owner_of(custom.s3Location)}
    if custom.inlineContent is None:
        raise missing("custom content", custom.sourceType, "inlineContent")
    return inline_content(custom.inlineContent)


def inline_content(inline: InlineContent) -> dict[str, Any]:
    if inline.type == "TEXT":
        if inline.textContent is None:
            raise missing("inline content", inline.type, "textContent")
        return {"data": inline.textContent.data.encode("utf-8", "replace"), "mime": "text/plain"}
    if inline.byteContent is None:
        raise missing("inline content", inline.type, "byteContent")
    return {"data": bytes(inline.byteContent.data), "mime": inline.byteContent.mimeType}


def owner_of(place: CustomS3Location) -> str:
    return place.bucketOwnerAccountId or ""


# --- metadata ---


def metadata_of(source: DataSource, kind: str, metadata: DocumentMetadata | None) -> dict[str, Any]:
    """The members of `Asked` that say what is known of the document, and who may see it.

    A document of a source with access lists that brings none is seen by nobody.
    """
    with_lists = bool(parameters(source).get("aclEnabled"))
    if metadata is None:
        # A sync would find the list of an object in S3 beside it, so there it is the reader's to say.
        return {"access": Access()} if with_lists and kind == "CUSTOM" else {}
    if metadata.accessControlList is not None and not with_lists:
        raise validation(NO_ACL)
    if metadata.type == "S3_LOCATION":
        if metadata.s3Location is None:
            raise missing("metadata", metadata.type, "s3Location")
        if metadata.accessControlList is not None:
            raise validation(ACL_IN_FILE)
        return {"metadata_uri": metadata.s3Location.uri, "metadata_owner": owner_of(metadata.s3Location)}
    if kind == "S3":
        raise validation(ONLY_S3)
    if metadata.inlineAttributes is None and metadata.accessControlList is None:
        raise missing("metadata", metadata.type, "inlineAttributes")
    return {"attributes": attributes(metadata), "access": access_of(metadata) if with_lists else None}


def attributes(metadata: DocumentMetadata) -> tuple[Attribute, ...]:
    found: dict[str, Attribute] = {}
    for one in metadata.inlineAttributes or ():
        if one.key in found:
            raise validation(TWO_VALUES.format(key=one.key))
        found[one.key] = Attribute(one.key, value_of(one.key, one.value))
    return tuple(found.values())


def value_of(key: str, given: MetadataAttributeValue) -> str | float | bool | tuple[str, ...]:
    """The value of the type that it says it is."""
    member = _MEMBERS[given.type]
    there = [name for name in _MEMBERS.values() if getattr(given, name) is not None]
    if there != [member]:
        raise validation(NO_VALUE.format(key=key, member=member))
    value = getattr(given, member)
    return tuple(value) if isinstance(value, list) else cast("str | float | bool", value)


def access_of(metadata: DocumentMetadata) -> Access:
    """A denial wins over an allowance (`infra.vectors.port.Access`)."""
    entries = metadata.accessControlList or ()
    return Access(
        allowed=tuple(one.name for one in entries if one.access == "ALLOW"),
        denied=tuple(one.name for one in entries if one.access == "DENY"),
    )
