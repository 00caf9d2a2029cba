"""A reply as events and back."""

from __future__ import annotations

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.forms import events_of, reply_of
from tests.unit.rehearsal.conversations import reply

CONTENTS = {
    "text": [{"text": "one two"}],
    "tools": [
        {"text": "Let me see."},
        {"toolUse": {"toolUseId": "t1", "name": "get", "input": {"a": [1, {"b": None}]}}},
        {"toolUse": {"toolUseId": "t2", "name": "get", "input": {}}},
    ],
    "reasoning": [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}, {"text": "x"}],
    "redacted": [{"reasoningContent": {"redactedContent": "AAAA"}}],
    "citations": [
        {
            "citationsContent": {
                "content": [{"text": "cited"}],
                "citations": [{"title": "t", "sourceContent": [{"text": "s"}], "location": {"web": {"url": "u"}}}],
            }
        }
    ],
    "image": [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}],
    "nothing": [],
}


@pytest.mark.parametrize("content", list(CONTENTS.values()), ids=list(CONTENTS))
def test_a_reply_survives_its_stream(content: list[dict[str, object]]) -> None:
    """Whatever a model answers, as events and back it is the same."""
    whole = reply(*content)
    again = reply_of(events_of(whole, lambda text: text))
    assert msgspec.json.encode(again) == msgspec.json.encode(whole)


def test_a_stream_without_its_end_is_no_reply() -> None:
    """Half an answer is not passed off as a whole one."""
    with pytest.raises(Fault) as caught:
        reply_of(list(events_of(reply({"text": "x"})))[:-2])
    assert caught.value.name == "ModelErrorException"
