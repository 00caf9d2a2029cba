"""The most tokens that a model may be asked for, held against native bodies: each family has its own words.

A schema's bound is the dialect's; a model's own is the catalog's, and known here alone. Texts: reference errors.md
(`max_gen_len`), and Anthropic's own for Claude.
"""

from __future__ import annotations

from craton.aws.wire.faults import Fault, validation
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.rows import Model
from craton.models.dialects.malformed import malformed

# Where each schema has the number, by the dialect's name.
_MEMBERS = {
    "ai21.j2": "maxTokens",
    "ai21.jamba": "max_tokens",
    "amazon.nova": "inferenceConfig/maxTokens",
    "amazon.titan-text": "textGenerationConfig/maxTokenCount",
    "anthropic.text": "max_tokens_to_sample",
    "cohere.command": "max_tokens",
    "cohere.command-r": "max_tokens",
    "deepseek.r1": "max_tokens",
    "meta.llama": "max_gen_len",
    "mistral.chat": "max_tokens",
    "mistral.text": "max_tokens",
    "writer.palmyra": "max_tokens",
}


def check_limit(model: Model | None, dialect: str, request: ConverseRequest) -> None:
    """Raise ValidationException for more tokens than the model gives. None: a model outside the catalog."""
    config = request.inference_config
    if model is None or config is None or config.max_tokens is None:
        return
    limit = model.max_output_tokens
    if limit is not None and config.max_tokens > limit:
        raise _too_many(dialect, model.model_id, config.max_tokens, limit)


def _too_many(dialect: str, model_id: str, asked: int, limit: int) -> Fault:
    member = _MEMBERS.get(dialect)
    if member is not None:
        return malformed(f"#/{member}: {asked} is not less or equal to {limit}")
    name = model_id.partition(".")[2]
    return validation(
        f"The model returned the following errors: max_tokens: {asked} > {limit}, which is the maximum allowed number "
        f"of output tokens for {name}"
    )
