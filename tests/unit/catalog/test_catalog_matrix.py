"""The feature matrix of Bedrock's page, row by row, against what the catalog says of each model."""

from __future__ import annotations

import pytest

from craton.models.catalog.capabilities import Capabilities, capabilities
from craton.models.catalog.rows import load

CATALOG = load()
# Columns of reference converse.md: S stream, y system, d documents, v images, t tools, T tools in a stream, g guardrails,
# l links to S3, 1 one user message only.
COLUMNS = {
    "S": "stream", "y": "system", "d": "documents", "v": "vision", "t": "tools", "T": "tools_streaming",
    "g": "guardrails", "l": "s3_links", "1": "one_user_message_only",
}  # fmt: skip
ROWS = {
    "ai21.j2-ultra-v1": "1g",
    "ai21.jamba-instruct-v1:0": "Sy",
    "ai21.jamba-1-5-large-v1:0": "SydtTg",
    "amazon.nova-premier-v1:0": "SydvtTgl",
    "amazon.nova-pro-v1:0": "SydvtTgl",
    "amazon.nova-lite-v1:0": "SydvtTgl",
    "amazon.nova-micro-v1:0": "SytTg",
    "amazon.titan-text-express-v1": "Sdg",
    "amazon.titan-text-premier-v1:0": "Sg",
    "anthropic.claude-v2:1": "Sydg",
    "anthropic.claude-instant-v1": "Sydg",
    "anthropic.claude-3-haiku-20240307-v1:0": "SydvtTg",
    "anthropic.claude-3-5-sonnet-20240620-v1:0": "SydvtTg",
    "anthropic.claude-3-7-sonnet-20250219-v1:0": "SydvtTg",
    "anthropic.claude-3-5-haiku-20241022-v1:0": "SydtTg",
    "anthropic.claude-sonnet-4-20250514-v1:0": "SydvtTg",
    "anthropic.claude-opus-4-1-20250805-v1:0": "SydvtTg",
    "cohere.command-text-v14": "S1dg",
    "cohere.command-light-text-v14": "S1g",
    "cohere.command-r-plus-v1:0": "SydtT",
    "deepseek.r1-v1:0": "Sydg",
    "meta.llama2-70b-chat-v1": "Sydg",
    "meta.llama3-8b-instruct-v1:0": "Sydg",
    "meta.llama3-2-1b-instruct-v1:0": "Sydg",
    "meta.llama3-1-405b-instruct-v1:0": "Sydtg",
    "meta.llama3-2-90b-instruct-v1:0": "Sydvtg",
    "meta.llama4-scout-17b-instruct-v1:0": "Sydvtg",
    "mistral.mistral-7b-instruct-v0:2": "Sdg",
    "mistral.mixtral-8x7b-instruct-v0:1": "Sdg",
    "mistral.mistral-large-2402-v1:0": "Sydtg",
    "mistral.mistral-large-2407-v1:0": "Sydtg",
    "mistral.pixtral-large-2502-v1:0": "Sydvtg",
    "mistral.mistral-small-2402-v1:0": "Sytg",
    "writer.palmyra-x4-v1:0": "Sydtg",
    "writer.palmyra-x5-v1:0": "Sydtg",
}
CHOICES = {
    "anthropic.claude-3-haiku-20240307-v1:0": (True, True),
    "amazon.nova-micro-v1:0": (True, True),
    "mistral.mistral-large-2402-v1:0": (True, False),
    "meta.llama3-1-8b-instruct-v1:0": (False, False),
}


def able(model_id: str) -> Capabilities:
    model = CATALOG.find(model_id)
    assert model is not None
    return capabilities(model)


@pytest.mark.parametrize("model_id", ROWS)
def test_a_row_of_the_matrix_holds(model_id: str) -> None:
    """Every column, what a family can do and what it cannot."""
    found = able(model_id)
    assert found.converse
    assert {letter for letter, flag in COLUMNS.items() if getattr(found, flag)} == set(ROWS[model_id])


@pytest.mark.parametrize("model_id", CHOICES)
def test_who_can_be_made_to_call(model_id: str) -> None:
    """`any` and one tool by name."""
    found = able(model_id)
    assert (found.tool_choice_any, found.tool_choice_tool) == CHOICES[model_id]


def test_who_cites_and_who_follows_a_schema() -> None:
    """Claude from 3.5 cites; from 4.5, with the open-weight models, it takes a schema."""
    cites = {row.family for row in CATALOG.models() if capabilities(row).citations}
    assert all(family.startswith("anthropic.claude-") for family in cites)
    assert not {"anthropic.claude-2", "anthropic.claude-3"} & cites
    assert able("anthropic.claude-haiku-4-5-20251001-v1:0").output_schema
    assert able("qwen.qwen3-32b-v1:0").output_schema
    assert not able("anthropic.claude-sonnet-4-20250514-v1:0").output_schema
