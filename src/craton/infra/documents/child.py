"""Files to text through child processes: `port.Documents` and `port.Extractor` on this machine.

Owns: how many run at once, how long one may take, how many files one child reads, and a small memory of what was read,
since a conversation sends its documents again with every turn. Must not know any format.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from asyncio.subprocess import Process
from collections import OrderedDict

import msgspec

from craton.infra.documents.port import Extract, FileFormat, UnreadableError, UnsupportedError
from craton.infra.documents.program import MAX_CHARACTERS, Ask, Told, framed

_PROGRAM = "craton.infra.documents.program"
# A process that ends without a word was ended by a limit, or by its own parser.
_ENDED = "takes too long or too much memory to be read"
_LENGTH = 4


class ChildDocuments:
    """Args:
    timeout_s: wall-clock seconds for one file; its CPU seconds have the same limit.
    memory_bytes: address space of one child.
    kept_characters: text that is remembered, by the hash of its file; the longest unused goes first.
    at_once: children of this process at any time; further files wait.
    files_each: files that one child reads before it ends. One keeps files of different owners apart even from a parser
        that a file took over; more is for files of one owner, who calls `close` at the end.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 30.0,
        memory_bytes: int = 1 << 30,
        kept_characters: int = 8_000_000,
        at_once: int = 2,
        files_each: int = 1,
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._most = self._room = kept_characters
        self._seats = asyncio.Semaphore(at_once)
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._files_each = files_each
        self._idle: list[tuple[Process, int]] = []  # with the files that each has read

    async def text(self, data: bytes, file_format: FileFormat) -> str:
        """The file's text. Raises UnreadableError or UnsupportedError."""
        key = hashlib.sha256(data).digest() + file_format.encode()
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        text = (await self.extract(data, file_format)).text
        if len(text) > MAX_CHARACTERS:
            raise UnreadableError(f"holds more than {MAX_CHARACTERS} characters of text")
        self._keep(key, text)
        return text

    async def extract(self, data: bytes, file_format: FileFormat, *, pictures: bool = False) -> Extract:
        """All that the file holds, which is not remembered. Raises UnreadableError or UnsupportedError."""
        async with self._seats:
            told = await self._ask(data, Ask(file_format, len(data), pictures))
        if told.unsupported:
            raise UnsupportedError(file_format)
        if told.extract is None:
            raise UnreadableError(told.fault)
        return told.extract

    async def close(self) -> None:
        """End the children that wait for a file."""
        while self._idle:
            await _ended(self._idle.pop()[0])

    async def _ask(self, data: bytes, ask: Ask) -> Told:
        child, number = self._waiting() or (await self._started(), 0)
        kept = False
        try:
            async with asyncio.timeout(self._timeout_s):
                told = await _exchange(child, data, ask)
            kept = not told.last and number + 1 < self._files_each
        except TimeoutError:
            raise UnreadableError(_ENDED) from None
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            raise UnreadableError(_ENDED) from None
        finally:
            if kept:
                self._idle.append((child, number + 1))
            else:
                await _ended(child)
        return told

    def _waiting(self) -> tuple[Process, int] | None:
        """A child that has read files and lives."""
        while self._idle:
            child, number = self._idle.pop()
            if child.returncode is None:
                return child, number
        return None

    async def _started(self) -> Process:
        return await asyncio.create_subprocess_exec(
            # -I: nothing of the environment or of the working directory.
            sys.executable, "-I", "-m", _PROGRAM, str(max(1, int(self._timeout_s))), str(self._memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    def _keep(self, key: bytes, text: str) -> None:
        if key in self._kept or len(text) > self._most:
            return
        self._kept[key] = text
        self._room -= len(text)
        while self._room < 0:
            _, old = self._kept.popitem(last=False)
            self._room += len(old)


async def _exchange(child: Process, data: bytes, ask: Ask) -> Told:
    asked, answers = child.stdin, child.stdout
    if asked is None or answers is None:  # both are pipes, which only the type checker does not know
        raise ConnectionError
    asked.write(framed(ask))
    asked.write(data)
    await asked.drain()
    length = int.from_bytes(await answers.readexactly(_LENGTH), "little")
    return msgspec.msgpack.decode(await answers.readexactly(length), type=Told)


async def _ended(child: Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    await child.wait()
