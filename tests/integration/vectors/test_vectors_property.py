"""Whatever the metadata and the filter: the store keeps what the reference keeps."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from craton.infra.vectors.filters import matches
from craton.infra.vectors.port import Both, Compare, Either, Filter, Reach, Value
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import chunk, filled, ids, store

_CHARACTERS = st.one_of(st.sampled_from("aAbé'\"`\\%_;\0\n\x1f\u2028ß東🜁 -"), st.characters(exclude_categories=["Cs"]))
_KEYS = st.sampled_from(["k", "K", "it's", "a b", "ключ", "", "x\0y", "1; DROP TABLE t --", "n.m"])
_TEXTS = st.one_of(
    st.sampled_from(["", "a", "ab", "b", "'", "''", "true", "1", "1.0"]), st.text(_CHARACTERS, max_size=4)
)
_NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324, 2.0**53, 0.1, 1e-7]),
    st.floats(allow_nan=False, allow_infinity=False),
)
_LISTS = st.lists(_TEXTS, max_size=3).map(tuple)
_VALUES: st.SearchStrategy[Value] = st.one_of(_TEXTS, _NUMBERS, st.booleans(), _LISTS)
_METADATA = st.dictionaries(_KEYS, _VALUES, max_size=5)
_SCALARS = st.one_of(_TEXTS, _NUMBERS, st.booleans())
_ORDERED = st.sampled_from(["greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"])
_COMPARED = st.one_of(
    st.builds(Compare, st.sampled_from(["equals", "notEquals"]), _KEYS, _SCALARS),
    st.builds(Compare, _ORDERED, _KEYS, _NUMBERS),
    st.builds(Compare, st.sampled_from(["in", "notIn"]), _KEYS, st.lists(_SCALARS, max_size=4).map(tuple)),
    st.builds(Compare, st.sampled_from(["startsWith", "stringContains", "listContains"]), _KEYS, _TEXTS),
)
_FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _COMPARED,
    lambda inner: st.builds(
        lambda kind, members: kind(members),
        st.sampled_from([Both, Either]),
        st.lists(inner, min_size=1, max_size=4).map(tuple),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "sizes",
    [Sizes(), Sizes(indexed_from=1, few_bytes=0), Sizes(attributes=4)],
    ids=["looking at all", "with indices", "attributes without columns"],
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(_METADATA, min_size=4, max_size=16), st.lists(_FILTERS, min_size=20, max_size=20))
def test_the_store_keeps_what_the_reference_keeps(
    sizes: Sizes, documents: list[dict[str, Value]], filters: list[Filter]
) -> None:
    """Every operator, on every type, with characters of every kind, by the indices and without them."""

    async def compare(folder: Path) -> None:
        vectors = store(folder, sizes=sizes)
        entries = [chunk(number, metadata=metadata) for number, metadata in enumerate(documents)]
        shelf = await vectors.open(await filled(vectors, *entries))
        for where in filters:
            wanted = {entry.id for entry in entries if matches(where, entry.metadata)}
            assert await ids(shelf, Reach(where)) == wanted, where
        await vectors.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder)))
