"""What Converse demands of a conversation beyond its shape, and what a model's family cannot do on Bedrock.

Each rule is a small function over the canonical request; the texts are Bedrock's own (reference: errors.md,
converse.md). Both translation modes refuse what the family lacks: a program must not work here and fail there. What
single files must be is `media`'s, what holds for the Converse operations alone, not for the vendors' doors,
`converse_rules`'.
"""

from __future__ import annotations

from collections.abc import Iterator

from craton.aws.wire.faults import validation
from craton.features.inference.rules.media import check_document, check_file, check_image, check_video
from craton.models.canon.content import CachePoint, ContentBlock, Message, ToolResultBlock
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.catalog.capabilities import Capabilities

MAX_IMAGES = 20
MAX_CACHE_POINTS = 4

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
EMPTY_CONTENT = (
    "The content field in the Message object at messages.{turn} is empty. Add a ContentBlock object to the content "
    "field and try again."
)
# What Claude says itself where Bedrock leaves the checking to it.
CLAUDE = "The model returned the following errors: "
CLAUDE_EMPTY = CLAUDE + "messages: text content blocks must be non-empty"
CLAUDE_BLANK = CLAUDE + "messages: text content blocks must contain non-whitespace text"
CLAUDE_TRAILING = CLAUDE + "messages: final assistant content cannot end with trailing whitespace"
CLAUDE_NO_PREFILL = (
    CLAUDE + "This model does not support assistant message prefill. The conversation must end with a user message."
)
CLAUDE_THINKS = CLAUDE + "Thinking may not be enabled when tool_choice forces tool use."
CLAUDE_TTL = (
    CLAUDE + "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are "
    "processed in the following order: `tools`, `system`, `messages`."
)
TEXT_WITH_DOCUMENT = "A text block must be included when using documents. Add a text block and retry your request."
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


def check(request: ConverseRequest, able: Capabilities, max_output_tokens: int, *, streaming: bool) -> bool:
    """Raise the ValidationException that Bedrock gives; the first rule that is broken speaks.

    Returns whether the conversation is plain: nothing but text, and no tools.
    """
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
    if not plain or len(request.system or ()) >= MAX_CACHE_POINTS:
        check_cache_points(request, messages, able)
    return plain


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
    if previous != "user":
        check_prefill(messages[-1], able)
    if able.one_user_message_only and len(messages) > 1:
        raise validation(
            "This model doesn't support conversation history. Try again with input that only contains one user message."
        )


def check_prefill(last: Message, able: Capabilities) -> None:
    """The beginning of an answer that the model is to go on with."""
    if not able.prefill:
        raise validation(CLAUDE_NO_PREFILL if able.claude else END_WITH_USER)
    text = last.content[-1].text if last.content else None
    if able.claude and text and text[-1].isspace() and not text.isspace():
        raise validation(CLAUDE_TRAILING)


def check_content(turn: int, message: Message, able: Capabilities) -> bool:
    """Whether the message holds nothing but text, as most do; no rule about tools or caches can then break."""
    images = documents = 0
    plain = True
    if not message.content:
        raise validation(EMPTY_CONTENT.format(turn=turn))
    has_text = False
    for position, block in enumerate(message.content):
        if block.text is not None:
            has_text = True
            if not block.text or block.text.isspace():
                raise validation(blank(turn, position, block.text, able))
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
    if documents and not has_text:
        raise validation(TEXT_WITH_DOCUMENT)
    return plain


def blank(turn: int, position: int, text: str, able: Capabilities) -> str:
    if able.claude:
        return CLAUDE_BLANK if text else CLAUDE_EMPTY
    return BLANK_TEXT.format(turn=turn, block=position)


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
    if block.image is not None:
        check_image(where, block.image)
    elif block.document is not None:
        check_document(where, block.document)
    elif block.video is not None:
        check_video(where, block.video)
    elif block.tool_result is not None and not vendors:
        check_result(where, block.tool_result, able)


def check_result(where: str, result: ToolResultBlock, able: Capabilities) -> None:
    """What a tool of the caller's gave: media as anywhere else, but a document there has no name to be told by."""
    for position, part in enumerate(result.content):
        kind = part.kind
        flag = _NEEDS.get(kind)
        if flag is not None and not getattr(able, flag):
            raise validation(NO_BLOCK.format(kind=kind))
        at = f"{where}.toolResult.content.{position}"
        if part.image is not None:
            check_image(at, part.image)
        elif part.document is not None:
            check_file(at, part.document)
        elif part.video is not None:
            check_video(at, part.video)


class _NoSource:
    source = None


_NO_SOURCE = _NoSource()


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
    if config is None and not uses_tools:
        return
    if not able.tools:
        raise validation("This model doesn't support tool use.")
    if config is None:
        raise validation(TOOL_CONFIG_NEEDED)
    if streaming and not able.tools_streaming:
        raise validation("This model doesn't support tool use in streaming mode.")
    check_tool_specs(request)
    choice = config.tool_choice
    for name, allowed in (("any", able.tool_choice_any), ("tool", able.tool_choice_tool)):
        if choice is not None and getattr(choice, name) is not None and not allowed:
            raise validation(NO_FIELD.format(field=f"toolConfig.toolChoice.{name}"))
    if able.claude and choice is not None and choice.auto is None and thinks(request):
        raise validation(CLAUDE_THINKS)


def thinks(request: ConverseRequest) -> bool:
    """Whether Claude is asked to think aloud first, within a budget."""
    thinking = (request.additional_model_request_fields or {}).get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


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


def check_cache_points(request: ConverseRequest, messages: list[Message], able: Capabilities) -> None:
    points = list(cache_points(request, messages))
    if len(points) > MAX_CACHE_POINTS:
        raise validation(f"The number of cachePoint blocks ({len(points)}) exceeds the maximum of {MAX_CACHE_POINTS}.")
    hours = [point.ttl == "1h" for point in points]
    if able.claude and hours != sorted(hours, reverse=True):
        raise validation(CLAUDE_TTL)


def cache_points(request: ConverseRequest, messages: list[Message]) -> Iterator[CachePoint]:
    """Every cache point in the order of the prefix that they end: tools, system, messages."""
    for tool in request.tool_config.tools if request.tool_config else ():
        if tool.cache_point is not None:
            yield tool.cache_point
    for block in request.system or ():
        if block.cache_point is not None:
            yield block.cache_point
    for message in messages:
        for content in message.content:
            if content.cache_point is not None:
                yield content.cache_point
