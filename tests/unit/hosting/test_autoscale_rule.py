"""How many replicas a deployment is to have."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from craton.features.hosting.autoscale import Autoscaler, Load
from craton.features.hosting.deployment import Scale

SCALE = Scale(least=1, most=50, target=8, down_after_s=120, idle_timeout_s=900)


class Driven:
    """An autoscaler whose wish is done after `start_s` seconds."""

    def __init__(self, scale: Scale, running: int = 0, start_s: float = 0.0) -> None:
        self.scaler = Autoscaler(scale)
        self.running = running
        self.start_s = start_s
        self.starting: list[float] = []
        self.now = 0.0
        self.counts: list[int] = []

    def hear(self, load: Load, seconds: float = 1.0) -> int:
        """So many seconds of a load, one by one; the last wish."""
        for _ in range(max(1, round(seconds))):
            self.now += 1.0
            self.running += sum(at <= self.now for at in self.starting)
            self.starting = [at for at in self.starting if at > self.now]
            wanted = self.scaler.wanted(self.now, load, self.running, len(self.starting))
            self.starting += [self.now + self.start_s] * (wanted - self.running - len(self.starting))
            if wanted < self.running + len(self.starting):
                self.running = wanted - len(self.starting)
            self.counts.append(wanted)
        return self.counts[-1]


@given(st.integers(0, 2000), st.integers(0, 200), st.integers(0, 60))
def test_demand_is_met_in_one_step(outstanding: int, waiting: int, running: int) -> None:
    """Whatever the load, the first answer holds it at the target, as far as there may be so many."""
    wanted = Autoscaler(SCALE).wanted(5.0, Load(outstanding=outstanding, waiting=waiting), running, 0)
    assert wanted >= min(50, ceil((outstanding + waiting) / 8))


@given(st.integers(0, 5), st.integers(0, 9), st.lists(st.tuples(st.integers(0, 999), st.integers(0, 99)), max_size=50))
def test_the_count_stays_within_its_limits(least: int, above: int, loads: list[tuple[int, int]]) -> None:
    """Never fewer than least nor more than most."""
    driven = Driven(Scale(least=least, most=least + above, target=4, idle_timeout_s=3), start_s=2)
    for outstanding, waiting in loads:
        driven.hear(Load(outstanding=outstanding, waiting=waiting, oldest_wait_s=waiting))
    assert all(least <= count <= least + above for count in driven.counts)


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_noise_of_a_tenth_moves_nothing(demand: int, seed: int) -> None:
    """A load that trembles by a tenth is answered with one count, once that has been found."""
    lot = Random(seed)
    driven = Driven(SCALE, running=1)
    for _ in range(900):
        driven.hear(Load(outstanding=round(demand * lot.uniform(0.9, 1.1)), arrived_per_s=demand))
    found = driven.counts[300:]
    assert all(later >= earlier for earlier, later in pairwise(found))
    assert found[-1] - found[0] <= 1


def test_a_fleet_returns_to_its_least() -> None:
    """After a burst the replicas go one by one, the first after the time in which fewer had been enough."""
    driven = Driven(SCALE, running=1)
    assert driven.hear(Load(outstanding=40, arrived_per_s=4)) == 5
    assert driven.hear(Load(outstanding=3, arrived_per_s=1), 119) == 5
    driven.hear(Load(outstanding=3, arrived_per_s=1), 120)
    assert driven.counts[-1] == 1
    steps = [earlier - later for earlier, later in pairwise(driven.counts)]
    assert max(steps) == 1


def test_a_large_fleet_goes_down_in_larger_steps() -> None:
    """A tenth of many goes at a time, so that a thousand do not take a day."""
    driven = Driven(Scale(least=1, most=1000, target=8, down_after_s=60), running=1)
    driven.hear(Load(outstanding=8000, arrived_per_s=1))
    driven.hear(Load(outstanding=8, arrived_per_s=1), 60 + 6 * 60)
    assert driven.counts[-1] <= 10


def test_a_dip_costs_no_replica() -> None:
    """A minute without load within the time to go down changes nothing."""
    driven = Driven(SCALE)
    driven.hear(Load(outstanding=40, arrived_per_s=4), 10)
    driven.hear(Load(), 60)
    driven.hear(Load(outstanding=40, arrived_per_s=4), 10)
    assert set(driven.counts) == {5}


def test_nobody_asks_and_nothing_runs() -> None:
    """With a least of none the last replica goes after the idle time, and comes back with the first request."""
    driven = Driven(Scale(least=0, most=3, target=8, down_after_s=10, idle_timeout_s=60))
    assert driven.hear(Load()) == 0
    assert driven.hear(Load(waiting=1, arrived_per_s=1)) == 1
    assert driven.hear(Load(), 59) == 1
    assert driven.hear(Load(), 2) == 0
    assert driven.hear(Load(waiting=1)) == 1


def test_without_an_idle_time_the_last_stays() -> None:
    """An idle time of nothing means never."""
    driven = Driven(Scale(least=0, most=3, idle_timeout_s=0, down_after_s=10))
    driven.hear(Load(outstanding=1, arrived_per_s=1))
    assert driven.hear(Load(), 5000) == 1


def test_what_runs_at_the_start_stays_a_while() -> None:
    """A supervisor that starts anew does not end the replicas that it finds before it has seen that they are not needed."""
    driven = Driven(SCALE, running=6)
    assert driven.hear(Load(outstanding=1, arrived_per_s=1), 110) == 6
    assert driven.hear(Load(outstanding=1, arrived_per_s=1), 120) == 1


def test_a_line_says_that_the_target_is_too_high() -> None:
    """Where requests wait though the target is kept, replicas hold less than it, and more are started."""
    driven = Driven(SCALE, running=4)
    driven.scaler.wanted(0.0, Load(outstanding=16), 4, 0)
    assert driven.scaler.wanted(1.0, Load(outstanding=16, waiting=4, oldest_wait_s=0.2), 4, 0) == 4
    assert driven.scaler.wanted(2.0, Load(outstanding=16, waiting=4, oldest_wait_s=1.2), 4, 0) == 5


def test_a_line_that_grows_while_replicas_start_starts_no_more() -> None:
    """Those under way will work it off: the count follows the arrivals, not the line."""
    driven = Driven(Scale(least=1, most=500, target=8), running=2, start_s=60)
    driven.hear(Load(outstanding=10, arrived_per_s=1), 200)  # ten seconds a request, one a second
    for second in range(50):  # ten times as many, of which two replicas hold 32
        driven.hear(Load(outstanding=32, waiting=7 * second, arrived_per_s=10, oldest_wait_s=second / 2))
    assert 100 / 8 <= driven.counts[-1] <= 20  # the line alone would ask for 47


def test_arrivals_that_go_on_growing_start_more_while_others_start() -> None:
    """A second burst is answered though the replicas of the first are not there yet."""
    driven = Driven(Scale(least=1, most=500, target=8), running=2, start_s=60)
    driven.hear(Load(outstanding=10, arrived_per_s=1), 100)
    first = driven.hear(Load(outstanding=32, waiting=8, arrived_per_s=4), 10)
    assert driven.hear(Load(outstanding=32, waiting=400, arrived_per_s=40, oldest_wait_s=5), 20) > 2 * first
