"""Which transport reaches an address: our own pool, or aiohttp where the environment names an outbound proxy.

The variables are the usual ones (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, in either case). A Unix socket and
this machine's own addresses are always reached directly: no proxy could reach them for us.
"""

from __future__ import annotations

import ipaddress
import os
import ssl

from craton.models.providers.http import Pool
from craton.models.providers.transport import Address, Limits, Transport, parse_address

_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


def open_transport(base_url: str, limits: Limits | None = None, *, tls: ssl.SSLContext | None = None) -> Transport:
    """The transport for `base_url`. ValueError if it is no address, or if a proxy needs the extra craton[proxy]."""
    proxy = proxy_for(parse_address(base_url))
    if proxy is None:
        return Pool(base_url, limits, tls=tls)
    try:
        from craton.models.providers.proxy import Proxied
    except ImportError as error:
        raise ValueError(
            f"a proxy variable is set, so {base_url} is reached through it: install craton[proxy], "
            "or name its host in NO_PROXY"
        ) from error
    return Proxied(base_url, proxy, limits, tls=tls)


def proxy_for(address: Address) -> str | None:
    """The URL of the proxy that the environment sets for this address, if any."""
    if address.socket_path or _is_here(address.host) or not any(_set(name) for name in _VARIABLES):
        return None
    from urllib.request import getproxies, proxy_bypass  # slow to import, rarely needed

    proxies = getproxies()
    if proxy_bypass(f"{address.host}:{address.port}"):
        return None
    proxy = proxies.get("https" if address.tls else "http") or proxies.get("all")
    if proxy is None:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(name.upper()))


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
