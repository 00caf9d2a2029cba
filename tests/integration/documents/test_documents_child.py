"""Files are read by processes of their own: what one file does harms nothing else."""

from __future__ import annotations

import asyncio

import pytest

from craton.infra.documents.child import ChildDocuments
from craton.infra.documents.port import UnreadableError
from tests.fakes import files


def test_a_file_comes_back_as_text() -> None:
    """Through a real child."""
    assert asyncio.run(ChildDocuments().text(files.pdf("Hello there"), "pdf")) == "Hello there"


def test_a_bad_file_fails_alone() -> None:
    """Another one that is read at the same time is not touched."""

    async def both() -> list[str | BaseException]:
        documents = ChildDocuments()
        return await asyncio.gather(
            documents.text(b"%PDF-1.4 rubbish", "pdf"), documents.text(b"<p>fine</p>", "html"), return_exceptions=True
        )

    bad, good = asyncio.run(both())
    assert isinstance(bad, UnreadableError)
    assert good == "fine"


def test_too_little_memory_ends_the_child_only() -> None:
    """The caller hears that the file is too much."""
    with pytest.raises(UnreadableError, match="memory"):
        asyncio.run(ChildDocuments(memory_bytes=1 << 20).text(b"<p>x</p>", "html"))


def test_too_much_time_ends_the_child() -> None:
    """No process is left behind."""
    with pytest.raises(UnreadableError, match="too long"):
        asyncio.run(ChildDocuments(timeout_s=0.001).text(b"<p>x</p>", "html"))


def test_what_was_read_is_remembered_within_bounds() -> None:
    """The same file a second time needs no child; the longest unused text goes when there is no room."""

    async def thrice() -> None:
        documents = ChildDocuments(kept_characters=8)
        assert await documents.text(b"<p>first</p>", "html") == "first"
        documents._memory_bytes = 1 << 20  # a child could not even start now
        assert await documents.text(b"<p>first</p>", "html") == "first"
        documents._memory_bytes = 1 << 30
        assert await documents.text(b"<p>second</p>", "html") == "second"
        assert [*documents._kept.values()] == ["second"]

    asyncio.run(thrice())


def test_a_caller_who_leaves_takes_the_child_along() -> None:
    """Cancelling ends the process."""

    async def leave() -> None:
        documents = ChildDocuments()
        task = asyncio.create_task(documents.text(files.pdf("x"), "pdf"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert documents._seats._value == 2

    asyncio.run(leave())


def test_a_child_reads_as_many_files_as_it_may() -> None:
    """One by default, since the next file may be somebody else's; `close` ends those that wait."""

    async def read() -> None:
        single, several = ChildDocuments(), ChildDocuments(files_each=2)
        await single.text(b"<p>one</p>", "html")
        assert single._idle == []
        await several.text(b"<p>one</p>", "html")
        [(child, read)] = several._idle
        assert (child.returncode, read) == (None, 1)
        await several.text(b"<p>two</p>", "html")
        assert (several._idle, child.returncode is not None) == ([], True)
        await several.text(b"<p>three</p>", "html")
        [(child, _)] = several._idle
        await several.close()
        assert child.returncode is not None

    asyncio.run(read())


def test_a_waiting_child_that_was_ended_is_not_a_files_fault() -> None:
    """The file goes to a new one."""

    async def read() -> None:
        documents = ChildDocuments(files_each=9)
        await documents.text(b"<p>one</p>", "html")
        [(child, _)] = documents._idle
        child.kill()
        await child.wait()
        assert await documents.text(b"<p>two</p>", "html") == "two"
        await documents.close()

    asyncio.run(read())
