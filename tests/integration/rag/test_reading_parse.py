"""Documents of every type to text, through real child processes: each that is bad says why, and fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from craton.features.rag.parsing.parse import MAX_BYTES, parse
from craton.features.rag.pieces import Page, Parsed, Unreadable
from craton.infra.documents.child import ChildDocuments
from tests.fakes import files

Images = Callable[[bytes, str], Awaitable[str]]


def read(
    data: bytes | Path, name: str, mime: str | None = None, *, images: Images | None = None, **limits: float
) -> Parsed:
    async def run() -> Parsed:
        reader = ChildDocuments(files_each=10, **limits)  # type: ignore[arg-type]
        try:
            return await parse(reader, data, name, mime, images=images)
        finally:
            await reader.close()

    return asyncio.run(run())


async def described(data: bytes, media_type: str) -> str:
    return f"A picture of {media_type}."


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (b"Plain words.", "a.txt", "Plain words."),
        (b"# Title\n\nText", "a.md", "# Title\n\nText"),
        (b"a,b\n1,2\n", "a.csv", "a,b\n1,2\n"),
        (b"<title>no</title><h1>Title</h1><p>Text", "a.html", "# Title\n\nText"),
        (files.pdf("One", "Two"), "a.pdf", "One\n\nTwo"),
        (files.docx("Costs", "As agreed.", [["tea", "2"]]), "a.docx", "## Costs\n\nAs agreed.\n\ntea,2"),
        (files.doc("Dear reader,\rBye.\r"), "a.doc", "Dear reader,\nBye."),
        (files.xlsx({"A": [["tea", 2]]}), "a.xlsx", "## A\ntea,2"),
        (files.xls([["tea", 2.0]], "A"), "a.xls", "## A\ntea,2"),
        (files.pptx(("Title", "Text")), "a.pptx", "## Title\n\nText"),
    ],
)
def test_each_type_is_read(data: bytes, name: str, text: str) -> None:
    """To the text that a person would have copied."""
    assert read(data, name).text == text


def test_pages_and_breaks_come_along() -> None:
    """From the child as they were found there."""
    found = read(files.pdf("One", "Two"), "a.pdf")
    assert found.pages == (Page(1, 0), Page(2, 5))
    assert read(b"<p>" + b"x" * 40 + b"<h1>T</h1>", "a.html").breaks == (41,)


def test_a_file_may_lie_on_disk(tmp_path: Path) -> None:
    """One that is too large is not read at all."""
    path = tmp_path / "x"
    path.write_bytes(b"Words.")
    assert read(path, "a.txt").text == "Words."
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match="larger than 50 MB"):
        read(path, "a.txt")


def test_the_largest_text_is_read() -> None:
    """Of 50 MB to the byte; one byte more is refused."""
    data = b"word " * (MAX_BYTES // 5 + 1)
    assert len(read(data[:MAX_BYTES], "a.txt").text) == MAX_BYTES
    with pytest.raises(Unreadable, match="larger than 50 MB"):
        read(data[: MAX_BYTES + 1], "a.txt")


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "a.txt", "The document is empty."),
        (b"", "a.pdf", "The document is empty."),
        (b" \n", "a.txt", "The document holds no text."),
        (b"<p></p>", "a.html", "The document holds no text."),
        (files.pdf(""), "a.pdf", "The document holds no text."),
        (files.drawn_pdf("", encrypted=True), "a.pdf", "The document is encrypted."),
        (b"%PDF-1.7 rubbish", "a.pdf", "The document is damaged or not of the format that was given."),
        (b"PK\x03\x04rubbish", "a.docx", "The document is damaged or not of the format that was given."),
        (files.png(9, 9), "a.png", "The document is a picture, which only a parsing model can read."),
        (b"MZ", "a.exe", "The document's type is not supported."),
        (b"MZ", "a.pdf", "The document's content is not of the type pdf, which it is named as."),
    ],
)
def test_a_bad_document_says_why(data: bytes, name: str, message: str) -> None:
    """In one sentence of ours."""
    with pytest.raises(Unreadable) as caught:
        read(data, name)
    assert str(caught.value) == message


def test_one_bad_file_fails_alone() -> None:
    """The others that the same children read are not touched, be it before, beside or after it."""

    async def run() -> list[Parsed | BaseException]:
        reader = ChildDocuments(files_each=100, at_once=1)
        found = await asyncio.gather(
            *(
                parse(reader, data, "a.pdf")
                for data in (
                    files.pdf("One"),
                    b"%PDF-1.7 rubbish",
                    files.pdf("Two"),
                    files.drawn_pdf("", encrypted=True),
                )
            ),
            parse(reader, files.docx("Three", "x", [["a", "b"]]), "a.docx"),
            return_exceptions=True,
        )
        assert len(reader._idle) == 1  # one child read them all
        await reader.close()
        return found

    one, bad, two, locked, three = asyncio.run(run())
    assert isinstance(bad, Unreadable)
    assert isinstance(locked, Unreadable)
    assert [found.text[:8] for found in (one, two, three) if isinstance(found, Parsed)] == ["One", "Two", "## Three"]


def test_a_child_that_is_ended_takes_only_its_file_along() -> None:
    """By its memory, or by the time: the next file has a new one."""
    large = b"<p>" + b"words and words " * 1_000_000

    async def run() -> None:
        reader = ChildDocuments(files_each=100, at_once=1, memory_bytes=200 << 20)
        with pytest.raises(Unreadable, match="memory"):
            await parse(reader, large, "a.html")
        assert (await parse(reader, b"<p>fine", "a.html")).text == "fine"
        reader._timeout_s = 0.05
        with pytest.raises(Unreadable, match="too long"):
            await parse(reader, large, "a.html")
        reader._timeout_s = 30
        assert (await parse(reader, b"<p>fine again", "a.html")).text == "fine again"
        await reader.close()

    asyncio.run(run())


def test_pictures_are_read_by_what_was_given() -> None:
    """A file that is one, under its own type."""
    assert read(files.png(9, 9), "a.png", images=described).text == "A picture of image/png."
    assert read(files.jpeg(9, 9), "a.png", images=described).text == "A picture of image/jpeg."


def test_scanned_pages_are_put_in_where_they_stand() -> None:
    """What comes after them moves on; without a reader of pictures they are left out."""
    page, scan = "BT /F1 12 Tf 72 720 Td (Page {}) Tj ET", "100 100 50 50 re f"
    data = files.drawn_pdf(page.format("one"), scan, page.format("three"), scan)
    found = read(data, "a.pdf", images=described)
    assert found.text == "Page one\n\nA picture of image/png.\n\nPage three\n\nA picture of image/png.\n\n"
    assert [found.text[page.start :][:8] for page in found.pages] == ["Page one", "A pictur", "Page thr", "A pictur"]
    assert read(data, "a.pdf").text == "Page one\n\nPage three"


def test_a_picture_of_nothing_is_no_text() -> None:
    """Whatever a model says in no words."""

    async def silent(data: bytes, media_type: str) -> str:
        return " \n"

    with pytest.raises(Unreadable, match="holds no text"):
        read(files.png(9, 9), "a.png", images=silent)
    with pytest.raises(Unreadable, match="holds no text"):
        read(files.drawn_pdf("100 100 50 50 re f"), "a.pdf", images=silent)
