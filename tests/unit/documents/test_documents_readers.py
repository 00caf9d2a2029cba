"""Each format's reader gives the text that a person would have copied."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import pytest

from craton.infra.documents import readers
from craton.infra.documents.html_text import html_text, read_html
from craton.infra.documents.legacy_word import word_text
from craton.infra.documents.port import FORMATS, UnreadableError
from craton.infra.documents.program import extract
from tests.fakes import files


def test_every_format_has_a_reader() -> None:
    """The table and the port's names agree."""
    assert set(readers.READERS) == set(FORMATS)


def test_a_pdf_is_read_page_by_page() -> None:
    """Pages are parted by a blank line."""
    assert readers.read_pdf(files.pdf("First page", "Second page"), pictures=False).text == "First page\n\nSecond page"


def test_a_word_document_keeps_its_order() -> None:
    """Heading, paragraph, table, as they stand."""
    made = files.docx("Costs", "As agreed.", [["item", "price"], ["tea, green", "2"]])
    assert readers.read_docx(made, pictures=False).text == '## Costs\n\nAs agreed.\n\nitem,price\n"tea, green",2'


def test_a_workbook_is_its_sheets() -> None:
    """Each under its name; empty cells at the ends and empty rows are left out; dates have no midnight."""
    rows = [["day", "n"], [datetime(2024, 3, 1), 1.5], [None, None], ["x", None]]
    assert (
        readers.read_xlsx(files.xlsx({"A": rows, "Empty": []}), pictures=False).text == "## A\nday,n\n2024-03-01,1.5\nx"
    )


def test_an_old_workbook_reads_alike() -> None:
    """Whole numbers have no decimal point."""
    assert (
        readers.read_xls(files.xls([["day", "n"], ["x", 2.0], ["y", 2.5]], "Old"), pictures=False).text
        == "## Old\nday,n\nx,2\ny,2.5"
    )


def test_an_old_word_document_is_pieced_together() -> None:
    """Pieces of one and of two bytes a character, in their order."""
    assert word_text(files.doc("Dear reader,\r", "Grüße – 日本\r", "Bye.\r")) == "Dear reader,\nGrüße – 日本\nBye."


def test_an_old_word_documents_fields_show_their_results() -> None:
    """The instruction of a field is nothing that a reader sees; cells are parted by tabs."""
    made = files.doc("See \x13 HYPERLINK \x13 NAME \x14x\x15 \x14here\x15.\r", "a\x07b\x07\x07\r")
    assert word_text(made).splitlines()[0] == "See here."


def test_an_encrypted_word_document_says_so() -> None:
    """The flag in its head."""
    with pytest.raises(UnreadableError, match="encrypted"):
        word_text(files.doc("x", flags=0x0300))


def test_html_is_what_is_shown() -> None:
    """No scripts and no markup; headings, list items and cells are marked."""
    page = """<html><head><title>t</title><style>p{}</style></head><body><h2>Costs &amp; more</h2>
    <p>As   agreed.<script>alert(1)</script></p><ul><li>one<li>two</ul>
    <table><tr><td>a</td><td>b</td></tr></table><pre>x
  y</pre><img src="http://x" alt="a picture"></body></html>"""
    assert html_text(page.encode()).splitlines() == [
        "## Costs & more", "", "As agreed.", "", "- one", "- two", "", "a\tb", "", "x", "  y".strip(), "a picture",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [
        "<p>Grüße</p>".encode(),
        '<meta charset="iso-8859-1"><p>Grüße</p>'.encode("latin-1"),
        "<p>Grüße</p>".encode("utf-16"),
        "<p>Grüße</p>".encode("cp1252"),
        '<meta charset="nonsense"><p>Grüße</p>'.encode(),
    ],
)
def test_html_is_decoded_by_what_it_says(page: bytes) -> None:
    """A byte order mark, a named character set, UTF-8, or else Windows-1252."""
    assert html_text(page) == "Grüße"


@pytest.mark.parametrize("file_format", FORMATS)
def test_rubbish_is_told_in_words_of_ours(file_format: str) -> None:
    """Whatever a parser stumbles over, nothing of the file is in the message."""
    if file_format == "html":  # any text is a page
        with pytest.raises(UnreadableError, match="no text"):
            extract(b"<p></p>", file_format)
        return
    with pytest.raises(UnreadableError) as caught:
        extract(b"SECRET" * 100, file_format)
    assert "SECRET" not in str(caught.value)


def test_a_file_without_text_says_so() -> None:
    """A scan without a text layer."""
    with pytest.raises(UnreadableError, match="holds no text"):
        extract(files.pdf(""), "pdf")


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return out.getvalue()


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked() -> None:
    """Its directory tells before anything is read."""
    data = archive(xl__workbook_xml=b"x").replace(
        (1).to_bytes(4, "little") + b"\x0f\0", (2**30).to_bytes(4, "little") + b"\x0f\0"
    )
    with pytest.raises(UnreadableError, match="512 MiB"):
        readers.unpackable(data)


