"""What the store's errors mean here.

Owns the table from words in the store's messages (it has no kinds of errors) to the port's errors, whose messages carry
neither paths nor values. The store's own error stays behind as the cause. It must not know what was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from craton.infra.vectors.port import Gone, VectorsError

_MEANINGS: tuple[tuple[str, type[VectorsError], str], ...] = (
    ("no longer exists", Gone, "The version is gone"),
    ("was not found", Gone, "The index is gone"),
    ("not found", Gone, "Files of the version are gone"),
    ("no such file", Gone, "Files of the version are gone"),
    ("no space left", VectorsError, "The disk is full"),
    ("file too large", VectorsError, "The disk is full"),
    ("quota exceeded", VectorsError, "The disk is full"),
    ("read-only file system", VectorsError, "The folder of the vector store cannot be written"),
    ("permission denied", VectorsError, "The folder of the vector store cannot be used"),
    ("not a directory", VectorsError, "The folder of the vector store cannot be used"),
    ("too many open files", VectorsError, "Too many files are open"),
    ("conflict", VectorsError, "Somebody else wrote to the index"),
)


@contextmanager
def faults() -> Iterator[None]:
    """Whatever the store raises within becomes a VectorsError."""
    try:
        yield
    except VectorsError:
        raise
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        said = str(error).lower()
        for words, kind, message in _MEANINGS:
            if words in said:
                raise kind(message) from error
        raise VectorsError("The vector store failed") from error
