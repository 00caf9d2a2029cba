"""IP address operators: addresses and CIDR ranges of both families; an address alone is a range of one.

An IPv4 address that came in through an IPv6 socket (``::ffff:192.0.2.1``) is judged as the IPv4 address it is. A
request's value that is no address fits nothing. Source: IAM user guide, "IP address condition operators".
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import Final

from craton.aws.access.conditions.operator import Compare, Operator
from craton.aws.access.variables import Keys

# ::ffff:0:0/96, RFC 4291.
_MAPPED: Final = bytes(10) + b"\xff\xff"


@lru_cache(maxsize=512)
def address(text: str) -> tuple[int, int] | None:
    """(4 or 6, the address as an integer); None where the text is no address.

    The C library reads it, at a tenth of what `ipaddress` costs: every request has an address.
    """
    try:
        if ":" not in text:
            return 4, int.from_bytes(socket.inet_pton(socket.AF_INET, text))
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    if packed.startswith(_MAPPED):
        return 4, int.from_bytes(packed[len(_MAPPED) :])
    return 6, int.from_bytes(packed)


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
        for version, low, high in ranges:  # noqa: SIM110 - a generator costs more than all else here
            if family == version and low <= number <= high:
                return True
        return False

    return compare


OPERATORS = {"IpAddress": Operator(within), "NotIpAddress": Operator(within, negated=True)}
