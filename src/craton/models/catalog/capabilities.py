"""What Converse lets each model family do: Bedrock's feature matrix as one table.

Owns: the table and its reading. Must not know: requests, or the words in which a missing capability is refused.

Source: the matrix and the notes of reference converse.md (AWS's page of late 2025). Families that are not on that
page (Claude 4.5 and later, Nova 2, the open-weight chat models) follow their forerunners; where the page and what
works in practice differ (guardrails of Claude 3.5 Haiku and 4), practice wins. What a model sees or hears follows
from its input modalities, which agree with the page for every family on it.
"""

from __future__ import annotations

import msgspec

from craton.models.catalog.rows import Model


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the Converse operations accept for one model.

    `prefill`: the last turn may be the assistant's. `one_user_message_only`: no history, no assistant turn.
    `temperature_with_top_p` False: either, not both. `deprecated`: parameters that the model itself refuses, in its
    own words ("`temperature` is deprecated for this model."), unlike those that Bedrock refuses (`temperature`,
    `top_p`, `stop_sequences` False). `max_stop_sequences` None: no bound known but Converse's own. `claude`: the model
    checks a conversation itself and says so in Anthropic's words.
    """

    converse: bool
    stream: bool
    one_user_message_only: bool
    system: bool
    documents: bool
    vision: bool
    video: bool
    audio: bool
    tools: bool
    tools_streaming: bool
    tool_choice_any: bool
    tool_choice_tool: bool
    guardrails: bool
    s3_links: bool
    prefill: bool
    caching: bool
    count_tokens: bool
    output_schema: bool
    stop_sequences: bool
    temperature: bool
    top_p: bool
    temperature_with_top_p: bool
    deprecated: tuple[str, ...]
    max_stop_sequences: int | None
    max_output_tokens: int | None
    citations: bool = True
    claude: bool = False


# Letters of the table: C Converse, S ConverseStream, 1 one user message only, y system prompt, d documents, t tools,
# T tools in a stream, n toolChoice any, o toolChoice tool, g guardrails, l links to S3, p prefill, c cache points,
# # CountTokens, j JSON schema output, q citations of documents.
_CLAUDE_3 = "CSydtTnogp"
_OPEN = "CSydtTngj"
_FAMILIES = {
    "ai21.jurassic-2": "C1g",
    "ai21.jamba-instruct": "CSy",
    "ai21.jamba-1.5": "CSydtTg",
    "amazon.nova": "CSydtTnoglc",
    "amazon.nova-micro": "CSytTnogc",
    "amazon.nova-2": "CSydtTnoglc",
    "amazon.titan-text": "CSdg",
    "amazon.titan-text-premier": "CSg",
    "anthropic.claude-2": "CSydgp",
    "anthropic.claude-3": _CLAUDE_3,
    "anthropic.claude-3.5": _CLAUDE_3 + "c#q",
    "anthropic.claude-3.5-haiku": _CLAUDE_3 + "c#q",
    "anthropic.claude-4": _CLAUDE_3 + "c#q",
    "anthropic.claude-4.5": _CLAUDE_3 + "c#jq",
    "anthropic.claude-4.6": "CSydtTnogc#jq",
    "anthropic.claude-5": "CSydtTnogcjq",
    "anthropic.claude-opus-5": "CSydtTnogcjq",
    "cohere.command": "CS1dg",
    "cohere.command-light": "CS1g",
    "cohere.command-r": "CSydtTn",
    "deepseek.r1": "CSydg",
    "meta.llama": "CSydg",
    "meta.llama-3.1": "CSydtg",
    "meta.llama-vision": "CSydtg",
    "mistral.instruct": "CSdg",
    "mistral.large": "CSydtng",
    "mistral.small": "CSytng",
    "mistral.open": _OPEN,
    "openai.gpt": _OPEN,
    "openai.gpt-oss": _OPEN,
    "open": _OPEN,
    "qwen": _OPEN,
    "writer.palmyra": "CSydtg",
    "zai.glm": _OPEN,
    # No Converse at all: these have bodies of their own.
    "embedding": "",
    "image": "",
    "rerank": "",
    "speech": "",
    "video": "",
    "video-understanding": "",
}

# Inference parameters that Bedrock refuses ("This model doesn't support the stopSequences field. …").
_REFUSED = {
    "openai.gpt-oss": ("stop_sequences",),
    "openai.gpt": ("temperature", "top_p"),
    "qwen": ("stop_sequences",),
    "zai.glm": ("stop_sequences",),
}
_DEPRECATED = {"anthropic.claude-opus-5": ("temperature",)}
_NOT_TOGETHER = frozenset({"anthropic.claude-4.5"})
_MAX_STOP_SEQUENCES = {
    "cohere.command": 4,
    "cohere.command-light": 4,
    "deepseek.r1": 10,
    "mistral.instruct": 10,
    "mistral.large": 10,
    "mistral.small": 10,
    "writer.palmyra": 4,
}


def families() -> tuple[str, ...]:
    """Every family that the table knows."""
    return tuple(_FAMILIES)


def capabilities(model: Model) -> Capabilities:
    """What Converse accepts for this model. Raises KeyError for a family that is not in the table."""
    letters = _FAMILIES[model.family]
    refused = _REFUSED.get(model.family, ())
    converse = "C" in letters
    return Capabilities(
        converse=converse,
        stream="S" in letters and bool(model.streaming),
        one_user_message_only="1" in letters,
        system="y" in letters,
        documents="d" in letters,
        vision=converse and "IMAGE" in model.input_modalities,
        video=converse and "VIDEO" in model.input_modalities,
        audio=converse and "AUDIO" in model.input_modalities,
        tools="t" in letters,
        tools_streaming="T" in letters,
        tool_choice_any="n" in letters,
        tool_choice_tool="o" in letters,
        guardrails="g" in letters,
        s3_links="l" in letters,
        prefill="p" in letters,
        caching="c" in letters,
        count_tokens="#" in letters,
        output_schema="j" in letters,
        stop_sequences="stop_sequences" not in refused,
        temperature="temperature" not in refused,
        top_p="top_p" not in refused,
        temperature_with_top_p=model.family not in _NOT_TOGETHER,
        deprecated=_DEPRECATED.get(model.family, ()),
        max_stop_sequences=_MAX_STOP_SEQUENCES.get(model.family),
        max_output_tokens=model.max_output_tokens,
        citations="q" in letters,
        claude=model.family.startswith("anthropic."),
    )
