"""Extra fields of one schema put into another's, for a model that is asked by Converse."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.all import DIALECTS, FIELDS, foreign_fields
from craton.models.dialects.converse_fields import reworded
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.extras import ROOT

TOOL = {"toolSpec": {"name": "find", "inputSchema": {"json": {"type": "object"}}}}
FORMAT = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any] | None, list[str]]] = [
    ("anthropic.messages", {"k": 7, "seed": 3}, {}, {"top_k": 7}, ["seed"]),
    (
        "anthropic.messages",
        {"user": "u", "n": 1, "seed": 3, "presence_penalty": 0.5, "store": True, "stream_options": {}},
        {},
        {"metadata": {"user_id": "u"}},
        ["n", "seed", "presence_penalty", "store"],
    ),
    ("anthropic.messages", {"inferenceConfig": {"topK": 4}}, {}, {"top_k": 4}, []),
    ("anthropic.messages", {"generationConfig": {"topK": 4, "seed": 1}}, {}, {"top_k": 4}, ["generationConfig.seed"]),
    # What Converse says already is not said again, and not in another way.
    ("anthropic.messages", {"max_tokens": 9}, {"inferenceConfig": {"maxTokens": 9}}, None, []),
    ("anthropic.messages", {"max_gen_len": 8}, {"inferenceConfig": {"maxTokens": 9}}, None, ["max_gen_len"]),
    ("anthropic.messages", {"stop": "x"}, {"inferenceConfig": {"stopSequences": ["x"]}}, None, []),
    # Tools and the choice among them look at those of the conversation.
    (
        "anthropic.messages",
        {"parallel_tool_calls": False},
        {"toolConfig": {"tools": [TOOL], "toolChoice": {"any": {}}}},
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        [],
    ),
    ("anthropic.messages", {"parallel_tool_calls": False}, {}, None, []),
    ("anthropic.messages", {"top_k": 1}, {"toolConfig": {"tools": [TOOL]}}, {"top_k": 1}, []),
    ("mistral.chat", {"tools": [{"name": "find"}]}, {"toolConfig": {"tools": [TOOL]}}, None, []),
    # The schema of an answer stands in outputConfig.
    ("mistral.chat", {"response_format": {"type": "json_schema"}}, {"outputConfig": FORMAT}, None, []),
    (
        "mistral.chat",
        {"response_format": {"type": "json_object"}},
        {},
        {"response_format": {"type": "json_object"}},
        [],
    ),
    ("amazon.nova", {"top_k": 7}, {"inferenceConfig": {"topP": 0.5}}, {"inferenceConfig": {"topK": 7}}, []),
    ("amazon.nova", {"crest": 1}, {}, None, ["crest"]),
    ("amazon.titan-text", {"top_k": 7}, {}, None, ["top_k"]),
    ("cohere.command-r", {"top_k": 7, "seed": 3}, {}, {"k": 7, "seed": 3}, []),
    ("openai.chat", {"top_k": 7, "random_seed": 3}, {}, {"seed": 3}, ["top_k"]),
    ("meta.llama", {"top_k": 7}, {}, None, ["top_k"]),
]


def asked(extra: dict[str, Any], more: dict[str, Any]) -> ConverseRequest:
    body = {"messages": [], "additionalModelRequestFields": extra, **more}
    return msgspec.json.decode(msgspec.json.encode(body), type=ConverseRequest)


@pytest.mark.parametrize(("schema", "extra", "more", "fields", "dropped"), CASES)
def test_fields_in_a_models_own_words(
    schema: str, extra: dict[str, Any], more: dict[str, Any], fields: dict[str, Any] | None, dropped: list[str]
) -> None:
    """Renamed where the model has the thing, else dropped by the caller's own name."""
    table, ledger = foreign_fields(schema), Ledger()
    assert table is not None
    request = asked(extra, more)
    assert reworded(request, table, ledger) == fields
    assert ledger.dropped == [f"{ROOT}.{name}" for name in dropped]
    assert request == asked(extra, more)


def test_a_scale_that_ends_earlier() -> None:
    """Others' temperatures go up to 2, a Claude's to 1, and the caller is told."""
    table, ledger = foreign_fields("anthropic.messages"), Ledger()
    assert table is not None
    assert reworded(asked({"temperature": 1.5}, {}), table, ledger) == {"temperature": 1.0}
    assert (ledger.emulated, ledger.dropped) == ([f"{ROOT}.temperature"], [])


def test_strict_refuses() -> None:
    """The first field that has no place ends the translation."""
    table = foreign_fields("anthropic.messages")
    assert table is not None
    with pytest.raises(Fault, match="seed"):
        reworded(asked({"seed": 3}, {}), table, Ledger(strict=True))


def test_every_schema_has_a_table() -> None:
    """All but Converse itself, whose extra fields are its model's; none takes another's fields unknown."""
    assert set(FIELDS) == set(DIALECTS) - {"amazon.converse"}
    assert not any(table is None or table.open for table in map(foreign_fields, FIELDS))
    assert foreign_fields("amazon.converse") is None