def test_an_archive_of_nothing_but_zeros_is_not_unpacked() -> None:
    """More than any document's ratio; a small one may have it."""
    with pytest.raises(UnreadableError, match="250 times"):
        readers.unpackable(archive(xl__workbook_xml=bytes(40_000_000)))
    readers.unpackable(archive(xl__workbook_xml=bytes(4_000_000)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_archive_that_defines_entities_is_refused(encoding: str) -> None:
    """A billion laughs, in whatever part and encoding."""
    laughs = """<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>"""
    for file_format in ("docx", "xlsx", "pptx"):
        with pytest.raises(UnreadableError, match="entities"):
            extract(archive(any__part_xml=laughs.encode(encoding)), file_format)


def test_an_encrypted_document_of_the_newer_kind_says_so() -> None:
    """It lies within a compound file."""
    for file_format in ("docx", "xlsx", "pptx"):
        with pytest.raises(UnreadableError, match="is encrypted"):
            extract(files.compound({"EncryptedPackage": b"x"}), file_format)


def test_an_encrypted_pdf_says_so() -> None:
    """Under a password that is not empty."""
    with pytest.raises(UnreadableError, match="is encrypted"):
        extract(files.drawn_pdf("", encrypted=True), "pdf")


def test_a_broken_pdf_says_so() -> None:
    """Cut off, or of pages that are none."""
    with pytest.raises(UnreadableError, match="damaged"):
        extract(files.pdf("Hello")[:200], "pdf")


def test_pages_are_where_they_begin() -> None:
    """An empty one has its number too."""
    found = extract(files.pdf("First page", "", "Third"), "pdf")
    assert found.text == "First page\n\nThird"
    assert [(number, found.text[start:][:5]) for number, start in found.pages] == [
        (1, "First"),
        (2, "Third"),
        (3, "Third"),
    ]


def test_a_ruled_table_is_lines_of_cells() -> None:
    """Between the lines of text that stand around it."""
    table = files.ruled([["item", "price"], ["green tea, loose", "2.50"], ["", "9"]], above="Prices", below="As of May")
    assert extract(files.drawn_pdf(table), "pdf").text == (
        'Prices\n\nitem,price\n"green tea, loose",2.50\n,9\n\nAs of May'
    )


def test_frames_are_no_tables() -> None:
    """A box around a text, an underline, a drawing of thousands of lines."""
    text = "BT /F1 12 Tf 80 700 Td (Just a text) Tj ET "
    assert extract(files.drawn_pdf(text + "70 690 200 30 re S"), "pdf").text == "Just a text"
    many = " ".join(f"{x} 0 m {x} 700 l S 0 {x} m 600 {x} l S" for x in range(600))
    assert extract(files.drawn_pdf(text + many), "pdf").text == "Just a text"


def test_a_scanned_page_is_a_picture_when_pictures_are_asked_for() -> None:
    """It stands where its text would."""
    data = files.drawn_pdf("BT /F1 12 Tf 72 720 Td (A page of text) Tj ET", "100 100 50 50 re f")
    assert extract(data, "pdf").pictures == ()
    [picture] = extract(data, "pdf", pictures=True).pictures
    assert (picture.media_type, picture.data[:8], picture.at) == (
        "image/png",
        b"\x89PNG\r\n\x1a\n",
        len("A page of text\n\n"),
    )


def test_slides_are_pages_under_their_titles() -> None:
    """With their notes; hidden ones are left out."""
    found = extract(files.pptx(("One", "First\nSecond"), ("Two", "Third"), notes="Say hello"), "pptx")
    assert found.text == "## One\n\nFirst\nSecond\n\nSay hello\n\n## Two\n\nThird"
    assert [(number, found.text[start:][:6]) for number, start in found.pages] == [(1, "## One"), (2, "## Two")]


def test_sheets_are_pages() -> None:
    """An empty one is counted."""
    found = extract(files.xlsx({"A": [["x", 1]], "Empty": [], "B": [["y"]]}), "xlsx")
    assert [(number, found.text[start:][:4]) for number, start in found.pages] == [
        (1, "## A"),
        (2, "## B"),
        (3, "## B"),
    ]


def test_headings_are_breaks() -> None:
    """Of Word and of HTML."""
    made = extract(files.docx("Costs", "As agreed. " * 10, [["a", "b"]]), "docx")
    assert made.breaks == (0,)
    page = read_html(
        b"<p>" + b"Some text. " * 5 + b"</p><h1>One</h1><p>" + b"More text. " * 5 + b"</p><h2>Two</h2>", pictures=False
    )
    assert [page.text[at : at + 5] for at in page.breaks] == ["# One", "## Tw"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>SECRET</script>",
        "<script>var a = '<p>SECRET';</script>",
        "<style>SECRET</style>",
        "<!-- SECRET -->",
        "<template><p>SECRET</p></template>",
        "<div hidden>SECRET<div>SECRET</div>SECRET</div>",
        '<p style="color:red; DISPLAY : none">SECRET<br>SECRET</p>',
        "<section style='visibility:hidden'><p>SECRET</section>",
        "<ul hidden><li>SECRET<li>SECRET</ul>",
        "<svg><text>SECRET</text></svg>",
        "<noscript>SECRET</noscript>",
        '<img hidden alt="SECRET">',
        "<a href='x' onclick='SECRET'></a>",
        "<textarea hidden>SECRET</textarea>",
        "<?php SECRET ?>",
    ],
)
def test_what_a_page_hides_is_not_in_its_text(hidden: str) -> None:
    """Scripts, styles, comments, parts that no reader sees; what stands around them is there."""
    assert html_text(f"<body><p>before</p>{hidden}<p>after</p></body>".encode()).split() == ["before", "after"]


def test_a_page_says_where_it_points() -> None:
    """As it is written; not what stands in hidden parts."""
    page = read_html(
        b"<p>x</p><a href='/a'>a</a><a>b</a><div hidden><a href='/c'>c</a></div><a href=' d '>", pictures=False
    )
    assert page.links == ("/a", " d ")


def test_deep_nesting_is_no_trouble() -> None:
    """Thousands of elements that nobody closes, and as many ends of what was never open."""
    assert html_text(b"<div>" * 20_000 + b"text" + b"</p>" * 20_000) == "text"
