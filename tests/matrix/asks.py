"""What is said in the cells of the matrix, in nobody's schema: words that occur nowhere else, so that they can be found.

Owns the words and which of them make up a feature. Knows no schema, no vendor and no door.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from tests.fakes.files import pdf, png

QUESTION = "Which kestrel nests here"
EARLIER = "Who keeps the heronry"
SYSTEM = "Speak as an ornithologist"
STOP = "ENDOFLIST"
NOTE = "The bittern booms at dusk"
NOTE_NAME = "fieldnotes"
PAGE = "The plover counted nine eggs"
IMAGE = base64.b64encode(png(24, 16)).decode()
PDF = base64.b64encode(pdf(PAGE)).decode()

TOOL = "find_nest"
TOOL_TEXT = "Finds the nest of a bird"
TOOL_MEMBER = "wingspan"
TOOL_SCHEMA = {
    "type": "object",
    "properties": {TOOL_MEMBER: {"type": "string", "description": "in cubits"}},
    "required": [TOOL_MEMBER],
}
ANSWER_MEMBER = "eggs"
ANSWER_SCHEMA = {
    "type": "object",
    "properties": {ANSWER_MEMBER: {"type": "integer"}},
    "required": [ANSWER_MEMBER],
    "additionalProperties": False,
}
CALL_ID = "nestcall1"  # nine letters and digits: Mistral takes no other
CALLED = {TOOL_MEMBER: "two cubits"}
RESULT = "The nest is in the alder"

MAX_TOKENS, TEMPERATURE, TOP_P = 77, 0.25, 0.5
KNOBS = {"top_k": 19, "seed": 4711}  # a schema's own field, by its meaning: one that Converse has no member for
NOBODYS, NOBODYS_VALUE = "crest", "plumed"  # a field that no vendor knows

ANSWER = "The lanner nests on the ledge"
ANSWERED_CALL = {TOOL_MEMBER: "four cubits"}
USED = (11, 5)  # tokens that went in and came out, by every vendor's count


def arguments(value: dict[str, str]) -> str:
    """A call's arguments as JSON text."""
    return json.dumps(value)


@dataclass(frozen=True)
class Ask:
    """One thing to say. `limits`: the number of tokens, temperature and top_p; `results`: a call and its result before.

    `forced`: some tool must be called. `schema`: the answer is to follow one. `knob`: a field of the schema's own;
    `nobodys`: one of no schema.
    """

    system: bool = False
    stop: bool = False
    limits: bool = False
    tools: bool = False
    forced: bool = False
    results: bool = False
    schema: bool = False
    image: bool = False
    note: bool = False
    pdf: bool = False
    knob: bool = False
    nobodys: bool = False
    stream: bool = False


@dataclass(frozen=True)
class Feature:
    """A column of the matrix. `scene`: how the vendor answers; `words`: by which a ledger or a refusal may name it."""

    name: str
    title: str
    ask: Ask
    scene: str = "text"
    words: tuple[str, ...] = ()


TOOL_WORDS = ("tool", "function")
FEATURES: tuple[Feature, ...] = (
    Feature("text", "text", Ask()),
    Feature("system", "system", Ask(system=True), words=("system", "instructions", "preamble")),
    Feature("stop", "stop", Ask(stop=True), words=("stop",)),
    Feature("sampling", "sampling", Ask(limits=True), words=("token", "temperature", "topp", "top_p")),
    Feature("tools", "tools", Ask(tools=True), "call", TOOL_WORDS),
    Feature("choice", "tool choice", Ask(tools=True, forced=True), "call", TOOL_WORDS),
    Feature("results", "tool results", Ask(tools=True, results=True), words=(*TOOL_WORDS, "history")),
    Feature("schema", "answer by a schema", Ask(schema=True), words=("format", "schema")),
    Feature("image", "image", Ask(image=True), words=("image",)),
    Feature("document", "document", Ask(note=True), words=("document", "file")),
    Feature("pdf", "PDF", Ask(pdf=True), words=("document", "file")),
    Feature("knob", "own field", Ask(knob=True), words=("top_k", "topk", ".k", "seed")),
    Feature("nobodys", "unknown field", Ask(nobodys=True), words=(NOBODYS,)),
    Feature("stream", "stream", Ask(stream=True), words=("stream",)),
    Feature("tools_stream", "tools in a stream", Ask(tools=True, stream=True), "call", (*TOOL_WORDS, "stream")),
    Feature("error", "error", Ask(), "error"),
    Feature("usage", "usage", Ask()),
)
