"""Prints the exact version of every package that Craton and its extras brought into this environment.

The names come from following the requirements of `craton` with all extras, so that what somebody installed by hand
does not get in. A version is what was installed and tested; pip takes the file with `-c`.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

EXTRAS = tuple(distribution("craton").metadata.get_all("Provides-Extra") or ())


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def follow(name: str, extras: frozenset[str], found: dict[str, str], seen: set[tuple[str, frozenset[str]]]) -> None:
    """Collect `name` and all it requires here."""
    key = (canonical(name), extras)
    if key in seen:
        return
    seen.add(key)
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return
    found[key[0]] = package.version
    for line in package.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            follow(requirement.name, frozenset(requirement.extras), found, seen)


def main() -> None:
    found: dict[str, str] = {}
    follow("craton", frozenset(EXTRAS), found, set())
    found.pop("craton")
    print("# Exact versions that Craton is tested with. Made by `make lock`; used as a constraints file.")
    for name, version in sorted(found.items()):
        # A local version label (+cpu) names a build, not a release: another machine may have another build.
        print(f"{name}=={version.split('+')[0]}")


if __name__ == "__main__":
    main()
