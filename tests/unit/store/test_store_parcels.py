"""Records in parcels: what comes out is what went in, and what did not change is not opened."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from craton.infra.store.parcels import Packing, Unpacking


class Thing(msgspec.Struct, frozen=True, array_like=True):
    id: str
    value: int

    @property
    def arn(self) -> str:
        return f"arn:{self.id}"


def things(*numbers: int) -> tuple[Thing, ...]:
    return tuple(Thing(f"t{number}", number) for number in numbers)


@given(some.lists(some.dictionaries(some.text(max_size=4), some.integers(0, 9), max_size=30), max_size=6))
def test_each_content_arrives_whole(contents: list[dict[str, int]]) -> None:
    """One after the other, whatever the one before was."""
    packing, unpacking = Packing(), Unpacking(Thing)
    for content in contents:
        unpacking.take(packing.pack(tuple(Thing(ident, value) for ident, value in content.items())), packing.contents)
        assert {one.id: one.value for one in unpacking.held.values()} == content
        assert all(arn == one.arn for arn, one in unpacking.held.items())


@given(some.lists(some.lists(some.integers(0, 400), unique=True, max_size=400), max_size=5))
def test_records_that_stay_are_not_packed_again(contents: list[list[int]]) -> None:
    """As a mirror gives them: the same objects, some gone and some new, in any order."""
    every = things(*range(401))
    packing, unpacking = Packing(), Unpacking(Thing)
    for content in contents:
        unpacking.take(packing.pack(tuple(every[number] for number in content)), packing.contents)
        assert {one.value for one in unpacking.held.values()} == set(content)


@pytest.mark.parametrize("count", [1, 300, 5000])
def test_one_new_record_opens_one_parcel(count: int) -> None:
    """The records of the other parcels stay the objects that they were."""
    packing, unpacking = Packing(), Unpacking(Thing)
    first = things(*range(count))
    unpacking.take(packing.pack(first), packing.contents)
    before = unpacking.held
    assert unpacking.take(packing.pack((*first, *things(count))), packing.contents)
    again = [arn for arn, one in unpacking.held.items() if before.get(arn) is not one]
    assert len(again) <= 2 * 256 + 1
    assert len(unpacking.held) == count + 1
    assert len(before) == count


def test_the_same_records_are_no_news() -> None:
    """Neither packed again nor taken up again."""
    packing, unpacking = Packing(), Unpacking(Thing)
    records = things(1, 2)
    parcels = packing.pack(records)
    assert packing.pack(records) is parcels
    assert unpacking.wanted(parcels) == set(parcels)
    assert unpacking.take(parcels, packing.contents)
    held = unpacking.held
    assert not unpacking.wanted(parcels)
    assert not unpacking.take(list(parcels), {})
    assert unpacking.held is held
