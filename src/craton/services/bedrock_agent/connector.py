"""The connectors of managed knowledge bases: their parameters, which the service model leaves open.

Owns the names and types of `connectorParameters` for the connectors that are built, S3 and CUSTOM. A member that nothing
here would heed is refused, not kept in silence. Source: Bedrock's user guide, "Connect a data source" and "Amazon S3" of
managed knowledge bases.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import validation

Bucket = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")]
Account = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
Patterns = Annotated[list[Annotated[str, Meta(min_length=1, max_length=1000)]], Meta(max_length=100)]
Location = Annotated[str, Meta(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.{1,1024}\Z")]


class Connection(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    bucket_name: Bucket
    bucket_owner_account_id: Account | None = None


class FilterOf(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Prefixes of keys, and patterns (regular expressions) for whole keys; sizes in MB, as a number or its text."""

    inclusion_prefixes: Patterns = []
    exclusion_prefixes: Patterns = []
    inclusion_patterns: Patterns = []
    exclusion_patterns: Patterns = []
    max_file_size_in_mega_bytes: (
        Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}\Z")] | Annotated[int, Meta(ge=1)] | None
    ) = None


class AccessLists(msgspec.Struct, forbid_unknown_fields=True):
    globalAccessControlListS3Uri: Location  # noqa: N815 - the API's own spelling


class S3Connector(msgspec.Struct, forbid_unknown_fields=True, rename="camel", tag="S3"):
    """`acl_enabled`: documents are seen by those alone whom an access list names."""

    version: Literal["1"]
    connection_configuration: Connection
    filter_configuration: FilterOf = msgspec.field(default_factory=FilterOf)
    metadata_files_prefix: str = ""
    acl_enabled: bool = False
    acl_configuration: AccessLists | None = None


class CustomConnector(msgspec.Struct, forbid_unknown_fields=True, rename="camel", tag="CUSTOM"):
    version: Literal["1"]
    acl_enabled: bool = False


BUILT = ("S3", "CUSTOM")
NOT_BUILT = "Connectors of the type {type} are not built here. Use one of the types S3 and CUSTOM."
BAD = "connectorParameters: {why}."
NO_LISTS = "connectorParameters: aclConfiguration needs aclEnabled to be true."
NOT_HEEDED = "managedKnowledgeBaseConnectorConfiguration: {member} is not built here."
BAD_PATTERN = "connectorParameters: {pattern} is not a regular expression."
MEDIA = (
    ("audioExtractionConfiguration", "audioExtractionStatus"),
    ("videoExtractionConfiguration", "videoExtractionStatus"),
)


def check_connector(config: dict[str, Any]) -> None:
    """Raise ValidationException for a connector that is not built, or asked for what it cannot do."""
    parameters = config.get("connectorParameters")
    if not isinstance(parameters, dict):
        raise validation(BAD.format(why="they must be a JSON object with a type"))
    kind = parameters.get("type")
    if kind not in BUILT:
        raise validation(NOT_BUILT.format(type=str(kind)[:100]))
    try:
        read = msgspec.convert(parameters, S3Connector | CustomConnector)
    except msgspec.ValidationError as error:
        raise validation(BAD.format(why=str(error)[:1].lower() + str(error)[1:])) from None
    if isinstance(read, S3Connector):
        check_s3(read)
    check_besides(config)


def check_s3(read: S3Connector) -> None:
    if read.acl_configuration is not None and not read.acl_enabled:
        raise validation(NO_LISTS)
    for pattern in (*read.filter_configuration.inclusion_patterns, *read.filter_configuration.exclusion_patterns):
        try:
            re.compile(pattern)
        except re.error:
            raise validation(BAD_PATTERN.format(pattern=pattern)) from None


def check_besides(config: dict[str, Any]) -> None:
    """What stands beside the parameters."""
    if "syncSchedule" in config:
        raise validation(NOT_HEEDED.format(member="syncSchedule"))
    protection = config.get("deletionProtectionConfiguration", {})
    if protection.get("deletionProtectionStatus") == "ENABLED":
        raise validation(NOT_HEEDED.format(member="deletionProtectionConfiguration"))
    media = config.get("mediaExtractionConfiguration", {})
    for member, status in MEDIA:
        if media.get(member, {}).get(status) == "ENABLED":
            raise validation(NOT_HEEDED.format(member=member))
