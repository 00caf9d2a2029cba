"""A conversation as plain turns of text, for schemas whose request is one prompt, and back.

Owns: what becomes of a canonical request's content where only text can be said, and what is entered in the ledger for
it. Must not know how a schema marks its turns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from craton.models.canon.content import ContentBlock, Message, Role
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.plain_text import block_text


class Turn(NamedTuple):
    role: Role
    text: str


def system_text(blocks: Iterable[SystemBlock] | None, ledger: Ledger) -> str:
    """The system prompt as one text; cache points have no place in it."""
    texts: list[str] = []
    for index, block in enumerate(blocks or ()):
        if block.text is not None:
            texts.append(block.text)
        elif block.guard_content is not None and block.guard_content.text is not None:
            texts.append(block.guard_content.text.text)
        else:
            ledger.drop(f"system.{index}.{block.kind}")
    return "\n\n".join(texts)


def content_text(blocks: list[ContentBlock], path: str, ledger: Ledger) -> str:
    """A message's blocks as one text; `path` is the message's content, such as `messages.0.content`."""
    if len(blocks) == 1 and blocks[0].text is not None:
        return blocks[0].text
    texts: list[str] = []
    for index, block in enumerate(blocks):
        text = block.text if block.text is not None else said(block, f"{path}.{index}", ledger)
        if text is not None:
            texts.append(text)
    return "\n".join(texts)


def said(block: ContentBlock, path: str, ledger: Ledger) -> str | None:
    """The text form of a block that is not text, entered as emulated; None, entered as dropped, if it has none."""
    text = block_text(block)
    if text is None:
        ledger.drop(f"{path}.{block.kind}")
    elif block.guard_content is None and block.citations_content is None:
        ledger.emulate(f"{path}.{block.kind}")
    return text


def plain_turns(request: ConverseRequest, ledger: Ledger) -> list[Turn]:
    """The conversation as turns of text. Tools and output formats, which need a schema, are entered as dropped."""
    drop_structure(request, ledger)
    return [
        Turn(message.role, content_text(message.content, f"messages.{index}.content", ledger))
        for index, message in enumerate(request.messages or ())
    ]


def drop_structure(request: ConverseRequest, ledger: Ledger) -> None:
    """Enter what no prompt can carry: tools, an output's schema, an effort."""
    if request.tool_config is not None:
        ledger.drop("toolConfig")
    drop_output_config(request, ledger)


def drop_output_config(request: ConverseRequest, ledger: Ledger) -> None:
    if request.output_config is not None:
        if request.output_config.text_format is not None:
            ledger.drop("outputConfig.textFormat")
        if request.output_config.effort is not None:
            ledger.drop("outputConfig.effort")


def text_message(role: Role, text: str) -> Message:
    return Message(role, [ContentBlock(text=text)])


def config_or_none(config: InferenceConfig) -> InferenceConfig | None:
    """None for a config without a member, as a request that sets none has it."""
    return None if config == InferenceConfig() else config


def write_config(config: InferenceConfig | None, names: tuple[str, str, str, str]) -> dict[str, Any]:
    """The members that are set, under a schema's names for maxTokens, temperature, topP and stopSequences."""
    if config is None:
        return {}
    values = (config.max_tokens, config.temperature, config.top_p, config.stop_sequences)
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def reply_text(reply: ConverseReply) -> str:
    """All that was said in an answer; calls and reasoning have no text."""
    blocks = reply.output.message.content
    if len(blocks) == 1 and blocks[0].text is not None:
        return blocks[0].text
    return "".join(text for block in blocks if (text := block.text or block_text(block)))
