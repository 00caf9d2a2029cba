"""Crawls over a server on loopback: every page once, politely, and never where it may not go."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from craton.features.rag.crawling.crawl import Crawl, Missing, Page, TooManyPages
from craton.features.rag.crawling.fetch import FetchError, Hosts, Reply, fetch
from craton.features.rag.crawling.plan import Plan
from craton.features.rag.crawling.robots import Robots
from craton.infra.documents.html_text import read_html
from craton.infra.documents.port import Extract
from tests.integration.front import certificates

ROBOTS = "User-agent: *\nDisallow: /secret\n"


class Site:
    """Pages by path: text, or (status, headers, body). `asked` are the requests, in order."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {"/robots.txt": (200, {"content-type": "text/plain"}, ROBOTS.encode())}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.release = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                page = site.pages.get(self.path, (404, {}, b""))
                if isinstance(page, str):
                    page = (200, {"content-type": "text/html; charset=utf-8", "etag": f'"{hash(page)}"'}, page.encode())
                status, headers, body = page
                if "etag" in headers and self.headers["if-none-match"] == headers["etag"]:
                    status, body = 304, b""
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "content-length" not in headers:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                if "x-slow" in headers:
                    self.wfile.flush()
                    site.release.wait(60)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.root = f"http://{self.host}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked if path != "/robots.txt"]


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.release.set()
    made.server.shutdown()
    made.server.server_close()


class InProcess:
    async def extract(self, data: bytes, file_format: str, *, pictures: bool = False) -> Extract:
        return read_html(data, pictures=pictures)


class Crawled:
    """What a crawl gave, and how long it was made to wait."""

    def __init__(self) -> None:
        self.found: list[Page | Missing] = []
        self.waits: list[float] = []

    @property
    def pages(self) -> dict[str, Page]:
        return {one.url: one for one in self.found if isinstance(one, Page)}

    @property
    def missing(self) -> dict[str, Missing]:
        return {one.url: one for one in self.found if isinstance(one, Missing)}

    @property
    def marks(self) -> dict[str, str]:
        return {url: page.mark for url, page in self.pages.items()}


def crawl(
    site: Site, *seeds: str, marks: dict[str, str] | None = None, names: tuple[str, ...] | None = None, **plan: Any
) -> Crawled:
    crawled = Crawled()

    async def mark(url: str) -> str:
        return (marks or {}).get(url, "")

    async def pause(seconds: float) -> None:
        crawled.waits.append(seconds)

    async def run() -> None:
        crawling = Crawl(
            Plan(tuple(site.root + seed for seed in seeds or ("/",)), **{"scope": "HOST_ONLY", **plan}),
            Hosts((site.host,) if names is None else names),
            InProcess(),  # type: ignore[arg-type]
            mark,
            clock=lambda: 0.0,
            pause=pause,
        )
        async for one in crawling.pages():
            crawled.found.append(one)

    asyncio.run(run())
    return crawled


def links(*targets: str) -> str:
    return "<html><body>" + "".join(f"<a href='{target}'>x</a>" for target in targets) + "</body></html>"


def test_pages_are_found_along_their_links_each_once(site: Site) -> None:
    """In circles, by relative addresses, with fragments; other hosts and schemes are left alone."""
    site.pages |= {
        "/": links("a", "/b#top", "http://elsewhere.example/", "mailto:x@example.com"),
        "/a": links("/", "/b", "a#again"),
        "/b": links("/c/d"),
        "/c/d": "<p>end</p>",
    }
    crawled = crawl(site)
    assert [page.url.removeprefix(site.root) for page in crawled.pages.values()] == ["/", "/a", "/b", "/c/d"]
    assert site.paths == ["/", "/a", "/b", "/c/d"]
    assert crawled.missing == {}
    assert crawled.pages[site.root + "/c/d"].body == b"<p>end</p>"


def test_robots_txt_is_honoured(site: Site) -> None:
    """What it forbids is never asked for, and its delay is kept where it is longer than ours."""
    site.pages |= {"/": links("/secret/x", "/a"), "/a": "x", "/secret/x": "x"}
    site.pages["/robots.txt"] = (200, {}, b"User-agent: bedrockbot\nDisallow: /secret\nCrawl-delay: 7\n")
    crawled = crawl(site)
    assert site.paths == ["/", "/a"]
    assert "robots.txt" in crawled.missing[site.root + "/secret/x"].reason
    assert crawled.missing[site.root + "/secret/x"].gone
    assert max(crawled.waits) == 7.0


