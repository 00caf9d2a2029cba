"""The lines of a dataset for the evaluation of retrieval: conversations, and what a system said that was asked before.

Owns Bedrock's form of such a line (user guide, "Create a prompt dataset for a RAG evaluation"): `conversationTurns` of
`prompt`, `referenceResponses`, `referenceContexts` and `output`. Retrieval alone has one turn, with generation at most
five. It must not know where lines come from. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

MOST_TURNS = 5
NOT_JSON = "it is not JSON in UTF-8"


class Text(msgspec.Struct, frozen=True):
    """A piece of content; other kinds than text count for nothing."""

    text: str = ""


class Content(msgspec.Struct, frozen=True):
    """Content in pieces."""

    content: tuple[Text, ...] = ()

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(piece.text for piece in self.content)


class Passage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text that was found."""

    content: Text = Text()
    name: str = ""
    metadata: dict[str, Any] = {}


class Passages(msgspec.Struct, frozen=True, rename="camel"):
    """Texts that were found, the best first."""

    retrieval_results: tuple[Passage, ...] = ()


class Output(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a system said in a turn. `citations` have the form of RetrieveAndGenerate's.

    `retrieved_results` are of retrieval alone, `retrieved_passages` of retrieval with generation.
    """

    text: str = ""
    model_identifier: str = ""
    knowledge_base_identifier: str = ""
    retrieved_results: Passages | None = None
    retrieved_passages: Passages | None = None
    citations: tuple[dict[str, Any], ...] = ()

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What was found, by whichever name."""
        found = self.retrieved_results or self.retrieved_passages
        return found.retrieval_results if found is not None else ()


class Turn(msgspec.Struct, frozen=True, rename="camel"):
    """One question, and what is right about it."""

    prompt: Content
    reference_responses: tuple[Content, ...] = ()
    reference_contexts: tuple[Content, ...] = ()
    output: Output | None = None
    raw: msgspec.Raw = msgspec.Raw(b"{}")


class RagRecord(msgspec.Struct, frozen=True):
    """One conversation. `line` counts from 1; `raw` is the line as it stands in the file."""

    turns: tuple[Turn, ...]
    line: int = 0
    raw: msgspec.Raw = msgspec.Raw(b"{}")


class RagNeeds(msgspec.Struct, frozen=True):
    """What beside the prompt every turn must have: a right context, the answer of this source; and how many turns."""

    contexts: bool = False
    source: str = ""
    turns: int = MOST_TURNS


class _Line(msgspec.Struct, rename="camel"):
    conversation_turns: tuple[msgspec.Raw, ...]


_LINE, _TURN = msgspec.json.Decoder(_Line), msgspec.json.Decoder(Turn)


def read_line(number: int, data: bytes, needs: RagNeeds) -> tuple[str, RagRecord | None]:
    """The record of a line; else what is wrong with it, and None."""
    try:
        given = _LINE.decode(data).conversation_turns
        turns = tuple(msgspec.structs.replace(_TURN.decode(one), raw=msgspec.Raw(bytes(one))) for one in given)
    except msgspec.ValidationError as error:
        return str(error), None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOT_JSON, None
    if not 1 <= len(turns) <= needs.turns:
        return f"`conversationTurns` has {len(turns)} turns, and may have 1 to {needs.turns}", None
    for turn in turns:
        fault = _fault(turn, needs)
        if fault:
            return fault, None
    return "", RagRecord(turns, number, msgspec.Raw(data.strip()))


def _fault(turn: Turn, needs: RagNeeds) -> str:
    if not turn.prompt.text.strip():
        return "`prompt` is empty"
    if needs.contexts and not any(one.text.strip() for one in turn.reference_contexts):
        return "`referenceContexts` is missing, which Builtin.ContextCoverage compares with"
    if needs.source and (turn.output is None or turn.output.knowledge_base_identifier != needs.source):
        return f"`output` is no answer of {needs.source}"
    return ""
