"""Content blocks of a conversation, member for member as Bedrock's Converse has them.

Attributes are snake_case, the JSON members camelCase, so a block decodes from and encodes to the wire
with no step between. A union is a Struct of optional members of which exactly one is set. JSON that
nobody has to look into (a tool's input, a schema) stays `msgspec.Raw`. Source of shapes and bounds:
botocore's service model of bedrock-runtime; `tests/unit/canon` holds the two against each other.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType
from msgspec.structs import astuple

_ABSENT = (None, UNSET)


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A structure of the wire: camelCase outside, unset members left out."""


class Union(Part):
    """A structure of which exactly one member is set."""

    def __post_init__(self) -> None:
        # Counted in C, since every request makes many of these: `count` compares by identity first.
        values = astuple(self)
        others = len(values) - 1
        # Raw has no "or None" in msgspec, so a member that is raw JSON is UNSET where others are None.
        if values.count(None) != others and values.count(None) + values.count(UNSET) != others:
            members = ", ".join(self.__struct_encode_fields__)
            raise ValueError(f"exactly one member of [{members}] must be set")

    @property
    def kind(self) -> str:
        """The JSON name of the member that is set, such as `toolUse`."""
        for name, encoded in zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True):
            if getattr(self, name) not in _ABSENT:
                return encoded
        return ""


Blob = Annotated[bytes, Meta(min_length=1)]
NonNegative = Annotated[int, Meta(ge=0)]
NonEmpty = Annotated[str, Meta(min_length=1)]
ToolName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+\Z")]
ToolUseId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_.:-]+\Z")]
S3Uri = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?\Z")]
AccountId = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]

ImageFormat = Literal["png", "jpeg", "gif", "webp"]
DocumentFormat = Literal["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"]
VideoFormat = Literal["mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"]
AudioFormat = Literal[
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"
]
ToolStatus = Literal["success", "error"]
CacheTtl = Literal["5m", "1h"]


class S3Location(Part):
    uri: S3Uri
    bucket_owner: AccountId | None = None


class ErrorBlock(Part):
    message: str | None = None


class MediaSource(Union):
    """Bytes of an image, a video or a sound (base64 on the wire), or where in S3 they lie."""

    bytes: Blob | None = None
    s3_location: S3Location | None = None


class ImageBlock(Part):
    format: ImageFormat
    source: MediaSource
    error: ErrorBlock | None = None


class VideoBlock(Part):
    format: VideoFormat
    source: MediaSource


class AudioBlock(Part):
    format: AudioFormat
    source: MediaSource
    error: ErrorBlock | None = None


class CitationsConfig(Part):
    enabled: bool


class TextPart(Union):
    text: str | None = None


class DocumentSource(Union):
    bytes: Blob | None = None
    s3_location: S3Location | None = None
    text: str | None = None
    content: list[TextPart] | None = None


class DocumentBlock(Part):
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    source: DocumentSource
    format: DocumentFormat | None = None
    context: str | None = None
    citations: CitationsConfig | None = None


class SearchResultContent(Part):
    text: str


class SearchResultBlock(Part):
    source: str
    title: str
    content: list[SearchResultContent]
    citations: CitationsConfig | None = None


class ToolUseBlock(Part):
    """`input` is the raw JSON value of the call's arguments."""

    tool_use_id: ToolUseId
    name: ToolName
    input: Raw
    type: Literal["server_tool_use"] | None = None


class ToolResultContent(Union):
    json: Raw | UnsetType = UNSET
    text: str | None = None
    image: ImageBlock | None = None
    document: DocumentBlock | None = None
    video: VideoBlock | None = None
    search_result: SearchResultBlock | None = None


class ToolResultBlock(Part):
    tool_use_id: ToolUseId
    content: list[ToolResultContent]
    status: ToolStatus | None = None
    type: str | None = None


class GuardText(Part):
    text: str
    qualifiers: list[Literal["grounding_source", "query", "guard_content"]] | None = None


class GuardImageSource(Union):
    bytes: Blob | None = None


class GuardImage(Part):
    format: Literal["png", "jpeg"]
    source: GuardImageSource


class GuardContent(Union):
    text: GuardText | None = None
    image: GuardImage | None = None


class CachePoint(Part):
    type: Literal["default"]
    ttl: CacheTtl | None = None


class ReasoningText(Part):
    text: str
    signature: str | None = None


class ReasoningContent(Union):
    reasoning_text: ReasoningText | None = None
    redacted_content: bytes | None = None


class WebLocation(Part):
    url: str | None = None
    domain: str | None = None


class DocumentLocation(Part):
    """Start and end count characters, pages or chunks, by the member that holds it."""

    document_index: NonNegative | None = None
    start: NonNegative | None = None
    end: NonNegative | None = None


class SearchResultLocation(Part):
    search_result_index: NonNegative | None = None
    start: NonNegative | None = None
    end: NonNegative | None = None


class CitationLocation(Union):
    web: WebLocation | None = None
    document_char: DocumentLocation | None = None
    document_page: DocumentLocation | None = None
    document_chunk: DocumentLocation | None = None
    search_result_location: SearchResultLocation | None = None


class Citation(Part):
    title: str | None = None
    source: str | None = None
    source_content: list[TextPart] | None = None
    location: CitationLocation | None = None


class CitationsContent(Part):
    content: list[TextPart] | None = None
    citations: list[Citation] | None = None


class ToolReference(Part):
    type: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    server_name: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class ToolChange(Part):
    tool: ToolReference


class ContentBlock(Union):
    text: str | None = None
    image: ImageBlock | None = None
    document: DocumentBlock | None = None
    video: VideoBlock | None = None
    audio: AudioBlock | None = None
    tool_use: ToolUseBlock | None = None
    tool_result: ToolResultBlock | None = None
    guard_content: GuardContent | None = None
    cache_point: CachePoint | None = None
    reasoning_content: ReasoningContent | None = None
    citations_content: CitationsContent | None = None
    search_result: SearchResultBlock | None = None
    tool_addition: ToolChange | None = None
    tool_removal: ToolChange | None = None


Role = Literal["user", "assistant", "system"]


class Message(Part):
    role: Role
    content: list[ContentBlock]
