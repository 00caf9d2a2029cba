"""`docs/compatibility.md`: the verdicts of all cells as tables, with what was named in notes under each.

Pure: tables of verdicts in, Markdown out. Rows of one feature that read alike are one row, and so are columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill

from craton.models.catalog.local import Kind
from tests.matrix import cells, families, specials
from tests.matrix.asks import FEATURES
from tests.matrix.callers import CALLERS, DOOR, INVOKE
from tests.matrix.judge import UNSAID, Verdict
from tests.matrix.say_special import Row
from tests.matrix.upstreams import UPSTREAMS

WORDS = {
    "yes": "yes",
    "emulated": "other means",
    "ledgered": "dropped",
    "refused": "refused",
    "unsaid": "",
    "lost": "LOST",
}
Cell = Callable[[str, str], Verdict]


@dataclass(frozen=True)
class Tables:
    """All verdicts: of conversations by caller, upstream and feature; of the other kinds alike; of families."""

    chat: Mapping[tuple[str, str, str], Verdict]
    kinds: Mapping[Kind, Mapping[tuple[str, str, str], Verdict]]
    families: Mapping[tuple[str, str], Verdict]
    models: Mapping[str, str]
    columns: Mapping[Kind, Sequence[str]]


def run() -> Tables:
    """Ask every cell, in some seconds."""
    with TemporaryDirectory() as one, TemporaryDirectory() as two, TemporaryDirectory() as three:
        with cells.Running(Path(one)) as matrix:
            chat = matrix.table()
        with specials.Running(Path(two)) as special:
            kinds = {kind: special.table(kind) for kind in specials.ROWS}
        with families.Running(Path(three)) as family:
            rows, models = family.table(), {name: families.called(model) for name, model in family.models.items()}
    return Tables(chat, kinds, rows, models, special.columns)


@dataclass
class Notes:
    """The notes under one table, numbered as they come up."""

    texts: list[str] = field(default_factory=list)

    def mark(self, kind: str, whats: set[str]) -> str:
        """The word for a verdict, with its note's number."""
        word = WORDS[kind]
        names = sorted({name for what in whats for name in _names(kind, what)})
        if not names:
            return word
        text = "; ".join(names) if kind == "refused" else ", ".join(f"`{name}`" for name in names)
        if text not in self.texts:
            self.texts.append(text)
        return f"{word} ({self.texts.index(text) + 1})"

    def lines(self) -> list[str]:
        return [f"{number}. {text}" for number, text in enumerate(self.texts, 1)]


def _names(kind: str, what: str) -> list[str]:
    if not what:
        return []
    return [f"“{what}”"] if kind == "refused" else what.split(", ")


def table(corner: str, header: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    lines = [f"| {corner} | {' | '.join(header)} |", "|---" * (len(header) + 1) + "|"]
    return lines + [f"| {name} | {' | '.join(found)} |".replace("  |", " |") for name, found in rows]


def prose(text: str) -> str:
    """A paragraph as wide as the other pages'."""
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)


