"""Which addresses a web data source means: one spelling of each, its scope, its filters, and hosts that are public."""

from __future__ import annotations

from typing import Any

import pytest

from craton.features.rag.crawling.fetch import Hosts, is_public
from craton.features.rag.crawling.plan import BadPlan, Bounds, Plan, canonical, plan_of, primary_domain

SEED = "https://docs.example.com/guide/start.html"


def web(*seeds: str, **crawler: Any) -> dict[str, Any]:
    return {
        "sourceConfiguration": {"urlConfiguration": {"seedUrls": [{"url": seed} for seed in seeds]}},
        "crawlerConfiguration": crawler,
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:443/a#part", "https://example.com/a"),
        ("http://example.com:8080/a b?q=ü", "http://example.com:8080/a%20b?q=%C3%BC"),
        ("https://bücher.example./x", "https://xn--bcher-kva.example/x"),
        ("../up?x=1", "https://docs.example.com/up?x=1"),
        ("//other.example/x", "https://other.example/x"),
        ("?page=2", "https://docs.example.com/guide/start.html?page=2"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("javascript:alert(1)", None),
        ("mailto:a@example.com", None),
        ("file:///etc/passwd", None),
        ("ftp://example.com/", None),
        ("http://user:pass@example.com/", None),
        ("http://example.com:99999/", None),
        ("http://[nonsense/", None),
        ("https://example.com/" + "x" * 3000, None),
    ],
)
def test_an_address_has_one_spelling(written: str, meant: str | None) -> None:
    """Relative to the page that it stands on; what is not crawled has none."""
    assert canonical(written, SEED) == meant


@pytest.mark.parametrize(
    ("scope", "within", "beyond"),
    [
        (
            "",
            ["https://docs.example.com/guide/a/b", SEED],
            ["https://docs.example.com/other", "https://example.com/guide/"],
        ),
        ("HOST_ONLY", ["https://docs.example.com/other"], ["https://example.com/", "https://a.docs.example.com/"]),
        (
            "SUBDOMAINS",
            ["https://example.com/", "https://a.b.example.com/x"],
            ["https://badexample.com/", "https://example.org/"],
        ),
    ],
)
def test_the_scope_bounds_a_crawl(scope: str, within: list[str], beyond: list[str]) -> None:
    """A seed's own path, its host, or its domain."""
    bounds = Bounds(Plan((SEED,), scope))
    assert all(map(bounds.hold, within))
    assert not any(map(bounds.hold, beyond))


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("docs.aws.amazon.com", "amazon.com"),
        ("www.shop.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
    ],
)
def test_a_hosts_domain(host: str, domain: str) -> None:
    """What somebody has registered."""
    assert primary_domain(host) == domain


def test_exclusion_goes_before_inclusion() -> None:
    """As the user guide says; without an inclusion filter everything is included."""
    bounds = Bounds(Plan((SEED,), "HOST_ONLY", include=(r".*guide.*",), exclude=(r".*\.pdf$",)))
    assert bounds.hold("https://docs.example.com/guide/a")
    assert not bounds.hold("https://docs.example.com/guide/a.pdf")
    assert not bounds.hold("https://docs.example.com/news")


def test_a_filter_that_takes_for_ever_is_stopped() -> None:
    """Nested repetition over an address that almost fits."""
    bounds = Bounds(Plan((SEED,), "HOST_ONLY", exclude=(r"(a|aa)+$",)))
    with pytest.raises(TimeoutError):
        bounds.hold("https://docs.example.com/" + "a" * 60 + "!")


def test_the_apis_configuration_is_a_plan() -> None:
    """With AWS's limits where nothing is said, and never more than those."""
    plan = plan_of(
        web(SEED, crawlerLimits={"rateLimit": 10, "maxPages": 99_999}, scope="HOST_ONLY", userAgent="my-own-crawler-1")
    )
    assert (plan.per_minute, plan.max_pages, plan.scope, plan.agent) == (10, 25_000, "HOST_ONLY", "my-own-crawler-1")
    assert plan_of({key: value for key, value in web(SEED).items() if key == "sourceConfiguration"}).per_minute == 300


@pytest.mark.parametrize(
    "told", [web(), web("http://"), web("http://user@example.com/"), web(SEED, inclusionFilters=["(open"])]
)
def test_a_configuration_that_cannot_be_followed(told: dict[str, Any]) -> None:
    """No seed, none that is an address, or a filter that is no expression."""
    with pytest.raises(BadPlan):
        plan_of(told)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    """Those that anybody may have, also where one of IPv4 stands within one of IPv6."""
    assert is_public(address) == public


def test_hosts_by_name() -> None:
    """A host, one with its port, all below a domain; with no name at all every host."""
    hosts = Hosts(("Docs.example.com", "intra:8080", "*.example.org"))
    assert all(map(hosts.allow, ["https://docs.example.com/x", "http://intra:8080/", "https://a.b.example.org/"]))
    assert not any(map(hosts.allow, ["https://example.com/", "http://intra/", "https://example.org/"]))
    assert Hosts(()).allow("https://anything.example/")
    assert not Hosts(()).named("anything.example", 443)
