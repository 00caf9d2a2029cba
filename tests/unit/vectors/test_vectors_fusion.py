"""Rankings made one."""

from __future__ import annotations

from craton.infra.vectors.fusion import fused


def test_first_in_all_rankings_is_one() -> None:
    """What every ranking puts first scores 1, whatever follows less."""
    best = fused([["a", "b", "c"], ["a", "c"]], 3)
    assert list(best) == ["a", "c", "b"]
    assert best["a"] == 1.0
    assert 1 > best["c"] > best["b"] > 0


def test_what_one_ranking_does_not_have_still_counts() -> None:
    """An item of one ranking alone gets at most half of the whole."""
    assert fused([["a"], []], 5) == {"a": 0.5}


def test_no_more_than_asked() -> None:
    """Equals keep the order of the first ranking, and the limit cuts."""
    assert list(fused([["a", "b"], ["b", "a"]], 1)) == ["a"]
