"""What the supervisor keeps of responses: bounded, and each account's alone."""

from __future__ import annotations

from craton.infra.control.responses import KeptResponses


def test_what_is_kept_is_its_accounts_alone() -> None:
    """Another account finds nothing under the same id, and cannot make it forgotten."""
    kept = KeptResponses()
    assert kept.keep("1", "a", b"one")
    assert (kept.kept("1", "a"), kept.kept("2", "a")) == (b"one", None)
    assert not kept.forget("2", "a")
    assert kept.forget("1", "a")
    assert kept.kept("1", "a") is None


def test_the_oldest_goes_first() -> None:
    """By number and by bytes, in each account."""
    kept = KeptResponses(most=2, most_bytes=10)
    for name, size in (("a", 1), ("b", 1), ("c", 1)):
        kept.keep("1", name, b"x" * size)
    kept.keep("2", "a", b"y" * 10)
    assert [kept.kept("1", name) is not None for name in "abc"] == [False, True, True]
    kept.keep("1", "d", b"x" * 9)
    assert [kept.kept("1", name) is not None for name in "abcd"] == [False, False, True, True]
    assert kept.kept("2", "a") is not None


def test_what_is_larger_than_all_is_not_kept() -> None:
    """And pushes out nothing; what has its id already is replaced."""
    kept = KeptResponses(most_bytes=4)
    assert kept.keep("1", "a", b"1234")
    assert not kept.keep("1", "b", b"12345")
    assert kept.keep("1", "a", b"12")
    assert kept.keep("1", "c", b"34")
    assert (kept.kept("1", "a"), kept.kept("1", "c")) == (b"12", b"34")
    kept.clear()
    assert kept.kept("1", "c") is None
