"""IP address operators: addresses and CIDR ranges of both families; an address alone is a range of one.

An IPv4 address that came in through an IPv6 socket (``::ffff:192.0.2.1``) is judged as the IPv4 address it is. A
request's value that is no address fits nothing. Source: IAM user guide, "IP address condition operators".
"""

from __future__ import annotations

import ipaddress

from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.variables import Keys


def address(text: str) -> tuple[int, int] | None:
    """(4 or 6, the address as an integer); None where the text is no address."""
    try:
        read = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(read, ipaddress.IPv6Address) and read.ipv4_mapped is not None:
        read = read.ipv4_mapped
    return read.version, int(read)


def within(values: tuple[str, ...], variables: bool) -> Compare:  # noqa: FBT001 - the family's one signature
    """Whether the request's address lies in one of the policy's ranges."""
    ranges = []
    for text in values:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text[:100]!r} is not an IP address range") from None
        ranges.append((network.version, int(network.network_address), int(network.broadcast_address)))

    def compare(value: str, keys: Keys) -> bool:
        given = address(value)
        if given is None:
            return False
        family, number = given
        return any(family == version and low <= number <= high for version, low, high in ranges)

    return compare


OPERATORS = {"IpAddress": Operator(within), "NotIpAddress": Operator(within, negated=True)}
