"""The child: files on standard input, what they hold on standard output, within limits of time and memory.

Started as `python -I -m craton.infra.documents.program CPU_SECONDS MEMORY_BYTES`; it reads one file after another until
its input ends. A message is its length (4 bytes, little-endian) and msgpack; a request is an `Ask` with the file's bytes
behind it, an answer a `Told`. What is wrong with a file is told in words of ours, never the file's. Must not know who
asks.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from craton.infra.documents.port import Extract, UnreadableError, UnsupportedError

# What `Documents.text` gives at most: a conversation's document.
MAX_CHARACTERS = 8_000_000
_NICE = 5
_LENGTH = 4
# A child that has grown this large is ended after the file that it read.
_LARGE_BYTES = 256 * 1024 * 1024


class Ask(msgspec.Struct, frozen=True):
    """`size`: bytes of the file that follow."""

    file_format: str
    size: int
    pictures: bool = False


class Told(msgspec.Struct, frozen=True):
    """`extract`, or what is wrong with the file, or `unsupported`. `last`: the child ends now."""

    extract: Extract | None = None
    fault: str = ""
    unsupported: bool = False
    last: bool = False


def framed(message: msgspec.Struct) -> bytes:
    """As it goes over the pipe."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_LENGTH, "little") + body


def bind(memory_bytes: int) -> None:
    """Take on the limits. The kernel ends what passes them; nothing may be written to a file."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow(cpu_s: int) -> None:
    """So many CPU seconds more, from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soon = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soon if most == resource.RLIM_INFINITY else min(soon, most), most))


def extract(data: bytes, file_format: str, *, pictures: bool = False) -> Extract:
    """What a file holds. Raises UnreadableError or UnsupportedError."""
    # Loaded after the limits hold, and of the packages only those that are needed.
    from craton.infra.documents import readers

    try:
        found = readers.READERS[file_format](data, pictures=pictures)
    except (UnreadableError, UnsupportedError):
        raise
    except ImportError:
        raise UnsupportedError from None
    except MemoryError:
        raise UnreadableError("needs too much memory to be read") from None
    except Exception:  # parsers fail on bad files in every way there is, and all mean the same
        raise UnreadableError("is damaged or not of the format that was given") from None
    if not found.text.strip() and not found.pictures:
        raise UnreadableError("holds no text")
    return found


def serve(asked: BinaryIO, answers: BinaryIO, cpu_s: int) -> None:
    """Answer until nothing more is asked, or this process has grown too large."""
    while length := asked.read(_LENGTH):
        ask = msgspec.msgpack.decode(asked.read(int.from_bytes(length, "little")), type=Ask)
        data = asked.read(ask.size)
        allow(cpu_s)
        told = _told(data, ask)
        del data
        last = _resident() > _LARGE_BYTES
        answers.write(framed(msgspec.structs.replace(told, last=last)))
        answers.flush()
        if last:
            return


def _resident() -> int:
    """Bytes of memory in use; not the most there ever was, which begins with the parent's."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _told(data: bytes, ask: Ask) -> Told:
    try:
        return Told(extract(data, ask.file_format, pictures=ask.pictures))
    except UnreadableError as error:
        return Told(fault=str(error))
    except UnsupportedError:
        return Told(unsupported=True)


def main(arguments: list[str]) -> int:
    cpu_s, memory_bytes = arguments
    bind(int(memory_bytes))
    # Some parsers print what they think of a file.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers, int(cpu_s))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
