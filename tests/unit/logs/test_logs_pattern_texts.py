"""Filter patterns of any text: a sieve or a mistake, and a sieve that any event goes through."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from craton.features.logs.metric_filter import extracted
from craton.features.logs.patterns.sieve import sieve_of
from craton.features.logs.patterns.text import BadPattern

_SIGNS = st.text(alphabet='{}[]()$.*%"\\?-!=<>&|, abc019\u00e9\U0001f600', max_size=24)


@given(_SIGNS | st.text(max_size=24), st.binary(max_size=40) | _SIGNS.map(str.encode))
def test_every_text_is_a_pattern_or_a_mistake(pattern: str, event: bytes) -> None:
    """No text and no event do anything else."""
    with contextlib.suppress(BadPattern):
        sieve = sieve_of(pattern)
        if sieve is not None and sieve.matches(event):
            assert isinstance(extracted(sieve, event), dict)


def test_every_sign_can_be_looked_for() -> None:
    """In double quotes each sign of Unicode stands for itself."""
    for code in [*range(1, 0x250), 0x2028, 0xFFFD, 0x1F600]:
        sign = chr(code)
        quoted = f"\\{sign}" if sign in '"\\' else sign
        sieve = sieve_of(f'"a{quoted}b"')
        assert sieve is not None
        assert sieve.matches(f"xa{sign}by".encode()), code
        assert not sieve.matches(b"ab")
