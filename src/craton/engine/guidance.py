"""Grammars: what the output of a request may be, enforced token by token through llguidance.

Owns the Lark text for JSON answers and tool calls, and the matcher that turns it into masks. Knows no HTTP and no
model runtime. Whitespace in JSON is never free: a weak model given the choice emits blanks until its tokens run out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from craton.engine.backend import GrammarRefused

# Words that let an object have properties beyond those it names.
OPEN_WORDS = frozenset(
    ("additionalProperties", "patternProperties", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "$ref")
)


class ToolShape(msgspec.Struct, frozen=True):
    """One callable tool: its name and the JSON Schema of its arguments."""

    name: str
    schema: dict[str, Any]


class CallMarkers(msgspec.Struct, frozen=True):
    """How a model writes a tool call: `start` JSON `end`.

    `start_id` and `end_id`: the single tokens that the vocabulary has for them, both or none. `compact`: the model was
    trained on JSON without any blanks; otherwise one blank or line break is let through where JSON allows it.
    """

    start: str
    end: str
    start_id: int | None = None
    end_id: int | None = None
    compact: bool = True


def any_json(*, compact: bool) -> str:
    """A grammar for one JSON object."""
    return f"start: {_json({'type': 'object'}, compact=compact, lenient=False)}\n"


def json_schema(schema: dict[str, Any], *, compact: bool, strict: bool) -> str:
    """A grammar for a value of that schema; `strict` refuses keywords that cannot be enforced instead of ignoring."""
    return f"start: {_json(schema, compact=compact, lenient=not strict)}\n"


def tool_calls(tools: Sequence[ToolShape], markers: CallMarkers | None, *, forced: bool, parallel: bool) -> str:
    """A grammar for an answer that may (or, `forced`, must) call tools.

    Without `markers` a forced call is the bare JSON. Raises GrammarRefused where free text and calls cannot be told
    apart (no markers and not forced).
    """
    compact = markers.compact if markers else True
    bodies = [f"body_{at}: {_call_body(tool, at, compact=compact)}" for at, tool in enumerate(tools)]
    alternatives = " | ".join(f"body_{at}" for at in range(len(tools)))
    schemas = [closed(tool.schema) for tool in tools]
    arguments = [f"args_{at}: {_json(schema, compact=compact, lenient=True)}" for at, schema in enumerate(schemas)]
    rules = [*_frame(markers, forced=forced, parallel=parallel), f"body: {alternatives}", *bodies, *arguments]
    return "\n".join(rules) + "\n"


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without properties that it does not name: what a model makes up beside them is never wanted.

    Objects that say themselves what else they take, or that are put together from several schemas, stay as they are.
    """
    kept = dict(schema)
    for name in ("properties", "$defs", "definitions"):
        if isinstance(kept.get(name), dict):
            kept[name] = {key: closed(each) if isinstance(each, dict) else each for key, each in kept[name].items()}
    if isinstance(kept.get("items"), dict):
        kept["items"] = closed(kept["items"])
    if "properties" in kept and not OPEN_WORDS & kept.keys():
        kept["additionalProperties"] = False
    return kept


def _frame(markers: CallMarkers | None, *, forced: bool, parallel: bool) -> list[str]:
    """The rules around the calls' JSON: text before, markers, how many."""
    if markers is None:
        if not forced:
            raise GrammarRefused("this model has no marker for tool calls, so they can only be required, not offered")
        return ["start: body"]
    more = "call*" if parallel else ""
    blank = "" if markers.compact else "/\\n?/"
    start, end = _marker(markers.start, markers.start_id), _marker(markers.end, markers.end_id)
    call = f"call: {start} {blank} body {blank} {end} {blank}"
    if forced:
        return [f"start: call {more}", call]
    if markers.start_id is not None:
        return [f"start: TEXT | TEXT? call {more}", call, "TEXT: /(.|\\n)+/"]
    # A marker spelled in ordinary tokens: the lazy lexeme ends at its first appearance.
    first = f"first: opened {blank} body {blank} {end} {blank}"
    return [f"start: TEXT | first {more}", first, f"opened[lazy]: TEXT? {start}", call, "TEXT: /(.|\\n)+/"]


def _marker(spelling: str, token: int | None) -> str:
    """A marker as a terminal: by its id, since vocabularies differ in whether they call such tokens special."""
    return json.dumps(spelling) if token is None else f"<[{token}]>"


def _call_body(tool: ToolShape, at: int, *, compact: bool) -> str:
    """`{"name":"...","arguments":...}`, spelled with the separators that the model was trained on."""
    colon, comma = (":", ",") if compact else (": ", ", ")
    opening = f'{{"name"{colon}{json.dumps(tool.name)}{comma}"arguments"{colon}'
    return f'{json.dumps(opening)} args_{at} "}}"'


def _json(schema: dict[str, Any], *, compact: bool, lenient: bool) -> str:
    options: dict[str, Any] = {"whitespace_flexible": False, "lenient": lenient}
    if not compact:
        options["whitespace_pattern"] = "[ ]?"
    return "%json " + json.dumps({**schema, "x-guidance": options})


class Grammar:
    """The matcher of one request. Not thread-safe; it lives with the request on the scheduler's thread."""

    __slots__ = ("_mask", "_matcher", "_pointer", "_tokenizer")

    def __init__(self, tokenizer: LLTokenizer, lark: str, compiled: LLMatcher | None = None) -> None:
        """Compile; takes milliseconds, more for very large schemas. Raises GrammarRefused with the reason."""
        self._tokenizer = tokenizer
        self._matcher = compiled or LLMatcher(tokenizer, LLMatcher.grammar_from_lark(lark), log_level=0)
        if self._matcher.is_error():
            raise GrammarRefused(_reason(self._matcher.get_error()))
        self._mask: NDArray[np.int32] = np.zeros((tokenizer.vocab_size + 31) // 32, np.int32)
        self._pointer = self._mask.ctypes.data

    def fresh(self) -> Grammar:
        """Another matcher of the same grammar, without compiling again; this one must not have advanced."""
        return Grammar(self._tokenizer, "", self._matcher.deep_copy())

    def mask(self) -> NDArray[np.int32]:
        """One bit per token of the vocabulary: may it come next. The same array on every call."""
        self._matcher.unsafe_compute_mask_ptr(self._pointer, self._mask.nbytes)
        return self._mask

    def advance(self, token: int) -> bool:
        """Take a token; False when the grammar had to give up (too complex to follow)."""
        return self._matcher.consume_token(token)

    @property
    def finished(self) -> bool:
        """Nothing but the end of the sequence may follow."""
        return self._matcher.is_stopped()


def _reason(error: str) -> str:
    """The first line of llguidance's report: the rest repeats the grammar, which holds the caller's own text."""
    first = next((line for line in error.splitlines() if line.strip()), "the grammar cannot be compiled")
    return first.strip()[:300]
