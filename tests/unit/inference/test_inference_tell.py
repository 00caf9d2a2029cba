"""What an answer's headers say of what was lost."""

from __future__ import annotations

from craton.features.inference.run import listed


def test_a_name_of_the_callers_cannot_break_out_of_its_header() -> None:
    """A field's name may hold anything; a header's value holds printable ASCII."""
    assert listed(["additionalModelRequestFields.a\r\nset-cookie: b", "é"]) == (
        b"additionalModelRequestFields.a??set-cookie: b, ?"
    )