def alike(names: Sequence[str], key: Callable[[str], object]) -> list[list[str]]:
    """The names in groups of one key, in the order in which the groups come up."""
    groups: dict[object, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return list(groups.values())


def grid(rows: Sequence[str], columns: Sequence[str], cell: Cell, corner: str) -> list[str]:
    """One feature's table, or one sentence where every cell is alike."""
    said = [row for row in rows if any(cell(row, column) != UNSAID for column in columns)]
    if not said:
        return []
    row_groups = alike(said, lambda row: tuple(cell(row, column).kind for column in columns))
    column_groups = alike(columns, lambda column: tuple(cell(row, column).kind for row in said))
    if len(row_groups) == len(column_groups) == 1 and cell(said[0], columns[0]).kind == "yes":
        return ["Everywhere: yes."]
    notes = Notes()
    body = []
    for group in row_groups:
        found = []
        for column_group in column_groups:
            verdicts = [cell(row, column) for row in group for column in column_group]
            found.append(notes.mark(verdicts[0].kind, {verdict.what for verdict in verdicts}))
        body.append((_all(group, said), found))
    lines = table(corner, [_all(group, columns) for group in column_groups], body)
    return [*lines, "", *notes.lines()] if notes.texts else lines


def _of_feature(found: Mapping[tuple[str, str, str], Verdict], feature: str) -> Cell:
    return lambda row, column: found[row, column, feature]


def _all(group: Sequence[str], whole: Sequence[str]) -> str:
    return "all" if len(group) == len(whole) else ", ".join(group)


# --- the parts of the page -------------------------------------------------------------------------------------------

_KIND_TITLES: dict[Kind, str] = {"embedding": "Embeddings", "rerank": "Rankings", "image": "Pictures"}
_INTRO = """# Compatibility

This page is written by `python tools/compatibility.py` from what the code does: every caller's schema, at every
upstream, with every feature that the schema has words for. A test fails when the page and the code differ, and when
anything is lost without a word.

## How to read it

A row is a **caller**: Converse, a vendor's door, or InvokeModel with the body of one schema (named by its dialect). A
column is an **upstream**: the provider of a target, and so the schema that goes out. A cell is

| | |
|---|---|
| yes | it arrived where that vendor looks for it, and the answer came back whole |
| other means | it arrived in another form, and `x-craton-emulated` names it |
| dropped | left out, and `x-craton-dropped` names it; in strict translation the request is refused by that name |
| refused | a `ValidationException` (in the doors' own shapes) before anything was sent; its text names it |
| (empty) | the caller's schema has no words for it |

Notes under a table give the names that callers see. Rows and columns that read alike are one; `all` stands for all that
have words for it. How loss is told is in [translation.md](translation.md), how targets are configured in
[providers.md](providers.md).

Upstreams are judged with a vendor's server that takes a request apart by the vendor's documentation and answers in the
vendor's format; a model of your own may still lack what its schema has. `bedrock` stands for a Claude there.
"""
_FAMILY_TEXT = (
    "Bedrock's own limits, by Converse, before a target that can do everything (an OpenAI-shaped one, so documents "
    "are sent as text). Both translation modes keep them; an id of your own has none. By InvokeModel a family can do what "
    "its schema has words for."
)
_FEATURE_TEXTS = {
    "text": "A question arrives as the user's words; the answer's text and its reason to stop come back.",
    "system": "The system prompt arrives as one, not among the user's words.",
    "stop": "A stop sequence arrives.",
    "sampling": "The limit of tokens, temperature and top_p arrive with their values.",
    "tools": "A tool arrives with name, description and JSON schema; the model's call comes back with its arguments.",
    "choice": "The demand that some tool be called arrives.",
    "results": "A call made earlier and its result arrive under one id.",
    "schema": "A JSON schema for the answer arrives as one.",
    "image": "A PNG arrives byte for byte.",
    "document": "A document that is plain text arrives, as a file, a document or text.",
    "pdf": "A PDF arrives byte for byte, or what it says (read with the extra `documents`).",
    "knob": "A field of the schema's own that Converse has no member for arrives under the vendor's name for it: "
    "`top_k`, or `seed` where a schema has no such thing. At `bedrock`, Converse's are the model's own.",
    "nobodys": "A field that no vendor knows, beside the schema's own, goes where the same schema is spoken.",
    "stream": "The answer comes in pieces, with its reason to stop and its usage.",
    "tools_stream": "A call comes in pieces that join to its arguments.",
    "error": "A vendor's 400, 429 and 500 are told as the caller's API tells them, whole and before a stream; a stream "
    "that breaks off ends with the caller's own error, never as if it were whole.",
    "usage": "Tokens in and out are the vendor's, in the body and in InvokeModel's headers.",
}


def chat_part(tables: Tables) -> list[str]:
    rows, columns = [caller.name for caller in CALLERS], [upstream.name for upstream in UPSTREAMS]
    lines = ["## What callers can say", ""]
    titles = [feature.title for feature in FEATURES]
    can = [
        (
            caller.name,
            [
                WORDS["yes" if tables.chat[caller.name, columns[0], feature.name] != UNSAID else "unsaid"]
                for feature in FEATURES
            ],
        )
        for caller in CALLERS
    ]
    lines += table("caller", titles, can)
    doors = ", ".join(f"{caller.name} at `{caller.path}`" for caller in CALLERS if caller.door == DOOR)
    natives = sum(caller.door == INVOKE for caller in CALLERS)
    lines += ["", prose(f"Doors: {doors}. The last {natives} rows are InvokeModel's."), "", "## What arrives", ""]
    for feature in FEATURES:
        lines += [f"### {feature.title}", "", prose(_FEATURE_TEXTS[feature.name]), ""]
        lines += [*grid(rows, columns, _of_feature(tables.chat, feature.name), "caller"), ""]
    return lines


def family_part(tables: Tables) -> list[str]:
    """One row a family; what its row in Bedrock's matrix refuses is refused here, whatever the target can do."""
    notes = Notes()
    body = []
    for family, model in tables.models.items():
        verdicts = [tables.families[family, feature.name] for feature in families.COLUMNS]
        marks = [notes.mark(one.kind, {one.what} if one.kind == "refused" else set()) for one in verdicts]
        body.append((f"{family} (`{model}`)", marks))
    return [
        "## What families can do",
        "",
        prose(_FAMILY_TEXT),
        "",
        *table("family", [feature.title for feature in families.COLUMNS], body),
        "",
        *notes.lines(),
        "",
    ]


def special_part(tables: Tables) -> list[str]:
    lines: list[str] = []
    for kind, rows in specials.ROWS.items():
        found, columns = tables.kinds[kind], tables.columns[kind]
        lines += [f"## {_KIND_TITLES[kind]}", "", *_reachable(rows, columns), ""]
        for feature in specials.FEATURES[kind]:
            drawn = grid([row.name for row in rows], columns, _of_feature(found, feature), "schema")
            lines += [f"### {_KIND_TITLES[kind]}: {specials.TITLES[feature]}", "", *drawn, ""]
    return lines


def _reachable(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    named = ", ".join(f"`{name}`" for name in columns)
    return [prose(f"{len(rows)} schemas; providers that have this: {named}. Any other is refused at the start.")]


def page(tables: Tables) -> str:
    """The whole page."""
    return "\n".join([_INTRO, *chat_part(tables), *family_part(tables), *special_part(tables)]).rstrip() + "\n"
