"""The judge finds every loss: a matrix that cannot fail proves nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.matrix import asks, judge
from tests.matrix.asks import FEATURES, Feature
from tests.matrix.callers import CALLERS
from tests.matrix.house import Answer
from tests.matrix.seen import Seen

CONVERSE = CALLERS[0]
BY_NAME = {feature.name: feature for feature in FEATURES}
DROPPED, EMULATED = "x-craton-dropped", "x-craton-emulated"
ALL = Seen(
    said=[asks.QUESTION, asks.EARLIER],
    system=[asks.SYSTEM],
    stops=[asks.STOP],
    tools={asks.TOOL: (asks.TOOL_TEXT, asks.TOOL_SCHEMA)},
    forced=True,
    calls=[(asks.CALL_ID, asks.TOOL, asks.CALLED)],
    results=[(asks.CALL_ID, asks.RESULT)],
    schema=asks.ANSWER_SCHEMA,
    images=[asks.IMAGE],
    documents=[asks.NOTE, asks.PDF],
    limits=(asks.MAX_TOKENS, asks.TEMPERATURE, asks.TOP_P),
    knobs={"top_k": asks.KNOBS["top_k"]},
)


def answer(feature: Feature, **headers: str) -> Answer:
    """What a caller of Converse is told when all is well."""
    block: dict[str, Any] = {"text": asks.ANSWER}
    if feature.scene == "call":
        block = {"toolUse": {"toolUseId": "x", "name": asks.TOOL, "input": asks.ANSWERED_CALL}}
    stop = "tool_use" if feature.scene == "call" else "end_turn"
    used = {"inputTokens": asks.USED[0], "outputTokens": asks.USED[1]}
    value = {"output": {"message": {"content": [block]}}, "stopReason": stop, "usage": used}
    return Answer(200, {name.replace("_", "-"): text for name, text in headers.items()}, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("feature", "without", "path"),
    [
        ("text", {"said": []}, ""),
        ("system", {"system": []}, "system.0.text"),
        ("stop", {"stops": []}, "inferenceConfig.stopSequences"),
        ("sampling", {"limits": (asks.MAX_TOKENS, None, asks.TOP_P)}, "inferenceConfig.temperature"),
        ("tools", {"tools": {asks.TOOL: (asks.TOOL_TEXT, {"type": "object"})}}, "toolConfig.tools.0"),
        ("choice", {"forced": False}, "toolConfig.toolChoice.any"),
        ("results", {"results": [("another", asks.RESULT)]}, "messages.2.content.0.toolResult"),
        ("schema", {"schema": {"type": "object"}}, "outputConfig.textFormat"),
        ("image", {"images": ["AAAA"]}, "messages.0.content.1.image"),
        ("document", {"documents": [asks.PDF]}, "messages.0.content.1.document"),
        ("pdf", {"documents": [asks.NOTE]}, "messages.0.content.1.document"),
        ("knob", {"knobs": {}}, "additionalModelRequestFields.top_k"),
        ("knob", {"knobs": {"top_k": asks.KNOBS["seed"]}}, "additionalModelRequestFields.top_k"),
    ],
)
def test_what_does_not_arrive_is_lost_unless_it_is_named(feature: str, without: dict[str, Any], path: str) -> None:
    """All of it: yes. Without the thing: lost; named in the ledger: dropped; another thing named: lost still."""
    asked = BY_NAME[feature]
    whole, holed = answer(asked), replace(ALL, **without)
    assert judge.judged(CONVERSE, asked, whole, ALL) == judge.YES
    assert judge.judged(CONVERSE, asked, whole, holed).kind == "lost"
    assert judge.judged(CONVERSE, asked, answer(asked, x_craton_dropped="serviceTier"), holed).kind == "lost"
    if path:
        assert judge.judged(CONVERSE, asked, answer(asked, x_craton_dropped=path), holed).kind == "ledgered"


def test_a_document_among_the_words_must_be_named() -> None:
    """Its text in the user's turn counts only with the header that says so."""
    feature = BY_NAME["pdf"]
    spoken = replace(ALL, documents=[], said=[asks.QUESTION, asks.PAGE])
    assert judge.judged(CONVERSE, feature, answer(feature), spoken).kind == "lost"
    named = answer(feature, x_craton_emulated="messages.0.content.1.document")
    assert judge.judged(CONVERSE, feature, named, spoken).kind == "emulated"


def test_what_the_vendor_does_not_know_is_a_fault() -> None:
    """A member from nowhere may be refused by the vendor."""
    feature = BY_NAME["text"]
    assert judge.judged(CONVERSE, feature, answer(feature), replace(ALL, unknown=["topK"])).kind == "lost"


def test_a_field_that_nobody_knows_must_arrive_or_be_named() -> None:
    """It may be what the vendor does not know, and nothing else may."""
    feature = BY_NAME["nobodys"]
    named = answer(feature, x_craton_dropped=f"additionalModelRequestFields.{asks.NOBODYS}")
    assert judge.judged(CONVERSE, feature, answer(feature), replace(ALL, unknown=[asks.NOBODYS])) == judge.YES
    assert judge.judged(CONVERSE, feature, named, ALL).kind == "ledgered"
    assert judge.judged(CONVERSE, feature, answer(feature), ALL).kind == "lost"
    assert judge.judged(CONVERSE, feature, answer(feature), replace(ALL, unknown=[asks.NOBODYS, "x"])).kind == "lost"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"lanner", b"hobby"), (b"end_turn", b"max_tokens"), (b"11", b"12"), (b'"stopReason"', b'"stop"'), (b"{", b"")],
)
def test_what_the_caller_is_told_must_be_whole(old: bytes, new: bytes) -> None:
    """Another text, reason or count, or a reply that cannot be read."""
    feature = BY_NAME["text"]
    told = answer(feature)
    told.body = told.body.replace(old, new)
    assert judge.judged(CONVERSE, feature, told, ALL).kind == "lost"


def test_a_refusal_must_name_what_it_refuses() -> None:
    """And nothing may have been sent."""
    feature = BY_NAME["image"]
    named = Answer(400, {}, b'{"message": "This model has no image"}')
    assert judge.judged(CONVERSE, feature, named, None).kind == "refused"
    assert judge.judged(CONVERSE, feature, named, ALL).kind == "lost"
    assert judge.judged(CONVERSE, feature, Answer(400, {}, b'{"message": "No"}'), None).kind == "lost"


def test_strict_mode_must_refuse_what_lenient_mode_drops() -> None:
    """By its name, before anything is sent; and nothing else."""
    dropped = judge.Verdict("ledgered", "inferenceConfig.stopSequences")
    refused = Answer(400, {}, b'{"message": "cannot carry inferenceConfig.stopSequences"}')
    assert judge.judged_strict(dropped, refused, None) == ""
    assert judge.judged_strict(dropped, refused, ALL)
    assert judge.judged_strict(dropped, Answer(200, {}, b"{}"), ALL)
    assert judge.judged_strict(judge.YES, refused, None)
