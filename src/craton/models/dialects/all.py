"""Every dialect, in one visible tuple."""

from __future__ import annotations

from craton.models.dialects.ai21_j2 import AI21Jurassic2
from craton.models.dialects.ai21_jamba import AI21Jamba
from craton.models.dialects.amazon_converse import AmazonConverse
from craton.models.dialects.anthropic_messages import AnthropicMessages
from craton.models.dialects.anthropic_text import AnthropicText
from craton.models.dialects.cohere_chat_v2 import CohereChatV2
from craton.models.dialects.cohere_command import CohereCommand
from craton.models.dialects.cohere_command_r import CohereCommandR
from craton.models.dialects.deepseek_r1 import DeepSeekR1
from craton.models.dialects.dialect import Dialect
from craton.models.dialects.gemini import Gemini
from craton.models.dialects.meta_llama import MetaLlama
from craton.models.dialects.mistral_chat import MistralChat
from craton.models.dialects.mistral_text import MistralText
from craton.models.dialects.nova import Nova
from craton.models.dialects.openai_chat import OpenAIChat
from craton.models.dialects.titan_text import AmazonTitanText
from craton.models.dialects.writer_palmyra import WriterPalmyra

DIALECTS: tuple[Dialect, ...] = (
    AnthropicMessages(),
    AnthropicText(),
    AI21Jurassic2(),
    AI21Jamba(),
    AmazonTitanText(),
    Nova(),
    OpenAIChat(),
    CohereCommand(),
    CohereCommandR(),
    MetaLlama(),
    MistralText(),
    MistralChat(),
    DeepSeekR1(),
    WriterPalmyra(),
    AmazonConverse(),
    CohereChatV2(),
    Gemini(),
)
_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def dialect_named(name: str) -> Dialect | None:
    """The dialect with this name, or None."""
    return _BY_NAME.get(name)
