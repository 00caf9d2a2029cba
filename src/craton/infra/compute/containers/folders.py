"""What a container of bubblewrap sees of the disk: folders of the system or of its own root, and where it may write.

Owns the list of what of this machine a command needs to run, and how a root folder becomes a read-only `/` in which
further folders appear where it has none. Pure but for looking at folders; must not know what runs in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

# Of this machine, for a command: programs and libraries, and of /etc what libraries look up; nothing of any user's.
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix", "gnu")
_SETTINGS = (
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "nsswitch.conf", "passwd", "group", "hosts",
    "mime.types", "fonts", "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "OpenCL", "vulkan",
)  # fmt: skip
_MADE = frozenset({"/proc", "/dev", "/tmp", "/sys", "/run"})  # noqa: S108 - the container's own


def system(command: str, reads: Iterable[str], mounts: Iterable[str]) -> list[str]:
    """Arguments for a command of this machine: it sees programs, libraries, its own folder and `reads`."""
    words = _below((Path("/", name) for name in _SYSTEM), PurePosixPath("/"), {PurePosixPath(one) for one in mounts})
    for name in _SETTINGS:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for folder in dict.fromkeys([*program_folders(command), *reads]):
        words += ["--ro-bind", folder, folder]
    return words


def program_folders(command: str) -> list[str]:
    """Where a program and what belongs to it lie, if that is not among the system's folders.

    Raises:
        FileNotFoundError: there is no such program.
    """
    found = shutil.which(command)
    if found is None:
        raise FileNotFoundError(2, f"there is no program {command}")
    # A virtual environment's interpreter is a link, and both ends have libraries of their own beside them.
    places, place = [], Path(found).absolute()
    for _ in range(8):
        places.append(place)
        if not place.is_symlink():
            break
        place = Path(os.path.normpath(place.parent / place.readlink()))
    folders = [str(one.parent.parent if one.parent.name in ("bin", "sbin") else one.parent) for one in places]
    return [one for one in dict.fromkeys(folders) if one != "/" and PurePosixPath(one).parts[1] not in _SYSTEM]


def rooted(root: Path, mounts: Iterable[str]) -> list[str]:
    """Arguments that make `root` the container's `/`, read-only, with room for `mounts` where it has no such folders."""
    within = {PurePosixPath(one) for one in mounts}
    return _below(sorted(root.iterdir()), PurePosixPath("/"), within)


def _below(entries: Iterable[Path], at: PurePosixPath, mounts: set[PurePosixPath]) -> list[str]:
    """The entries of one folder: each whole, unless something is to be mounted within it; then entry by entry."""
    words: list[str] = []
    for entry in entries:
        place = at / entry.name
        if str(place) in _MADE or place in mounts:
            continue
        if entry.is_dir() and not entry.is_symlink() and any(place in mount.parents for mount in mounts):
            words += ["--dir", str(place), *_below(sorted(entry.iterdir()), place, mounts)]
        else:
            words += shown(entry, place)
    return words


def shown(entry: Path, at: PurePosixPath | None = None) -> list[str]:
    """A folder or file as it is; a link as a link, so that it leads within the container. Nothing for what is not there."""
    place = str(at or entry)
    if entry.is_symlink():
        return ["--symlink", str(entry.readlink()), place]
    return ["--ro-bind", str(entry), place] if entry.exists() else []
