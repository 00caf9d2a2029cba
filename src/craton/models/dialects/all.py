"""Every dialect, in one visible table. Each is loaded when somebody names it: a start should not pay for schemas
that most servers never speak.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

import msgspec

from craton.models.dialects.dialect import Dialect
from craton.models.dialects.extras import Schema

# Name → module and class. The last four are vendors' own APIs; the others are native schemas on Bedrock.
DIALECTS: dict[str, tuple[str, str]] = {
    "anthropic.messages": ("anthropic_messages.dialect", "AnthropicMessages"),
    "anthropic.text": ("anthropic_text", "AnthropicText"),
    "ai21.j2": ("ai21_j2", "AI21Jurassic2"),
    "ai21.jamba": ("ai21_jamba", "AI21Jamba"),
    "amazon.titan-text": ("titan_text", "AmazonTitanText"),
    "amazon.nova": ("nova.dialect", "Nova"),
    "openai.chat": ("openai_chat.dialect", "OpenAIChat"),
    "cohere.command": ("cohere_command", "CohereCommand"),
    "cohere.command-r": ("cohere_command_r.dialect", "CohereCommandR"),
    "meta.llama": ("meta_llama", "MetaLlama"),
    "mistral.text": ("mistral_text", "MistralText"),
    "mistral.chat": ("mistral_chat", "MistralChat"),
    "deepseek.r1": ("deepseek_r1", "DeepSeekR1"),
    "writer.palmyra": ("writer_palmyra", "WriterPalmyra"),
    "amazon.converse": ("amazon_converse", "AmazonConverse"),
    "cohere.chat-v2": ("cohere_chat_v2.dialect", "CohereChatV2"),
    "google.gemini": ("gemini.dialect", "Gemini"),
    "openai.responses": ("openai_responses.dialect", "OpenAIResponses"),
}

# Name → module and table of what a native schema knows of extra fields. Converse has none: its extra fields are its
# model's.
FIELDS: dict[str, tuple[str, str]] = {
    "anthropic.messages": ("anthropic_messages.extras", "BEDROCK_FIELDS"),
    "anthropic.text": ("anthropic_text", "FIELDS"),
    "ai21.j2": ("ai21_j2", "FIELDS"),
    "ai21.jamba": ("ai21_jamba", "FIELDS"),
    "amazon.titan-text": ("titan_text", "FIELDS"),
    "amazon.nova": ("nova.dialect", "FIELDS"),
    "openai.chat": ("openai_chat.extras", "VENDOR_FIELDS"),
    "cohere.command": ("cohere_command", "FIELDS"),
    "cohere.command-r": ("cohere_command_r.dialect", "FIELDS"),
    "meta.llama": ("meta_llama", "FIELDS"),
    "mistral.text": ("mistral_text", "FIELDS"),
    "mistral.chat": ("mistral_chat", "FIELDS"),
    "deepseek.r1": ("deepseek_r1", "FIELDS"),
    "writer.palmyra": ("writer_palmyra", "FIELDS"),
    "cohere.chat-v2": ("cohere_chat_v2.dialect", "FIELDS"),
    "google.gemini": ("gemini.extras", "FIELDS"),
    "openai.responses": ("openai_responses.extras", "FIELDS"),
}


def dialect_named(name: str) -> Dialect | None:
    """The dialect with this name, or None."""
    return _load(name) if name in DIALECTS else None


@cache
def _load(name: str) -> Dialect:
    file, kind = DIALECTS[name]
    return cast("Dialect", getattr(import_module(f"craton.models.dialects.{file}"), kind)())


@cache
def foreign_fields(name: str) -> Schema | None:
    """What a native schema takes of another schema's extra fields: never what it does not know. None: nobody knows it."""
    if name not in FIELDS:
        return None
    file, table = FIELDS[name]
    known: Schema = getattr(import_module(f"craton.models.dialects.{file}"), table)
    return msgspec.structs.replace(known, open=False)
