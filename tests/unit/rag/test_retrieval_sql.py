"""SQL out of a model's mouth: one query that reads, or none."""

from __future__ import annotations

import pytest

from craton.features.rag.retrieval.text_to_sql import instructions, query_in


@pytest.mark.parametrize(
    ("said", "sql"),
    [
        ("SELECT 1", "SELECT 1;"),
        ("Here it is:\n```sql\nSELECT a FROM t;\n```\nGood luck.", "SELECT a FROM t;"),
        ("with x as (select 1) select * from x", "with x as (select 1) select * from x;"),
        ("SELECT 'drop table; delete' AS words", "SELECT 'drop table; delete' AS words;"),
        ("NONE", None),
        ("I cannot do that.", None),
        ("DROP TABLE users", None),
        ("SELECT 1; DELETE FROM t", None),
        ("SELECT * INTO other FROM t", None),
        ("with x as (delete from t returning *) select * from x", None),
        ("", None),
    ],
)
def test_a_query_in_what_a_model_said(said: str, sql: str | None) -> None:
    """Fenced or bare; what would change anything, or is more than one statement, is none."""
    assert query_in(said) == sql


def test_what_the_model_is_told() -> None:
    """Tables and columns that are not left out, with their descriptions, and queries that worked before."""
    tables = [
        {"name": "db.public.orders", "description": "what was bought", "inclusion": "INCLUDE",
         "columns": [{"name": "id"}, {"name": "secret", "inclusion": "EXCLUDE"}]},
        {"name": "db.public.users", "inclusion": "EXCLUDE"},
    ]  # fmt: skip
    curated = [{"naturalLanguage": "How many?", "sql": "SELECT count(*) FROM orders"}]
    context = {"generationContext": {"tables": tables, "curatedQueries": curated}}
    told = instructions({"redshiftConfiguration": {"queryGenerationConfiguration": context}})
    assert "db.public.orders: what was bought" in told
    assert "SELECT count(*) FROM orders" in told
    assert "secret" not in told
    assert "users" not in told
