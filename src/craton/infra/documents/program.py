"""The child: one file on standard input, its text on standard output, within limits of time and memory.

Started as `python -I -m craton.infra.documents.program FORMAT CPU_SECONDS MEMORY_BYTES`. Exit codes are the answer's
kind (see below); what is wrong with a file is told in words of ours, never the file's. Must not know who asks.
"""

from __future__ import annotations

import os
import resource
import sys

from craton.infra.documents.port import UnreadableError, UnsupportedError

DONE, UNREADABLE, UNSUPPORTED = 0, 3, 4
MAX_CHARACTERS = 8_000_000
_NICE = 5


def bind(cpu_s: int, memory_bytes: int) -> None:
    """Take on the limits. The kernel ends what passes them; nothing may be written to a file."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def extract(data: bytes, file_format: str) -> str:
    """The text of a file. Raises UnreadableError or UnsupportedError."""
    # Loaded after the limits hold, and only the one reader that is needed.
    from craton.infra.documents import readers

    try:
        text = readers.READERS[file_format](data)
    except (UnreadableError, UnsupportedError):
        raise
    except ImportError:
        raise UnsupportedError from None
    except MemoryError:
        raise UnreadableError("needs too much memory to be read") from None
    except Exception:  # parsers fail on bad files in every way there is, and all mean the same
        raise UnreadableError("is damaged or not of the format that was given") from None
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"holds more than {MAX_CHARACTERS} characters of text")
    if not text.strip():
        raise UnreadableError("holds no text")
    return text


def main(arguments: list[str]) -> int:
    file_format, cpu_s, memory_bytes = arguments
    bind(int(cpu_s), int(memory_bytes))
    try:
        text = extract(sys.stdin.buffer.read(), file_format)
    except UnreadableError as error:
        sys.stdout.write(str(error))
        return UNREADABLE
    except UnsupportedError:
        return UNSUPPORTED
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
