"""What a web data source wants crawled: its configuration as a value, and whether an address is of it.

Owns canonical addresses, scope and filters. It must not know sockets. Source: the user guide on the web crawler, and
the API's WebDataSourceConfiguration.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import msgspec

MAX_PAGES = 25_000
MAX_ADDRESS = 2048
_PER_MINUTE = 300
_AGENT = "bedrockbot"
_PORTS = {"http": 80, "https": 443}
# What may stand in a path or a query as it is; a percent sign is of what is quoted already.
_SAFE = "/?#[]@!$&'()*+,;=:%-._~"
# Where the names of two labels are everybody's, as in co.uk.
_SHARED = frozenset({"ac", "co", "com", "edu", "gob", "gov", "gv", "ne", "net", "or", "org"})
# All filters of one address together; a pattern that takes longer is of the kind that takes for ever.
_FILTER_S = 0.25


class BadPlan(ValueError):
    """The configuration cannot be crawled by; the message says why."""


class Plan(msgspec.Struct, frozen=True):
    """`scope`: "" for pages below a seed's own path, HOST_ONLY or SUBDOMAINS. `per_minute`: pages of one host."""

    seeds: tuple[str, ...]
    scope: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_minute: int = _PER_MINUTE
    max_pages: int = MAX_PAGES
    agent: str = _AGENT
    header: str = f"Mozilla/5.0 (compatible; {_AGENT})"

    @property
    def mark(self) -> str:
        """The same for plans that follow the same links."""
        return hashlib.sha256(repr((self.seeds, self.scope, self.include, self.exclude)).encode()).hexdigest()[:16]


def plan_of(web: Mapping[str, Any]) -> Plan:
    """Of a data source's webConfiguration, which the API's model has found valid.

    Raises:
        BadPlan: no seed, a seed that is no address, or a filter that is no regular expression.
    """
    found = [seed.get("url", "") for seed in web["sourceConfiguration"]["urlConfiguration"].get("seedUrls", ())]
    seeds = tuple(filter(None, map(canonical, found)))
    if not seeds or len(seeds) < len(found):
        raise BadPlan("Every seed URL must be an http or https address, and there must be one.")
    crawler = web.get("crawlerConfiguration", {})
    limits = crawler.get("crawlerLimits", {})
    agent = crawler.get("userAgent", _AGENT)
    plan = Plan(
        seeds,
        crawler.get("scope", ""),
        tuple(crawler.get("inclusionFilters", ())),
        tuple(crawler.get("exclusionFilters", ())),
        limits.get("rateLimit", _PER_MINUTE),
        min(limits.get("maxPages", MAX_PAGES), MAX_PAGES),
        agent,
        crawler.get("userAgentHeader", f"Mozilla/5.0 (compatible; {agent})"),
    )
    Bounds(plan)
    return plan


def canonical(address: str, base: str = "") -> str | None:
    """One spelling of an address, or None if it is none that is crawled (another scheme, credentials, too long)."""
    try:
        parts = urlsplit(urljoin(base, address.strip()))
        host, port = (parts.hostname or "").encode("idna").decode().lower().rstrip("."), parts.port
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        return None
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[parts.scheme]:
        place = f"{place}:{port}"
    found = urlunsplit((parts.scheme, place, quote(parts.path or "/", _SAFE), quote(parts.query, _SAFE), ""))
    return found if len(found) <= MAX_ADDRESS else None


class Bounds:
    """Which addresses are of a plan."""

    def __init__(self, plan: Plan) -> None:
        # Its patterns can be given a time, which the standard library's cannot.
        import regex  # type: ignore[import-untyped]

        self._scope = plan.scope
        self._seeds = [urlsplit(seed) for seed in plan.seeds]
        try:
            self._include = [regex.compile(pattern) for pattern in plan.include]
            self._exclude = [regex.compile(pattern) for pattern in plan.exclude]
        except (regex.error, RecursionError, OverflowError):
            raise BadPlan("A filter is not a regular expression.") from None

    def hold(self, address: str) -> bool:
        """Whether this canonical address is within the scope and wanted by the filters; exclusion goes first.

        Raises:
            TimeoutError: a filter takes too long.
        """
        parts = urlsplit(address)
        if not any(
            self._near(seed.hostname or "", seed.path, parts.hostname or "", parts.path) for seed in self._seeds
        ):
            return False
        end = time.monotonic() + _FILTER_S
        if any(_found(pattern, address, end) for pattern in self._exclude):
            return False
        return not self._include or any(_found(pattern, address, end) for pattern in self._include)

    def _near(self, seed: str, top: str, host: str, path: str) -> bool:
        if self._scope == "SUBDOMAINS":
            primary = primary_domain(seed)
            return host in (seed, primary) or host.endswith(f".{primary}")
        below = top if top.endswith("/") else top.rpartition("/")[0] + "/"
        return host == seed and (self._scope == "HOST_ONLY" or path == top or path.startswith((below, top + "/")))


def _found(pattern: Any, address: str, end: float) -> bool:
    """Without holding up the other threads. Raises TimeoutError."""
    return pattern.search(address, timeout=max(0.001, end - time.monotonic()), concurrent=True) is not None


def primary_domain(host: str) -> str:
    """The part of a name that somebody has registered: amazon.com of docs.aws.amazon.com. An address is its own."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        labels = host.split(".")
    shared = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHARED
    return ".".join(labels[-3:] if shared else labels[-2:])
