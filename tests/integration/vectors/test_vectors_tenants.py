"""One tenant's filter never shows another tenant's text: ten thousand random filters."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import lancedb
import pytest

from craton.infra.vectors.port import Both, Compare, Either, Entry, Filter, Found, Reach
from craton.infra.vectors.pushdown import condition
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import chunk, filled, store, vector

TENANTS = ["A", "B", "a", "A ", "A'B", "A\0", "Ａ", "A' OR '1'='1", "", "%"]
SEARCHES, CONDITIONS = 500, 9_000
_AT_ONCE = 50


def _filter(chance: random.Random, tenant: str) -> Filter:
    """A filter for a tenant, alone or beside conditions of other attributes."""
    own = chance.choice([Compare("equals", "tenant", tenant), Compare("in", "tenant", (tenant,))])
    year = Compare(chance.choice(["lessThan", "notEquals"]), "year", float(chance.randrange(20)))
    others = Either((Compare("stringContains", "tags", "x"), Compare("notIn", "missing", ("x",)), year))
    return chance.choice([own, Both((own, year)), Both((others, own)), Either((Both((own, year)), Both((year, own))))])


def _entries(chance: random.Random) -> list[Entry]:
    return [
        chunk(
            number, f"doc{number}", f"secret {number % 10} text", source=f"S{number % 3}",
            metadata={"tenant": TENANTS[number % 10], "year": float(chance.randrange(20)), "tags": ("x", "y")},
        )
        for number in range(300)
    ]  # fmt: skip


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(indexed_from=1, few_bytes=0)], ids=["looking at all", "with indices"])
def test_no_text_of_another_tenant(tmp_path: Path, sizes: Sizes) -> None:
    """In a thousand random searches, by vector, by words and by both, for names that nearly are another's."""
    chance = random.Random(7)

    async def scenario() -> None:
        vectors = store(tmp_path, sizes=sizes)
        shelf = await vectors.open(await filled(vectors, *_entries(chance)))

        async def ask() -> int:
            tenant = chance.randrange(10)
            reach = Reach(_filter(chance, TENANTS[tenant]))
            found: list[Found] = await chance.choice(
                [
                    lambda: shelf.nearest(vector(chance.randrange(1000)), 10, reach),
                    lambda: shelf.matching("secret text", 10, reach),
                    lambda: shelf.hybrid(vector(chance.randrange(1000)), f"secret {chance.randrange(10)}", 5, reach),
                ]
            )()
            assert all(one.text == f"secret {tenant} text" for one in found)
            return len(found)

        seen = 0
        for _ in range(SEARCHES // _AT_ONCE):
            seen += sum(await asyncio.gather(*(ask() for _ in range(_AT_ONCE))))
        assert seen > SEARCHES

    asyncio.run(scenario())


def test_no_condition_holds_for_a_row_of_another_tenant(tmp_path: Path) -> None:
    """In thousands of random filters, each held against every row by the store itself, many of them in one pass."""
    chance = random.Random(8)

    async def scenario() -> None:
        vectors = store(tmp_path)
        version = await filled(vectors, *_entries(chance))
        table = await (await lancedb.connect_async(tmp_path)).open_table("kb", version=version.number)
        names = set((await table.schema()).names)
        owners = (await table.query().select(["text"]).to_arrow())["text"].to_pylist()
        held = 0
        for _ in range(CONDITIONS // 100):
            tenants = [chance.randrange(10) for _ in range(100)]
            reaches = [Reach(_filter(chance, TENANTS[tenant])) for tenant in tenants]
            asked = {f"q{at}": condition(reach, names, guarded=False) for at, reach in enumerate(reaches)}
            answers = await table.query().select(asked).to_arrow()
            for at, tenant in enumerate(tenants):
                kept = {text for text, keeps in zip(owners, answers[f"q{at}"].to_pylist(), strict=True) if keeps}
                assert kept <= {f"secret {tenant} text"}, reaches[at]
                held += bool(kept)
        assert held > CONDITIONS // 2

    asyncio.run(scenario())
