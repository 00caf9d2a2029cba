"""IP address conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met


@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        ("192.0.2.0/24", "192.0.2.77", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.9/24", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        ("0.0.0.0/0", "::1", False),
        ("::/0", "192.0.2.1", False),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("192.0.2.0/24", "nobody", False),
        ("192.0.2.0/24", "192.0.2.1/32", False),
        ("192.0.2.0/24", "192.0.2.001", False),
    ],
)
def test_addresses_lie_in_ranges(wanted, given, fits) -> None:
    """IpAddress takes ranges of both families; NotIpAddress is its negation."""
    assert met("IpAddress", wanted, given) is fits
    assert met("NotIpAddress", wanted, given) is not fits


@pytest.mark.parametrize("broken", ["192.0.2.0/33", "", "host", "1.2.3", "::/129"])
def test_values_that_are_no_ranges_are_refused(broken) -> None:
    """A policy cannot hold a range that holds nobody by mistake."""
    with pytest.raises(ValueError, match="is not an IP address range"):
        met("IpAddress", broken, "192.0.2.1")
