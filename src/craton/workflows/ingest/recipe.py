"""How a data source's documents become chunks, and the hash that tells when that is another way than before.

Owns the reading of vectorIngestionConfiguration as a sync needs it. It must not know documents or models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from craton.features.rag.chunking.strategy import Strategy, strategy_of
from craton.infra.store.port import fingerprint

_FORMAT = 2
"""Raised by hand when the same document would be cut or embedded otherwise by a newer Craton."""
PROMPT = (
    "Transcribe this page for a search index. Write all text that can be read, in its reading order; tables as lines "
    "with their cells parted by tabs; for each figure, one or two sentences that say what it shows. Write nothing else."
)


class Transformation(msgspec.Struct, frozen=True):
    """A Lambda function that chunks pass through, by way of a bucket."""

    function: str
    uri: str


class Parsing(msgspec.Struct, frozen=True):
    """The model that reads pictures, and what it is told."""

    model: str
    prompt: str = PROMPT


class Recipe(msgspec.Struct, frozen=True):
    strategy: Strategy
    parsing: Parsing | None
    transformation: Transformation | None
    hash: str


def recipe_of(ingestion: Mapping[str, Any], answering: str) -> Recipe:
    """Of a data source's configuration; `answering` is the mark of whoever embeds."""
    kept = {name: value for name, value in ingestion.items() if value}
    return Recipe(
        strategy_of(ingestion),
        _parsing(ingestion.get("parsingConfiguration", {})),
        _transformation(ingestion.get("customTransformationConfiguration", {})),
        fingerprint((_FORMAT, kept, answering))[:16],
    )


def _parsing(asked: Mapping[str, Any]) -> Parsing | None:
    config = asked.get("bedrockFoundationModelConfiguration")
    if asked.get("parsingStrategy") != "BEDROCK_FOUNDATION_MODEL" or not config:
        return None
    return Parsing(config["modelArn"], config.get("parsingPrompt", {}).get("parsingPromptText", PROMPT))


def _transformation(asked: Mapping[str, Any]) -> Transformation | None:
    for one in asked.get("transformations", ()):
        function = one["transformationFunction"]["transformationLambdaConfiguration"]["lambdaArn"]
        return Transformation(function, asked["intermediateStorage"]["s3Location"]["uri"])
    return None
