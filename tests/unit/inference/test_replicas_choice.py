"""Which replica takes a request."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from craton.features.inference.replicas.choice import BOUND, FEW, Need, SeatLoad, arranged, choose


def seat(name: str, requests: int = 0, tokens: int = 0, slots: int = 0, **rest: object) -> SeatLoad:
    made = SeatLoad(name, slots, frozenset(rest.get("adapters", ())))  # type: ignore[call-overload]
    made.requests, made.tokens, made.avoid = requests, tokens, bool(rest.get("avoid"))
    return made


def seats_of(rows: list[tuple[int, int, int, bool, bool]]) -> list[SeatLoad]:
    """Rows of requests, tokens, those of others, avoided, with the adapter; four slots each."""
    made = []
    for number, (requests, tokens, others, avoid, adapted) in enumerate(rows):
        one = seat(f"r{number}", requests, tokens, 4, avoid=avoid, adapters={"a"} if adapted else ())
        one.others_requests = others
        one.others_tokens = others * 100
        made.append(one)
    return arranged(made)


def takes(one: SeatLoad) -> bool:
    return not one.avoid and one.requests + one.others_requests < one.slots


rows = st.tuples(st.integers(0, 5), st.integers(0, 5000), st.integers(0, 3), st.booleans(), st.booleans())
fleets = st.one_of(st.lists(rows, max_size=FEW), st.lists(rows, min_size=FEW + 1, max_size=60))
needs = st.builds(Need, st.integers(1, 4000), st.sampled_from([0, 1, 2**63, 2**64 - 1]), st.sampled_from(["", "a"]))


@given(fleets, needs, st.integers())
def test_only_a_free_seat_takes_a_request(fleet: list[tuple[int, int, int, bool, bool]], need: Need, lot: int) -> None:
    """A seat that is full or avoided is never chosen, and -1 comes only when there is no other."""
    seats = seats_of(fleet)
    at = choose(seats, need, Random(lot))
    with_it = [one for one in seats if need.adapter in one.adapters and not one.avoid] if need.adapter else []
    usable = [one for one in with_it or seats if takes(one)]
    assert (at >= 0) == bool(usable)
    if at >= 0:
        assert seats[at] in usable


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=FEW), st.integers(1, 2**64 - 1), st.integers(1, 4000))
def test_a_prefix_gives_a_seat_no_more_than_its_bound(loads: list[int], prefix: int, tokens: int) -> None:
    """A seat that is chosen for the prefix has at most the mean and the request's own; else the least loaded is."""
    seats = arranged(seat(f"r{number}", 1, load) for number, load in enumerate(loads))
    load = seats[choose(seats, Need(tokens, prefix), Random(1))].tokens
    assert load <= BOUND * sum(loads) / len(loads) + tokens or load == min(loads)


@given(st.integers(1, 60), st.integers(0, 2**64 - 1), st.integers())
def test_the_same_lot_makes_the_same_choice(count: int, prefix: int, lot: int) -> None:
    """The rule is a function of what it is given."""
    seats = arranged(seat(f"r{number}", tokens=number % 7) for number in range(count))
    need = Need(100, prefix)
    assert choose(seats, need, Random(lot)) == choose(seats, need, Random(lot))


def test_the_least_work_takes_it() -> None:
    """Without a prefix the seat with the fewest outstanding tokens is chosen, those of other workers counted in."""
    one, two, three = seat("1", 1, 500), seat("2", 9, 300), seat("3", 1, 100)
    three.others_tokens = 300
    seats = [one, two, three]
    assert {seats[choose(seats, Need(10), Random(lot))].id for lot in range(20)} == {"2"}


def test_equals_share() -> None:
    """Idle seats are taken by lot, few or many."""
    for count in (5, 50):
        seats = arranged(seat(str(number)) for number in range(count))
        lot = Random(3)
        chosen = Counter(choose(seats, Need(10), lot) for _ in range(count * 200))
        assert len(chosen) == count
        assert max(chosen.values()) < 2 * 200


def test_a_prefix_keeps_its_seat_when_others_come_and_go() -> None:
    """Of 1,000 prefixes only those move whose seat went, few or many."""
    for count in (6, 40):
        seats = arranged(seat(f"replica-{number}") for number in range(count))
        lot = Random(5)
        prefixes = [lot.getrandbits(64) | 1 for _ in range(1000)]
        before = {prefix: seats[choose(seats, Need(10, prefix), lot)].id for prefix in prefixes}
        left = [one for one in seats if one.id != "replica-3"]
        after = {prefix: left[choose(left, Need(10, prefix), lot)].id for prefix in prefixes}
        moved = [prefix for prefix in prefixes if before[prefix] != after[prefix]]
        assert {before[prefix] for prefix in moved} <= {"replica-3"}
        assert len(set(before.values())) > 0.9 * count


def test_seats_share_the_prefixes() -> None:
    """With few seats, each is home to about as many prefixes as every other."""
    seats = [seat(f"replica-{number}") for number in range(6)]
    lot = Random(7)
    homes = Counter(choose(seats, Need(10, lot.getrandbits(64) | 1), lot) for _ in range(6000))
    assert min(homes.values()) > 800


def test_a_hot_prefix_spills_over() -> None:
    """Ten seats that only ever hear one prefix end with much the same work."""
    seats = arranged(seat(f"replica-{number}") for number in range(10))
    lot = Random(11)
    for _ in range(500):
        seats[choose(seats, Need(100, 12345), lot)].tokens += 100
    assert max(one.tokens for one in seats) < 2 * min(one.tokens for one in seats)


def test_an_adapter_that_nobody_has_keeps_nobody_away() -> None:
    """Where no seat has the adapter, any is chosen: its replica then says what it thinks of the name."""
    assert choose([seat("1"), seat("2")], Need(10, 0, "new"), Random(1)) >= 0


def test_one_waits_for_the_seat_with_the_adapter() -> None:
    """A free seat without the adapter is not taken while a full one has it."""
    full = seat("1", 4, 400, 4, adapters={"a"})
    assert choose([full, seat("2", slots=4)], Need(10, 0, "a"), Random(1)) == -1


def test_nobody_is_nobody() -> None:
    """Without any seat the answer is -1."""
    assert choose([], Need(10), Random(1)) == -1
