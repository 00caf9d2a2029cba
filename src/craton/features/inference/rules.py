"""What Converse demands of a conversation beyond its shape, and what a model's family cannot do on Bedrock.

Each rule is a small function over the canonical request; the texts are Bedrock's own (reference: errors.md,
converse.md). Both translation modes refuse what the family lacks: a program must not work here and fail there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from craton.aws.wire.faults import validation
from craton.models.canon.content import ContentBlock, DocumentBlock, Message
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.catalog.capabilities import Capabilities

_MIB = 1024 * 1024
MAX_IMAGE_BYTES = int(3.75 * _MIB)
MAX_DOCUMENT_BYTES = int(4.5 * _MIB)
MAX_IMAGES = 20
MAX_DOCUMENTS = 5
MAX_CACHE_POINTS = 4
_DOCUMENT_NAME = re.compile(r"[A-Za-z0-9\-()\[\]]+(?:\s[A-Za-z0-9\-()\[\]]+)*\s?|\s(?:[A-Za-z0-9\-()\[\]]+\s?)*")

START_WITH_USER = (
    "A conversation must start with a user message. Try again with a conversation that starts with a user message."
)
ALTERNATE = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between "
    "user and assistant roles and try again."
)
END_WITH_USER = (
    "The model that you are using requires the last turn in the conversation to be a user message. Add a user message "
    "to the conversation and try again."
)
BLANK_TEXT = (
    "The text field in the ContentBlock object at messages.{turn}.content.{block} is blank. Add text to the text "
    "field, and try again."
)
TEXT_WITH_DOCUMENT = "A text block must be included when using documents. Add a text block and retry your request."
DOCUMENT_NAME = (
    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, "
    "and square brackets. The name can't contain more than one consecutive whitespace character. Check that the file "
    "name conforms to these restrictions and retry your request."
)
TOOL_CONFIG_NEEDED = "The toolConfig field must be defined when using toolUse and toolResult content blocks."
TOO_MANY_RESULTS = (
    "The number of toolResult blocks at messages.{turn}.content exceeds the number of toolUse blocks of previous turn."
)
RESULTS_MISSING = "Expected toolResult blocks at messages.{turn}.content for the following Ids: {ids}"
NO_SYSTEM = (
    "This model doesn't support system messages. Try again without a system message or use a model that supports "
    "system messages."
)
NO_BLOCK = (
    "This model doesn't support the {kind} content block that you provided. Update the content block and try again."
)
NO_FIELD = "This model doesn't support the {field} field. Remove {field} and try again."
TOO_MANY_TOKENS = (
    "The maximum tokens you requested exceeds the model limit of {limit}. Try again with a maximum tokens value that "
    "is lower than {limit}."
)


def check(request: ConverseRequest, able: Capabilities, max_output_tokens: int, *, streaming: bool) -> None:
    """Raise the ValidationException that Bedrock gives; the first rule that is broken speaks."""
    messages = request.messages or []
    if not able.converse:
        raise validation(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model."
        )
    if streaming and not able.stream:
        raise validation("The model is unsupported for streaming")
    check_turns(messages, able)
    plain = request.tool_config is None
    for turn, message in enumerate(messages):
        plain = check_content(turn, message, able) and plain
    if not plain:
        check_tools(request, messages, able, streaming=streaming)
    check_inference(request, able, max_output_tokens)
    if not plain or len(request.system or ()) > MAX_CACHE_POINTS:
        check_cache_points(request, messages)


def check_turns(messages: list[Message], able: Capabilities) -> None:
    if len(messages) == 1 and messages[0].role == "user":
        return
    if not messages or messages[0].role != "user":
        raise validation(START_WITH_USER)
    previous = ""
    for message in messages:
        if message.role == previous:
            raise validation(ALTERNATE)
        if message.role != "system":
            previous = message.role
    if previous != "user" and not able.prefill:
        raise validation(END_WITH_USER)
    if able.one_user_message_only and len(messages) > 1:
        raise validation(
            "This model doesn't support conversation history. Try again with input that only contains one user message."
        )


def check_content(turn: int, message: Message, able: Capabilities) -> bool:
    """Whether the message holds nothing but text, as most do; no rule about tools or caches can then break."""
    images = documents = 0
    plain = True
    has_text = False
    for position, block in enumerate(message.content):
        if block.text is not None:
            has_text = True
            if not block.text or block.text.isspace():
                raise validation(BLANK_TEXT.format(turn=turn, block=position))
            continue
        kind = block.kind
        plain = False
        if message.role == "system" and kind not in ("toolAddition", "toolRemoval"):
            raise validation(
                "Messages with the system role can only contain toolAddition and toolRemoval content blocks."
            )
        if kind == "image":
            images += 1
        elif kind == "document":
            documents += 1
        check_block(turn, position, message, block, kind, able)
    if images > MAX_IMAGES:
        raise validation(f"The number of images at messages.{turn}.content exceeds the maximum of {MAX_IMAGES}.")
    if documents > MAX_DOCUMENTS:
        raise validation(f"The number of documents at messages.{turn}.content exceeds the maximum of {MAX_DOCUMENTS}.")
    if documents and not has_text:
        raise validation(TEXT_WITH_DOCUMENT)
    return plain


# Blocks that only some families take: member of the block → flag of the family.
_NEEDS = {"image": "vision", "document": "documents", "video": "video", "audio": "audio"}
_USER_ONLY = ("image", "document", "video", "audio", "toolResult")


def check_block(turn: int, position: int, message: Message, block: ContentBlock, kind: str, able: Capabilities) -> None:
    flag = _NEEDS.get(kind)
    if flag is not None and not getattr(able, flag):
        raise validation(NO_BLOCK.format(kind=kind))
    where = f"messages.{turn}.content.{position}"
    # What a tool of the vendor's own gave stands in the assistant's turn, beside its call.
    vendors = block.tool_result is not None and block.tool_result.type is not None
    users = kind in _USER_ONLY and not vendors
    if (users and message.role != "user") or (kind == "toolUse" and message.role != "assistant"):
        raise validation(
            f"The {kind} content block at {where} is not allowed in a message with the role {message.role}."
        )
    source = (block.image or block.video or block.audio or block.document or _NO_SOURCE).source
    if source is not None and source.s3_location is not None and not able.s3_links:
        raise validation(NO_FIELD.format(field=f"{where}.{kind}.source.s3Location"))
    data = source.bytes if source is not None else None
    if block.image is not None and data is not None and len(data) > MAX_IMAGE_BYTES:
        raise validation(f"The image at {where} exceeds the maximum size of 3.75 MB.")
    if block.document is not None:
        check_document(where, block.document, data)


class _NoSource:
    source = None


_NO_SOURCE = _NoSource()


def check_document(where: str, document: DocumentBlock, data: bytes | None) -> None:
    if not _DOCUMENT_NAME.fullmatch(document.name):
        raise validation(DOCUMENT_NAME)
    if data is not None and len(data) > MAX_DOCUMENT_BYTES:
        raise validation(f"The document at {where} exceeds the maximum size of 4.5 MB.")
    if data is not None and document.format is None:
        raise validation(f"The format field must be set for the document at {where} when its source is bytes.")


def check_tools(request: ConverseRequest, messages: list[Message], able: Capabilities, *, streaming: bool) -> None:
    called: list[str] = []
    uses_tools = False
    for turn, message in enumerate(messages):
        if message.role == "system":
            continue
        results = [
            block.tool_result.tool_use_id
            for block in message.content
            if block.tool_result is not None and block.tool_result.type is None
        ]
        uses_tools = uses_tools or bool(called or results)
        if len(results) > len(called):
            raise validation(TOO_MANY_RESULTS.format(turn=turn))
        missing = [ident for ident in called if ident not in results]
        if missing:
            raise validation(RESULTS_MISSING.format(turn=turn, ids=", ".join(missing)))
        called = [
            block.tool_use.tool_use_id
            for block in message.content
            if block.tool_use is not None and block.tool_use.type is None
        ]
    config = request.tool_config
    if config is None:
        if uses_tools:
            raise validation(TOOL_CONFIG_NEEDED)
        return
    if not able.tools:
        raise validation("This model doesn't support tool use.")
    if streaming and not able.tools_streaming:
        raise validation("This model doesn't support tool use in streaming mode.")
    check_tool_specs(request)
    choice = config.tool_choice
    for name, allowed in (("any", able.tool_choice_any), ("tool", able.tool_choice_tool)):
        if choice is not None and getattr(choice, name) is not None and not allowed:
            raise validation(NO_FIELD.format(field=f"toolConfig.toolChoice.{name}"))


def check_tool_specs(request: ConverseRequest) -> None:
    config = request.tool_config
    specs = [tool.tool_spec for tool in config.tools if tool.tool_spec is not None] if config else []
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise validation(f"The toolConfig.tools field holds more than one tool with the name {name}.")
    for position, spec in enumerate(specs):
        raw = bytes(spec.input_schema.json).lstrip()
        if not raw.startswith(b"{"):
            raise validation(
                f"The value at toolConfig.tools.{position}.toolSpec.inputSchema.json is invalid. "
                "Provide a JSON schema object with the type object and try again."
            )
    choice = config.tool_choice if config else None
    if choice is not None and choice.tool is not None and choice.tool.name not in names:
        raise validation(f"The tool {choice.tool.name} at toolConfig.toolChoice.tool.name is not in toolConfig.tools.")


def check_inference(request: ConverseRequest, able: Capabilities, max_output_tokens: int) -> None:
    if request.system and not able.system:
        raise validation(NO_SYSTEM)
    config = request.inference_config
    if config is None:
        return
    if not (able.stop_sequences and able.temperature and able.top_p):
        check_fields(config, able)
    if able.deprecated or not able.temperature_with_top_p or able.max_stop_sequences is not None:
        check_parameters(config, able)
    if config.max_tokens is not None and config.max_tokens > max_output_tokens:
        raise validation(TOO_MANY_TOKENS.format(limit=max_output_tokens))


def check_fields(config: InferenceConfig, able: Capabilities) -> None:
    """What Bedrock itself refuses for some families."""
    for value, allowed, field in (
        (config.stop_sequences or None, able.stop_sequences, "stopSequences"),
        (config.temperature, able.temperature, "temperature"),
        (config.top_p, able.top_p, "topP"),
    ):
        if value is not None and not allowed:
            raise validation(NO_FIELD.format(field=field))


def check_parameters(config: InferenceConfig, able: Capabilities) -> None:
    """What single models refuse in their own words."""
    for name in able.deprecated:
        if getattr(config, name) is not None:
            raise validation(f"The model returned the following errors: `{name}` is deprecated for this model.")
    if config.temperature is not None and config.top_p is not None and not able.temperature_with_top_p:
        raise validation(
            "The model returned the following errors: `temperature` and `top_p` cannot both be specified for this "
            "model. Please use only one."
        )
    most = able.max_stop_sequences
    if most is not None and len(config.stop_sequences or ()) > most:
        raise validation(
            f"The number of stop sequences you provided exceeds the model limit of {most}. "
            f"Try again with at most {most} stop sequences."
        )


def check_cache_points(request: ConverseRequest, messages: list[Message]) -> None:
    count = sum(1 for _ in cache_points(request, messages))
    if count > MAX_CACHE_POINTS:
        raise validation(f"The number of cachePoint blocks ({count}) exceeds the maximum of {MAX_CACHE_POINTS}.")


def cache_points(request: ConverseRequest, messages: list[Message]) -> Iterator[object]:
    """Every cache point, wherever it stands."""
    for block in request.system or ():
        if block.cache_point is not None:
            yield block.cache_point
    for tool in request.tool_config.tools if request.tool_config else ():
        if tool.cache_point is not None:
            yield tool.cache_point
    for message in messages:
        for content in message.content:
            if content.cache_point is not None:
                yield content.cache_point
