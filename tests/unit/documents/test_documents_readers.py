"""Each format's reader gives the text that a person would have copied."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import pytest

from craton.infra.documents import readers
from craton.infra.documents.html_text import html_text
from craton.infra.documents.legacy_word import word_text
from craton.infra.documents.port import FORMATS, UnreadableError
from craton.infra.documents.program import extract
from tests.fakes import files


def test_every_format_has_a_reader() -> None:
    """The table and the port's names agree."""
    assert set(readers.READERS) == set(FORMATS)


def test_a_pdf_is_read_page_by_page() -> None:
    """Pages are parted by a blank line."""
    assert readers.read_pdf(files.pdf("First page", "Second page")) == "First page\n\nSecond page"


def test_a_word_document_keeps_its_order() -> None:
    """Heading, paragraph, table, as they stand."""
    made = files.docx("Costs", "As agreed.", [["item", "price"], ["tea, green", "2"]])
    assert readers.read_docx(made) == '## Costs\n\nAs agreed.\n\nitem,price\n"tea, green",2'


def test_a_workbook_is_its_sheets() -> None:
    """Each under its name; empty cells at the ends and empty rows are left out; dates have no midnight."""
    rows = [["day", "n"], [datetime(2024, 3, 1), 1.5], [None, None], ["x", None]]
    assert readers.read_xlsx(files.xlsx({"A": rows, "Empty": []})) == "## A\nday,n\n2024-03-01,1.5\nx"


def test_an_old_workbook_reads_alike() -> None:
    """Whole numbers have no decimal point."""
    assert readers.read_xls(files.xls([["day", "n"], ["x", 2.0], ["y", 2.5]], "Old")) == "## Old\nday,n\nx,2\ny,2.5"


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


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked() -> None:
    """Its directory tells before anything is read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"x")
    data = out.getvalue().replace((1).to_bytes(4, "little") + b"\x0f\0", (2**30).to_bytes(4, "little") + b"\x0f\0")
    with pytest.raises(UnreadableError, match="256 MiB"):
        readers.unpackable(data)
