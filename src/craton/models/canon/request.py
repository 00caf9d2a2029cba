"""What is asked of a model: Bedrock's ConverseRequest and ConverseStreamRequest in one Struct.

Native fields that Converse has no member for (`top_k`, `thinking`, `seed`, …) travel in
`additional_model_request_fields` under their vendor's own names, as Bedrock itself does.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw

from craton.models.canon.content import CachePoint, GuardContent, Message, NonEmpty, Part, ToolName, Union

MetadataKey = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9\s:_@$#=/+,-.]{1,256}\Z")]
MetadataValue = Annotated[str, Meta(max_length=256, pattern=r"^[a-zA-Z0-9\s:_@$#=/+,-.]{0,256}\Z")]
FieldPath = Annotated[str, Meta(min_length=1, max_length=256)]
Fraction = Annotated[float, Meta(ge=0, le=1)]


class SystemBlock(Union):
    text: NonEmpty | None = None
    guard_content: GuardContent | None = None
    cache_point: CachePoint | None = None


class InferenceConfig(Part):
    """Bounds as Converse has them; a dialect whose own schema allows more carries the rest as extra fields."""

    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    stop_sequences: Annotated[list[NonEmpty], Meta(max_length=2500)] | None = None


class InputSchema(Union):
    """A union of one member, which is therefore required."""

    json: Raw


class ToolSpec(Part):
    name: ToolName
    input_schema: InputSchema
    description: NonEmpty | None = None
    strict: bool | None = None


class SystemTool(Part):
    name: ToolName


class Tool(Union):
    tool_spec: ToolSpec | None = None
    system_tool: SystemTool | None = None
    cache_point: CachePoint | None = None


class Chosen(Part):
    """`auto` and `any` hold nothing."""


class ChosenTool(Part):
    name: ToolName


class ToolChoice(Union):
    auto: Chosen | None = None
    any: Chosen | None = None
    tool: ChosenTool | None = None


class ToolConfig(Part):
    tools: Annotated[list[Tool], Meta(min_length=1)]
    tool_choice: ToolChoice | None = None


class GuardrailConfig(Part):
    guardrail_identifier: (
        Annotated[
            str,
            Meta(
                max_length=2048,
                pattern=r"^(|([a-z0-9]+)|(arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+))\Z",
            ),
        ]
        | None
    ) = None
    guardrail_version: Annotated[str, Meta(pattern=r"^(|([1-9][0-9]{0,7})|(DRAFT))\Z")] | None = None
    trace: Literal["enabled", "disabled", "enabled_full"] | None = None
    stream_processing_mode: Literal["sync", "async"] | None = None


class PromptVariable(Union):
    text: str | None = None


class PerformanceConfig(Part):
    latency: Literal["standard", "optimized"] | None = None


class ServiceTier(Part):
    type: Literal["priority", "default", "flex", "reserved"]


class JsonSchema(Part):
    """`schema` is the schema as JSON text."""

    schema: str
    name: str | None = None
    description: str | None = None


class FormatStructure(Union):
    json_schema: JsonSchema | None = None


class TextFormat(Part):
    type: Literal["json_schema"]
    structure: FormatStructure


class OutputConfig(Part):
    text_format: TextFormat | None = None
    effort: Annotated[str, Meta(max_length=16)] | None = None


class ConverseRequest(Part):
    """`model_id` comes from the path and is set by whoever binds the request."""

    model_id: str = ""
    messages: list[Message] | None = None
    system: list[SystemBlock] | None = None
    inference_config: InferenceConfig | None = None
    tool_config: ToolConfig | None = None
    guardrail_config: GuardrailConfig | None = None
    additional_model_request_fields: dict[str, Any] | None = None
    prompt_variables: dict[str, PromptVariable] | None = None
    additional_model_response_field_paths: Annotated[list[FieldPath], Meta(max_length=10)] | None = None
    request_metadata: Annotated[dict[MetadataKey, MetadataValue], Meta(min_length=1, max_length=16)] | None = None
    performance_config: PerformanceConfig | None = None
    service_tier: ServiceTier | None = None
    output_config: OutputConfig | None = None