def test_a_host_whose_robots_txt_fails_is_not_crawled(site: Site) -> None:
    """Today: what was had of it before still stands."""
    site.pages |= {"/": "x", "/robots.txt": (503, {}, b"")}
    crawled = crawl(site)
    assert site.paths == []
    assert not crawled.missing[site.root + "/"].gone


def test_a_named_host_needs_no_robots_txt(site: Site) -> None:
    """Whoever runs the server has spoken for it."""
    del site.pages["/robots.txt"]
    site.pages["/"] = "x"
    assert list(crawl(site).pages) == [site.root + "/"]


def test_a_host_that_nobody_named_needs_one(site: Site) -> None:
    """AWS's crawler does not read where it was not told that it may; what was had before still stands."""

    async def read() -> FetchError:
        async def ask(address: str, *, limit: int) -> Reply:
            return Reply(404, {}, b"")

        with pytest.raises(FetchError) as caught:
            await Robots(ask, Hosts(()), "bedrockbot").check("https://docs.example.com/x")
        return caught.value

    error = asyncio.run(read())
    assert (str(error), error.gone) == ("has a host without robots.txt", False)


@pytest.mark.parametrize("location", ["/elsewhere.txt", "file:///etc/passwd", "/robots.txt"])
def test_robots_txt_may_lie_elsewhere(site: Site, location: str) -> None:
    """Redirects are followed some steps; where they lead nowhere nothing is read."""
    site.pages |= {"/": "x", "/robots.txt": (301, {"location": location}, b""), "/elsewhere.txt": (200, {}, b"")}
    assert bool(crawl(site).pages) == (location == "/elsewhere.txt")


def test_private_addresses_are_refused_unless_named(site: Site) -> None:
    """No connection is made."""
    site.pages["/"] = "x"
    crawled = crawl(site, names=())
    assert "private network" in crawled.missing[site.root + "/"].reason
    assert site.asked == []


def test_a_redirect_is_a_fresh_address(site: Site) -> None:
    """It is held against scope, filters, robots.txt and hosts like any other; a circle ends."""
    site.pages |= {
        "/": links("/good", "/out", "/bad", "/round"),
        "/good": (302, {"location": "/target"}, b""),
        "/target": "x",
        "/out": (301, {"location": "http://169.254.169.254/latest"}, b""),
        "/bad": (307, {"location": "/secret/x"}, b""),
        "/round": (302, {"location": "/round"}, b""),
    }
    crawled = crawl(site)
    assert set(crawled.pages) == {site.root + "/", site.root + "/target"}
    assert site.paths == ["/", "/good", "/out", "/bad", "/round", "/target"]


def test_an_unchanged_page_is_not_read_again(site: Site) -> None:
    """Its links still lead on; a changed one is read."""
    site.pages |= {"/": links("/a"), "/a": links("/b"), "/b": "one"}
    first = crawl(site)
    site.pages["/b"] = "two"
    second = crawl(site, marks=first.marks)
    assert [page.body is None for page in second.pages.values()] == [True, True, False]
    assert second.pages[site.root + "/b"].body == b"two"
    assert second.marks[site.root + "/a"] == first.marks[site.root + "/a"]


def test_another_plan_reads_all_again(site: Site) -> None:
    """Other links may be wanted."""
    site.pages |= {"/": links("/a"), "/a": "x"}
    marks = crawl(site).marks
    assert all(page.body is not None for page in crawl(site, marks=marks, exclude=("/z$",)).pages.values())


def test_what_a_page_led_to_is_not_lost_with_it(site: Site) -> None:
    """A page that cannot be had today is missing; behind it the crawl goes on. One that is gone leads nowhere."""
    site.pages |= {"/": links("/a"), "/a": "x"}
    marks = crawl(site).marks
    site.pages["/"] = (500, {}, b"")
    crawled = crawl(site, marks=marks)
    assert (crawled.missing[site.root + "/"].gone, list(crawled.pages)) == (False, [site.root + "/a"])
    site.pages["/"] = (410, {}, b"")
    crawled = crawl(site, marks=marks)
    assert (crawled.missing[site.root + "/"].gone, list(crawled.pages)) == (True, [])


