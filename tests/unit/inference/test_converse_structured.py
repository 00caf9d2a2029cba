"""An answer by a schema from a target that has no such thing: a forced tool, unwrapped again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.fitting.structured import Unwrapping, as_object, by_tool
from craton.models.canon import events as e
from craton.models.canon.content import ContentBlock, ToolUseBlock
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, Delta, StreamEvent, text_delta
from craton.models.canon.reply import ConverseReply, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, JsonSchema
from craton.models.dialects.dialect import Ledger

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
LOOK = {"toolSpec": {"name": "answer", "inputSchema": {"json": {"type": "object"}}}}


def request(schema: dict[str, Any] = SCHEMA, **more: Any) -> tuple[ConverseRequest, JsonSchema]:
    wanted = {"schema": json.dumps(schema), "description": "A count."}
    body = {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": wanted}}}, **more}
    made = msgspec.json.decode(json.dumps(body).encode(), type=ConverseRequest)
    assert made.output_config is not None
    assert made.output_config.text_format is not None
    found = made.output_config.text_format.structure.json_schema
    assert found is not None
    return made, found


def use(name: str, text: str, ident: str = "a") -> ContentBlock:
    return ContentBlock(tool_use=ToolUseBlock(ident, name, msgspec.Raw(text.encode())))


def reply(*blocks: ContentBlock, reason: Any = "tool_use") -> ConverseReply:
    return assistant_reply([*blocks], reason, usage(1, 1))


def test_the_schema_becomes_a_tool_that_must_be_called() -> None:
    """Named in the ledger; the request no longer has the schema."""
    ledger = Ledger()
    written, unwrapping = by_tool(*request(), ledger, must_call=True)
    assert ledger.emulated == ["outputConfig.textFormat"]
    assert written.output_config is None
    assert written.tool_config is not None
    assert msgspec.to_builtins(written.tool_config.tool_choice) == {"any": {}}
    spec = written.tool_config.tools[0].tool_spec
    assert spec is not None
    assert json.loads(bytes(spec.input_schema.json)) == SCHEMA
    assert (spec.description or "").startswith("A count.")
    assert unwrapping is not None
    assert unwrapping.name == spec.name


def test_a_target_that_cannot_be_made_to_call_refuses() -> None:
    """In both modes: text that may or may not follow a schema is not what was asked for."""
    with pytest.raises(Fault, match=r"cannot carry outputConfig\.textFormat"):
        by_tool(*request(), Ledger(), must_call=False)


def test_the_callers_tools_stay_beside_ours() -> None:
    """Under a name that the caller does not use."""
    written, unwrapping = by_tool(*request(toolConfig={"tools": [LOOK]}), Ledger(), must_call=True)
    assert written.tool_config is not None
    names = [tool.tool_spec.name for tool in written.tool_config.tools if tool.tool_spec is not None]
    assert names == ["answer", "answer_"]
    assert unwrapping is not None


def test_a_call_that_the_caller_demands_is_all_there_will_be() -> None:
    """No text comes, so there is nothing to give a form to."""
    config = {"tools": [LOOK], "toolChoice": {"any": {}}}
    written, unwrapping = by_tool(*request(toolConfig=config), Ledger(), must_call=True)
    assert unwrapping is None
    assert written.output_config is None
    assert written.tool_config is not None
    assert len(written.tool_config.tools) == 1


def test_an_effort_is_kept() -> None:
    """It has nothing to do with the schema."""
    made, schema = request()
    assert made.output_config is not None
    made.output_config.effort = "low"
    written, _ = by_tool(made, schema, Ledger(), must_call=True)
    assert written.output_config is not None
    assert (written.output_config.effort, written.output_config.text_format) == ("low", None)


def test_a_schema_that_is_no_object_is_put_into_one() -> None:
    """Its definitions stay where references find them."""
    raw, wrapped = as_object('{"type":"array","items":{"$ref":"#/$defs/x"},"$defs":{"x":{"type":"string"}}}')
    made = json.loads(bytes(raw))
    assert wrapped
    assert made["properties"]["value"] == {"type": "array", "items": {"$ref": "#/$defs/x"}}
    assert made["$defs"] == {"x": {"type": "string"}}


def test_a_whole_answer_is_unwrapped() -> None:
    """The call becomes the text; words beside it are no JSON; the turn ended as any does."""
    answer = reply(ContentBlock(text="Here it is:"), use("answer", '{"n": 1}'))
    Unwrapping("answer", wrapped=False).reply(answer)
    assert [block.text for block in answer.output.message.content] == ['{"n": 1}']
    assert answer.stop_reason == "end_turn"


def test_a_wrapped_answer_is_taken_out() -> None:
    """Byte for byte as the model wrote it."""
    answer = reply(use("answer", '{"value": [1,  2]}'))
    Unwrapping("answer", wrapped=True).reply(answer)
    assert answer.output.message.content[0].text == "[1,  2]"


def test_a_call_of_the_callers_own_tool_stays_one() -> None:
    """And words without any call stay words."""
    for made in (reply(ContentBlock(text="hm"), use("look", "{}")), reply(ContentBlock(text="hm"), reason="end_turn")):
        before = msgspec.json.encode(made)
        Unwrapping("answer", wrapped=False).reply(made)
        assert msgspec.json.encode(made) == before


def start(name: str, index: int) -> BlockStart:
    return BlockStart(e.Start(tool_use=e.ToolUseStart("a", name)), index)


def given(text: str, index: int) -> BlockDelta:
    return BlockDelta(Delta(tool_use=e.ToolUseDelta(text)), index)


def streamed(events: list[StreamEvent], *, wrapped: bool = False) -> list[Any]:
    window = Unwrapping("answer", wrapped=wrapped).window()
    out = [found for event in events for found in window.feed([event])]
    return [msgspec.to_builtins(event) for event in [*out, *window.close()]]


def test_a_stream_is_unwrapped_piece_by_piece() -> None:
    """Every piece of the arguments leaves as text; words before the call do not; blocks are numbered anew."""
    events: list[StreamEvent] = [
        e.MessageStart("assistant"), text_delta("Sure:", 0), BlockStop(0),
        start("answer", 1), given('{"n"', 1), given(": 1}", 1), BlockStop(1), e.MessageStop("tool_use"),
    ]  # fmt: skip
    assert streamed(events) == [
        {"role": "assistant"},
        {"delta": {"text": '{"n"'}, "contentBlockIndex": 0},
        {"delta": {"text": ": 1}"}, "contentBlockIndex": 0},
        {"contentBlockIndex": 0},
        {"stopReason": "end_turn"},
    ]


def test_a_wrapped_answer_streams_when_it_is_whole() -> None:
    """What is inside can only be told then."""
    events = [start("answer", 0), given('{"value": ', 0), given("[1]}", 0), BlockStop(0), e.MessageStop("tool_use")]
    assert streamed(events, wrapped=True)[0] == {"delta": {"text": "[1]"}, "contentBlockIndex": 0}


def test_words_without_a_call_stream_at_the_end() -> None:
    """They are the answer then."""
    told = streamed([text_delta("no", 0), text_delta(" way", 0), BlockStop(0), e.MessageStop("end_turn")])
    assert [one["delta"]["text"] for one in told if "delta" in one] == ["no", " way"]
    assert told[-1] == {"stopReason": "end_turn"}


def test_reasoning_and_other_calls_pass() -> None:
    """Only text waits."""
    thought = BlockDelta(Delta(reasoning_content=e.ReasoningDelta(text="hm")), 0)
    told = streamed([thought, BlockStop(0), start("look", 1), given("{}", 1), BlockStop(1), e.MessageStop("tool_use")])
    assert told[0]["delta"] == {"reasoningContent": {"text": "hm"}}
    assert told[2]["start"]["toolUse"]["name"] == "look"
    assert told[-1] == {"stopReason": "tool_use"}
