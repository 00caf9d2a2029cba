"""What each schema carries by itself beyond plain conversation, as one table by the dialect's name.

Inference reads it before it sends: what a target lacks is brought into another form, left out or refused there, so
that no dialect has to. Owns the table; must not know how anything is emulated. A target's quirks may take a trait
away or add one, since servers that speak one schema differ.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

ANTHROPIC, GEMINI, OPENAI = "anthropic", "gemini", "openai"

_OFFICE = frozenset({"doc", "docx", "xls", "xlsx"})
_PDF = frozenset({"pdf"})
_FILES = _PDF | _OFFICE
_PAGES = _FILES | {"html"}


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a target takes.

    `output_schema`: a JSON schema for the answer. `must_call`: a demand that some tool be called. `documents`: formats
    that it reads from their bytes; the text formats it may always have as text. `citations`: it tells what of a
    document it used, in Converse's blocks once read (`blocks`) or in fields of its own (`fields`). `signer`: the vendor
    that signs its reasoning, "" where reasoning is plain text.
    """

    output_schema: bool = False
    must_call: bool = False
    documents: frozenset[str] = frozenset()
    citations: str = ""
    signer: str = ""


_PLAIN = Traits()
_TRAITS: dict[str, Traits] = {
    "ai21.jamba": _PLAIN,
    "amazon.converse": Traits(
        output_schema=True, must_call=True, documents=_PAGES, citations="blocks", signer=ANTHROPIC
    ),
    "amazon.nova": Traits(must_call=True, documents=_PAGES),
    "anthropic.messages": Traits(
        output_schema=True, must_call=True, documents=_PDF, citations="blocks", signer=ANTHROPIC
    ),
    "cohere.chat-v2": Traits(output_schema=True, must_call=True, citations="fields"),
    "cohere.command-r": Traits(citations="fields"),
    "google.gemini": Traits(output_schema=True, must_call=True, documents=_PDF, signer=GEMINI),
    "mistral.chat": Traits(output_schema=True, must_call=True),
    "openai.chat": Traits(output_schema=True, must_call=True),
    "openai.responses": Traits(output_schema=True, must_call=True, documents=_PDF, signer=OPENAI),
    "writer.palmyra": Traits(output_schema=True, must_call=True),
}


def traits(dialect: str, model: str = "", quirks: Mapping[str, object] | None = None) -> Traits:
    """The traits of a target. A schema that is not in the table is a prompt and has none of them.

    Of the models that the real Bedrock serves, only Claude signs. Quirks: `json_schema` false for a server that knows
    no schema for an answer, `files` true for one that takes documents by their bytes.
    """
    found = _TRAITS.get(dialect, _PLAIN)
    if dialect == "amazon.converse" and model and "anthropic" not in model and not model.startswith("arn:"):
        found = msgspec.structs.replace(found, signer="")
    if not quirks:
        return found
    if quirks.get("json_schema") is False:
        found = msgspec.structs.replace(found, output_schema=False)
    if quirks.get("files") is True:
        found = msgspec.structs.replace(found, documents=_FILES)
    return found
