"""The folders of imported models on the disk: what is fetched, what is made of it, and the one rename that makes it a model.

Owns the names, and that nothing is left where an import failed. A folder under a model's id is whole; everything on the
way to it lies in ID.partial. It must not know what the files are.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from craton.features.hosting.imported import folder_of

_PARTIAL, _GONE = ".partial", ".gone"


class Folders:
    """The folders of the model `ident` in a home."""

    def __init__(self, home: Path, ident: str) -> None:
        self._home = home
        self.final = folder_of(home) / ident
        self.draft = folder_of(home) / f"{ident}{_PARTIAL}"
        self.source = self.draft / "source"
        self.made = self.draft / "made"

    def begin(self) -> None:
        """Make what is written to; it may be there already. Raises OSError."""
        for folder in (self._home / "models", folder_of(self._home), self.draft, self.source):
            folder.mkdir(mode=0o700, parents=False, exist_ok=True)

    def afresh(self) -> None:
        """Forget what was begun to be made of the source."""
        for one in self.draft.iterdir():
            if one != self.source:
                shutil.rmtree(one, ignore_errors=True)

    def join(self) -> Path:
        """The folder with everything in it that serves: what was made, and the source's files beside it.

        May be done again at any point. Raises OSError.
        """
        if not self.made.is_dir():
            return self.source
        for file in sorted(self.source.iterdir()):
            if (self.made / file.name).exists():
                file.unlink()  # what was made of it is of the same name: the tokenizer's files
            else:
                file.rename(self.made / file.name)
        return self.made

    def place(self) -> int:
        """Give the joined folder its name, for good; how many bytes it holds. Raises OSError."""
        if not self.final.is_dir():
            whole = self.join()
            whole.chmod(0o700)
            for file in whole.iterdir():
                file.chmod(0o600)
            synced(whole)
            whole.rename(self.final)
            synced(self.final.parent)
        shutil.rmtree(self.draft, ignore_errors=True)
        return sum(file.stat().st_size for file in self.final.iterdir())

    def remove(self) -> None:
        """Leave nothing."""
        for folder in (self.draft, self.final):
            shutil.rmtree(folder, ignore_errors=True)


def synced(folder: Path) -> None:
    """Have the disk hold a folder's entries. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(home: Path, ident: str) -> None:
    """Remove a model's files, whose row is gone. One rename first: what is cut short behind it is swept up later."""
    folder = folder_of(home) / ident
    gone = folder.with_name(f"{ident}{_GONE}")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def strays(home: Path) -> list[tuple[str, Path]]:
    """Folders that were begun, or were to be removed, each with the model's id. Whole models are never among them."""
    folder = folder_of(home)
    if not folder.is_dir():
        return []
    ends = (_PARTIAL, _GONE)
    return [(one.name.partition(".")[0], one) for one in folder.iterdir() if one.name.endswith(ends)]
