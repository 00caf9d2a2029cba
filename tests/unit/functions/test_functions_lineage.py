"""The chain of causes in a trace header, by which a loop is found."""

from __future__ import annotations

from craton.features.functions.lineage import MOST, counted, is_loop

NOW_S = 1_760_000_000.0


def test_a_function_that_comes_round_is_counted() -> None:
    """Each time one more, whatever came between."""
    trace: str | None = None
    for round_ in range(1, 20):
        trace, number = counted(trace, "arn:a", NOW_S)
        assert number == round_
        trace, _ = counted(trace, "arn:b", NOW_S)
        assert is_loop(number, "Terminate") is (round_ > MOST)
        assert not is_loop(number, "Allow")


def test_the_header_keeps_what_it_had_and_tells_no_arn() -> None:
    """Root, Parent and Sampled are the tracer's."""
    trace, number = counted(
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "arn:a", NOW_S
    )
    assert number == 1
    assert trace.startswith("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=")
    assert "arn" not in trace


def test_a_header_of_nonsense_begins_a_chain_anew() -> None:
    """Whoever writes nonsense gets a header that can be read."""
    for text in ("", ";;;=", "Lineage=zz:9999999999|x", "a" * 100_000):
        trace, number = counted(text, "arn:a", NOW_S)
        assert number == 1
        assert "Root=1-" in trace
        assert len(trace) < 2000
