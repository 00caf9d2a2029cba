"""What a sync has to do: the source as it is listed, held against the ledger.

Owns what makes a document new, changed, moved, retagged or gone. Pure: marks in, a plan out. It must not know S3, nor
how any of it is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from craton.features.rag.documents import ASKED, LEAVING, Document


class Listed(msgspec.Struct, frozen=True):
    """A document as the source tells of it: its mark, and that of its metadata ("" for none)."""

    identifier: str
    mark: str
    tag_mark: str = ""


class Plan(msgspec.Struct):
    """What to do, by documents as they are listed, with the ledger's row where there is one.

    `moved` are documents of before under new identifiers. `left` counts those with which nothing is to be done.
    """

    new: list[Listed] = []
    modified: list[tuple[Listed, Document]] = []
    retagged: list[tuple[Listed, Document]] = []
    moved: list[tuple[Listed, Document]] = []
    gone: list[Document] = []
    left: int = 0


def plan(listed: Iterable[Listed], known: Iterable[Document], recipe: str, *, anew: bool = False) -> Plan:
    """The plan of a sync. `recipe` is how documents are read and embedded now; `anew`: the index begins from nothing.

    Documents for which somebody asks something by themselves are left to that. One that could not be used before is
    tried again.
    """
    found, rows = Plan(), {one.identifier: one for one in known}
    fresh: list[Listed] = []
    for one in listed:
        row = rows.pop(one.identifier, None)
        if row is None:
            fresh.append(one)
        elif row.status in ASKED or row.status in LEAVING:
            found.left += 1
        elif anew or row.recipe != recipe or row.etag != one.mark:
            found.modified.append((one, row))
        elif row.tag_etag != one.tag_mark:
            found.retagged.append((one, row))
        else:
            found.left += 1
    gone = {one.identifier: one for one in rows.values() if one.status not in ASKED | LEAVING}
    _match(found, fresh, gone if not anew else {}, recipe)
    moved = {row.identifier for _, row in found.moved}
    found.gone += [one for key, one in gone.items() if key not in moved]
    return found


def _match(found: Plan, fresh: Collection[Listed], gone: Mapping[str, Document], recipe: str) -> None:
    """A new document that is just what another was which is gone has been moved; each is moved once.

    With another ending it would be read as another type, so it is new.
    """
    by_mark: dict[tuple[str, str, str], list[Document]] = {}
    for row in gone.values():
        if row.recipe == recipe and row.chunks:
            by_mark.setdefault((row.etag, row.tag_etag, _ending(row.identifier)), []).append(row)
    for one in fresh:
        rows = by_mark.get((one.mark, one.tag_mark, _ending(one.identifier)))
        if rows:
            found.moved.append((one, rows.pop()))
        else:
            found.new.append(one)


def _ending(identifier: str) -> str:
    return identifier.rpartition("/")[2].rpartition(".")[2].lower()
