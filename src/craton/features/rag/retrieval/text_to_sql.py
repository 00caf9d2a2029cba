"""SQL made of a question by a model, from what a knowledge base tells of its tables.

Owns the instructions, and what of a model's answer is a query: one SELECT, since nobody should run anything else that a
model wrote. It must not know how a model is asked, nor run what it made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
_READS = re.compile(r"\s*(?:\(\s*)*(?:select|with)\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_WRITES = re.compile(
    r"\b(?:insert|update|delete|merge|drop|alter|create|truncate|grant|revoke|copy|unload|call|into|vacuum)\b",
    re.IGNORECASE,
)

INSTRUCTIONS = """You write one SQL query for Amazon Redshift that answers a question. Reply with the query alone.
- It is a single SELECT (it may begin with WITH). It changes nothing.
- Use only the tables and columns below, by the names that they have there.
- If they cannot answer the question, reply with the one word NONE.
{tables}{examples}"""


def instructions(configuration: Mapping[str, Any]) -> str:
    """What a model is told, of a sqlKnowledgeBaseConfiguration."""
    redshift = configuration.get("redshiftConfiguration", {})
    context = redshift.get("queryGenerationConfiguration", {}).get("generationContext", {})
    tables = "\n".join(_tables(context))
    examples = "\n".join(
        f"Question: {one['naturalLanguage']}\n{one['sql']}" for one in context.get("curatedQueries", ())
    )
    return INSTRUCTIONS.format(
        tables=f"Tables:\n{tables}\n" if tables else "No table is described; choose plain names.\n",
        examples=f"Queries that answered other questions:\n{examples}\n" if examples else "",
    )


def query_in(said: str) -> str | None:
    """The query in what a model said; None if there is none, or it would do more than read."""
    fenced = _FENCE.search(said)
    sql = (fenced[1] if fenced is not None else said).strip().rstrip(";").strip()
    bare = _QUOTED.sub(" ", sql)
    if not _READS.match(bare) or ";" in bare or _WRITES.search(bare):
        return None
    return f"{sql};"


def _tables(context: Mapping[str, Any]) -> Iterator[str]:
    """Those that are not left out, each with the columns that are not."""
    given = context.get("tables", ())
    chosen = [one for one in given if one.get("inclusion") == "INCLUDE"]
    for table in chosen or [one for one in given if one.get("inclusion") != "EXCLUDE"]:
        yield f"- {table['name']}{_about(table)}"
        for column in table.get("columns", ()):
            if column.get("inclusion") != "EXCLUDE":
                yield f"  - {column.get('name', '')}{_about(column)}"


def _about(one: Mapping[str, Any]) -> str:
    return f": {one['description']}" if one.get("description") else ""