def test_too_many_pages_end_the_crawl(site: Site) -> None:
    """As AWS fails the sync."""
    site.pages |= {"/": links("/a", "/b"), "/a": "x", "/b": "x"}
    assert len(crawl(site, max_pages=3).pages) == 3
    with pytest.raises(TooManyPages):
        crawl(site, max_pages=2)


def test_the_pace_is_kept(site: Site) -> None:
    """Robots.txt counts as well."""
    site.pages |= {"/": links("/a"), "/a": "x"}
    assert crawl(site, per_minute=30).waits == [2.0, 2.0]


def test_documents_are_taken_along_and_others_left(site: Site) -> None:
    """By the type that the host tells, held against the bytes; HTML is HTML whatever its name."""
    site.pages |= {
        "/": links("/a.pdf", "/b.exe", "/c.md", "/d.pdf"),
        "/a.pdf": (200, {"content-type": "application/pdf"}, b"%PDF-1.4"),
        "/b.exe": (200, {"content-type": "application/octet-stream"}, b"MZ"),
        "/c.md": "<p>really html</p>",
        "/d.pdf": (200, {"content-type": "application/pdf"}, b"not one"),
    }
    crawled = crawl(site)
    assert {page.url.removeprefix(site.root): page.name for page in crawled.pages.values()} == {
        "/": "page.html", "/a.pdf": "/a.pdf", "/c.md": "page.html",
    }  # fmt: skip
    assert all(one.gone and "type" in one.reason for one in crawled.missing.values())


def test_the_agent_is_told(site: Site) -> None:
    """In every request; and nothing is asked to be packed."""
    site.pages["/"] = "x"
    crawl(site, header="Mozilla/5.0 (compatible; mine)")
    assert {headers["user-agent"] for _, headers in site.asked} == {"Mozilla/5.0 (compatible; mine)"}
    assert {headers["accept-encoding"] for _, headers in site.asked} == {"identity"}


def got(site: Site, path: str, **more: Any) -> bytes:
    return fetch(site.root + path, Hosts((site.host,)), {}, **{"limit": 1000, **more}).body


def test_a_page_has_a_limit(site: Site) -> None:
    """Told before, or only found on the way."""
    site.pages["/"] = (200, {}, b"x" * 1001)
    with pytest.raises(FetchError, match="larger") as caught:
        got(site, "/")
    assert caught.value.gone


def test_a_packed_page_is_refused(site: Site) -> None:
    """It was not asked for, and could hold gigabytes."""
    site.pages["/"] = (200, {"content-encoding": "gzip"}, b"x")
    with pytest.raises(FetchError, match="encoding"):
        got(site, "/")


def test_a_page_that_breaks_off_is_not_taken_for_whole(site: Site) -> None:
    """Less came than was told."""
    site.pages["/"] = (200, {"content-length": "100"}, b"x")
    with pytest.raises(FetchError, match="could not be read"):
        got(site, "/")


def test_a_page_that_never_ends_is_given_up(site: Site) -> None:
    """At the deadline of the whole, however little comes at a time."""
    site.pages["/"] = (200, {"content-length": "100", "x-slow": "1"}, b"x")
    with pytest.raises(FetchError, match="could not be read"):
        got(site, "/", deadline_s=0.1)
    assert not site.release.is_set()


def test_a_host_that_is_not_there(site: Site) -> None:
    """Unknown, or refusing."""
    with pytest.raises(FetchError, match="not known"):
        fetch("http://no-such-host.invalid/", Hosts(()), {}, limit=10)
    with pytest.raises(FetchError, match="could not be read"):
        fetch("http://127.0.0.1:1/", Hosts(("127.0.0.1",)), {}, limit=10)


def test_a_certificate_is_held_against_the_hosts_name(site: Site, tmp_path: Path) -> None:
    """One of an authority that nobody trusts is refused before anything is asked."""
    certificates.put(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    with pytest.raises(FetchError, match="certificate is not valid"):
        fetch(f"https://{site.host}/", Hosts((site.host,)), {}, limit=10)
    assert site.asked == []
