"""A document's type is what its name and its bytes agree on; plain text is decoded whatever wrote it."""

from __future__ import annotations

import pytest

from craton.features.rag.parsing.kinds import kind_of
from craton.features.rag.parsing.plain import read_plain
from craton.features.rag.parsing.records import read_records
from craton.features.rag.pieces import Unreadable
from tests.fakes import files

ZIP = b"PK\x03\x04rest"


@pytest.mark.parametrize(
    ("name", "mime", "head", "kind"),
    [
        ("a/b.txt", None, b"hello", "txt"),
        ("a/b.MD", None, b"# x", "md"),
        ("notes", "text/markdown; charset=utf-8", b"# x", "md"),
        ("page.htm", "text/plain", b"<p>", "html"),
        ("x.pdf", None, b"junk before\n%PDF-1.7", "pdf"),
        ("x.docx", None, ZIP, "docx"),
        ("x.doc", None, ZIP, "docx"),
        ("x.doc", None, files.doc("x")[:64], "doc"),
        ("x.xls", None, ZIP, "xlsx"),
        ("x.pptx", None, ZIP, "pptx"),
        ("x.jpg", None, files.png(1, 1), "png"),
        ("x.unknown", "text/csv", b"a,b", "csv"),
        ("weird.name/with.dots/and spaces é.csv", None, b"a,b", "csv"),
    ],
)
def test_name_media_type_and_bytes_make_the_type(name: str, mime: str | None, head: bytes, kind: str) -> None:
    """The name goes before the media type; bytes of a sibling are taken for what they are."""
    assert kind_of(name, mime, head) == kind


@pytest.mark.parametrize(
    ("name", "mime", "head"),
    [
        ("x.exe", None, b"MZ"),
        ("x", None, b"hello"),
        (".txt", None, b"hello"),
        ("x.json", "application/json", b"{}"),
        ("x.pdf", None, b"<html>"),
        ("x.txt", None, b"%PDF-1.4"),
        ("x.md", None, ZIP),
        ("x.docx", None, b"hello"),
        ("x.doc", None, b"{\\rtf1"),
        ("x.png", None, b"GIF89a"),
        ("x.csv", None, b"\x1f\x8b\x08"),
    ],
)
def test_what_is_not_read_is_refused(name: str, mime: str | None, head: bytes) -> None:
    """An unknown type, and bytes that are not what the name promises."""
    with pytest.raises(Unreadable, match="type"):
        kind_of(name, mime, head)


@pytest.mark.parametrize(
    "data",
    [
        "Grüße, 日本\nzwei".encode(),
        "Grüße, 日本\nzwei".encode("utf-8-sig"),
        "Grüße, 日本\r\nzwei".encode("utf-16"),
        b"\xfe\xff" + "Grüße, 日本\rzwei".encode("utf-16-be"),
        "Grüße, 日本\u2028zwei".encode("utf-32"),
        "Grü\0ße, 日本\nzwei".encode(),
    ],
)
def test_text_is_decoded_by_its_mark(data: bytes) -> None:
    """Line ends become line feeds, and no control character is left."""
    assert read_plain(data, "txt").text == "Grüße, 日本\nzwei"


def test_text_without_a_mark_is_guessed() -> None:
    """UTF-16 by its zeros, and what is no UTF-8 as Windows-1252."""
    assert read_plain("A plain line of text.".encode("utf-16-le"), "txt").text == "A plain line of text."
    assert read_plain("A plain line of text.".encode("utf-16-be"), "txt").text == "A plain line of text."
    assert read_plain("Grüße – für 5 €".encode("cp1252"), "txt").text == "Grüße – für 5 €"


@pytest.mark.parametrize("data", [bytes(range(32)) * 50, b"\0" * 1000, b" \n\t " * 10, b"\xef\xbb\xbf"])
def test_what_is_no_text_says_so(data: bytes) -> None:
    """Binary rubbish, zeros, blanks, a byte order mark alone."""
    with pytest.raises(Unreadable, match="text"):
        read_plain(data, "txt")


def test_junk_of_unicode_is_only_text() -> None:
    """Lone halves of UTF-16, noncharacters, thousands of accents, directions: all of it decodes and can be kept."""
    junk = "a\u202eb\ufffe\U000e0001" + "e\u0301" * 50
    text = read_plain(junk.encode() + b"\xff" + "x".encode("utf-16-le"), "txt").text
    text.encode()
    lone = read_plain(b"\xff\xfe" + b"\x00\xd8" + "ok".encode("utf-16-le"), "txt").text
    assert lone.endswith("ok")
    lone.encode()


def test_markdowns_headings_are_breaks() -> None:
    """Those of listings are none."""
    text = "# One\n" + "text " * 10 + "\n```sh\n# comment\n```\n## Two\n" + "x" * 40 + "\n#nothing\n    # code\n"
    assert [text[at : at + 6] for at in read_plain(text.encode(), "md").breaks] == ["# One\n", "## Two"]


CSV = '\ufeffid,text,year,"a ""b"""\n1,"Two lines,\nof text",2024,x\n2,,2025,y\n3,Third,,\n'


def test_rows_with_a_content_column_are_records() -> None:
    """Each with its metadata as strings; rows without text are left out, and empty cells are no metadata."""
    found = read_records(CSV.encode(), "text")
    assert found.parsed.text == "Two lines,\nof text\nThird\n"
    assert found.metadata == ({"id": "1", "year": "2024", 'a "b"': "x"}, {"id": "3"})
    assert [found.of(at)["id"] for at in (0, 5, 18, 19, 22)] == ["1", "1", "1", "3", "3"]
    assert found.parsed.records == (0, 19)


def test_columns_can_be_chosen() -> None:
    """Those to include, without those to exclude."""
    assert read_records(CSV.encode(), "text", ("id", "year"), ("id",)).metadata[0] == {"year": "2024"}
    assert read_records(CSV.encode(), "text", (), ("id", "year")).metadata[0] == {'a "b"': "x"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (CSV.replace("text,", "other,").encode(), "no column 'text'"),
        (b'text\n"open', "RFC 4180"),
        (b'text\n"a"b\n', "RFC 4180"),
        (b"text\na,b,c\n", "more cells"),
        (b"text,x\n,1\n", "no text"),
        (b"\0\0\0\0", "not text"),
    ],
)
def test_a_csv_that_does_not_fit_says_why(data: bytes, message: str) -> None:
    """A missing column, a quote that is never closed, rows too wide, nothing in the content column."""
    with pytest.raises(Unreadable, match=message):
        read_records(data, "text")


def test_a_cell_may_be_as_large_as_its_file() -> None:
    """The library's own limit is lower."""
    assert len(read_records(b"text\n" + b"word " * 100_000, "text").parsed.text) == 500_000
