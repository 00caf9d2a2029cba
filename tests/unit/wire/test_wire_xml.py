"""XML of strangers: a small tree or one fault, whatever the bytes are; nothing is expanded, fetched or piled up."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.wire.xml import MAX_DEPTH, MAX_ELEMENTS, MalformedXml, parse

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMBS = {
    "laughs": f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><d>&l9;</d>',
    "quadratic": f'<!DOCTYPE d [<!ENTITY a "{"a" * 50_000}">]><d>{"&a;" * 1000}</d>',
    "attribute": f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><d a="&l9;"/>',
    "external": '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><d>&e;</d>',
    "parameter": '<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p">%p;]><d/>',
    "subset": '<!DOCTYPE d SYSTEM "http://127.0.0.1:1/d.dtd"><d/>',
    "defaults": '<!DOCTYPE d [<!ATTLIST d a CDATA "given">]><d/>',
    "late": '<d/><!DOCTYPE d [<!ENTITY a "b">]>',
    "unknown": "<d>&a;</d>",
    "include": '<d xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd">&x;</xi:include></d>',
}
PIECES = st.sampled_from(
    ["<a>", "</a>", "<a/>", "<b x='1'>", "</b>", "&lt;", "&#0;", "&#65;", "&e;", "<![CDATA[", "]]>", "<!--", "-->",
     "<?pi?>", "<!DOCTYPE d>", "<!ENTITY e 'x'>", "<?xml version='1.0'?>", "text", "\x00", "\ud7ff", "'", '"', "<", ">"]
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_go_off(name: str, encoding: str) -> None:
    """Document types, entities of their own and references to others are refused before anything grows."""
    document = BOMBS[name].encode(encoding)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedXml) as caught:
            parse(document)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1024 * 1024
    assert "passwd" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [b"<a>" * (MAX_DEPTH + 1), b"<a>" + b"<b/>" * MAX_ELEMENTS, b"<a>" * 1_000_000],
    ids=["deep", "wide", "far"],
)
def test_a_tree_has_bounds(document: bytes) -> None:
    """In depth and in number; what is beyond is not built."""
    with pytest.raises(MalformedXml):
        parse(document + b"</a>")


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=30).map(lambda all_: "".join(all_).encode())))
def test_any_bytes_are_a_tree_or_one_fault(document: bytes) -> None:
    """Never another exception, and a tree's elements are those that were written."""
    with suppress(MalformedXml):
        assert parse(document).name in ("a", "b") or b"<" in document
