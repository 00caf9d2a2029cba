"""The simulated day: the same each time, and with the order of rules that docs/scaling.md shows."""

from __future__ import annotations

from bench.scaling import NORMAL, balance, scale, sleep


def test_the_same_seed_gives_the_same_day() -> None:
    """A table can be made again."""
    assert list(balance(8, NORMAL, 3)) == list(balance(8, NORMAL, 3))


def test_cratons_choice_is_before_the_others() -> None:
    """Craton's choice has a shorter queue and an earlier first token than what load balancers do."""
    rows = {row.name: row for row in balance(60, NORMAL, 1)}
    craton = rows.pop("Craton")
    for name in ("random", "round robin", "two choices", "least connections", "least connections, reported"):
        assert craton.wait_p99_s < rows[name].wait_p99_s, name
        assert craton.first_p99_s < rows[name].first_p99_s, name
        assert craton.hits > 1.3 * rows[name].hits, name


def test_the_autoscaler_waits_less_and_costs_little() -> None:
    """Two hours: fewer requests wait than with the reactive rule, and the fixed fleet costs far more."""
    rows = {row.name: row for row in scale(60, 1, 2.0, starts_s=(20.0,))}
    assert rows["Craton"].waited < rows["reactive"].waited
    assert rows["Craton"].hours < 1.1 * rows["reactive"].hours
    assert rows["Craton"].hours < 0.5 * rows["fixed at the peak"].hours


def test_what_nobody_asks_costs_nothing() -> None:
    """Deployments that are seldom asked cost less than a replica each, and nobody waits longer than a start."""
    always, craton = sleep(1, 6.0, deployments=3)
    assert craton.hours < 0.85 * always.hours
    assert craton.wait_p999_s <= 5
