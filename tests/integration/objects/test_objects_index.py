"""The index of objects on both databases: versions of a key, uploads, blobs in use, pages of keys."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import Connection, insert

from craton.infra.objects import index, listing, uploads
from craton.infra.objects.listing import Place, Shown
from craton.infra.objects.record import NULL, Detail, Part, Piece, Sealing, Upload, Version
from craton.infra.objects.tables import OBJECTS
from craton.infra.store.port import Store

T = TypeVar("T")
DETAIL = Detail(Sealing("000000000000"))
BUCKET = "bucket"


def new(key: bytes, *blobs: str, **more: Any) -> Version:
    pieces = tuple(Piece(blob, 1) for blob in blobs)
    return Version(bucket=BUCKET, key=key, modified_at=1, detail=DETAIL, pieces=pieces, size=len(blobs), **more)


def run(store: Store, work: Callable[[Connection], T]) -> T:
    with store.transaction() as transaction:
        return transaction.run(work)


def put(store: Store, version: Version, *, keeps: bool = False) -> tuple[Version, list[str]]:
    freed: list[str] = []

    def work(connection: Connection) -> Version:
        before = index.newest(connection, version.bucket, version.key)
        return index.store(connection, version, before, freed, keeps=keeps)

    return run(store, work), freed


def remove(store: Store, version: Version) -> list[str]:
    freed: list[str] = []
    run(store, lambda connection: index.remove(connection, version, freed))
    return freed


def newest(store: Store, key: bytes) -> Version | None:
    return run(store, lambda connection: index.newest(connection, BUCKET, key))


def shown(store: Store, **more: Any) -> list[bytes]:
    page = everything(store, listing.objects, **more)
    return page[0]


def everything(
    store: Store, lister: Any, prefix: bytes = b"", delimiter: bytes = b"", limit: int = 1000
) -> tuple[list[bytes], list[bytes], int]:
    """All keys and common prefixes, page by page."""
    keys: list[bytes] = []
    prefixes: list[bytes] = []
    start: Place | None = Place()
    for pages in range(1, 10_000):
        page: Shown = run(store, lambda c, at=start: lister(c, BUCKET, prefix, delimiter, at, limit))
        assert len(page.entries) + len(page.prefixes) <= limit
        keys += [entry.key for entry in page.entries]
        prefixes += page.prefixes
        if not page.more:
            return keys, prefixes, pages
        last = page.last_entry
        start = listing.after(page.last, prefix, delimiter, None if last is None else last.order)
    raise AssertionError("the listing does not end")


def test_an_overwrite_frees_the_old_blobs(store: Store) -> None:
    """Where no versions are kept, a second write takes the place of the first and frees what it held."""
    first, none = put(store, new(b"k", "one"))
    second, freed = put(store, new(b"k", "two", "three"))
    assert (first.version_id, second.version_id, none, freed) == (NULL, NULL, [], ["one"])
    assert newest(store, b"k") == second
    assert run(store, index.blob_ids) == ["three", "two"]
    assert run(store, lambda c: index.in_use(c, ["one", "two"])) == {"two"}


def test_versions_stack_and_fall_back(store: Store) -> None:
    """Versions keep the order they were written in, whatever their times; removing the newest shows the one before."""
    old, _ = put(store, new(b"k", "one"))
    mid, _ = put(store, new(b"k", "two"), keeps=True)
    top, freed = put(store, msgspec.structs.replace(new(b"k", "three"), modified_at=0), keeps=True)
    assert freed == []
    assert len({old.version_id, mid.version_id, top.version_id}) == 3
    assert newest(store, b"k") == top
    for version in (old, mid, top):
        again = run(store, lambda c, v=version: index.version(c, BUCKET, b"k", v.version_id))
        assert again is not None
        assert again.blobs == version.blobs
    assert remove(store, top) == ["three"]
    seen = newest(store, b"k")
    assert seen is not None
    assert (seen.version_id, seen.is_latest) == (mid.version_id, True)
    assert shown(store) == [b"k"]


def test_a_suspended_bucket_replaces_its_null_version_alone(store: Store) -> None:
    """A write without versions takes the null version's place wherever that is, and leaves the named ones."""
    put(store, new(b"k", "null"))
    named, _ = put(store, new(b"k", "named"), keeps=True)
    later, freed = put(store, new(b"k", "later"))
    assert freed == ["null"]
    assert newest(store, b"k") == later
    keys, _, _ = everything(store, listing.versions)
    assert keys == [b"k", b"k"]
    assert remove(store, later) == ["later"]
    seen = newest(store, b"k")
    assert seen is not None
    assert seen.version_id == named.version_id


def test_a_delete_marker_hides_a_key(store: Store) -> None:
    """Behind a delete marker a key is not listed; its versions are, and the marker too."""
    put(store, new(b"k", "one"), keeps=True)
    marker, _ = put(store, new(b"k", marker=True), keeps=True)
    assert shown(store) == []
    assert everything(store, listing.versions)[0] == [b"k", b"k"]
    assert not run(store, lambda c: index.is_empty(c, BUCKET))
    remove(store, marker)
    assert shown(store) == [b"k"]


def test_what_is_no_version_id_finds_nothing(store: Store) -> None:
    """Made-up ids, and ids of other keys, find no version."""
    version, _ = put(store, new(b"k", "one"), keeps=True)
    put(store, new(b"other", "two"), keeps=True)
    for ident in ("", "x", version.version_id[:-1], "A" * 32):
        assert run(store, lambda c, i=ident: index.version(c, BUCKET, b"k", i)) is None
    assert run(store, lambda c: index.version(c, BUCKET, b"other", version.version_id)) is None


def test_details_and_pieces_come_back(store: Store) -> None:
    """What is kept beside the bytes is what was given, and tags can be changed alone."""
    detail = Detail(
        Sealing("1", "aws:kms", "arn", bucket_key=True), {"ContentType": "a/b"}, {"ä": "ö"}, {"t": "v"}, "up"
    )
    version = msgspec.structs.replace(new(b"k", "b"), detail=detail, checksums="FULL_OBJECT CRC32:AAAA")
    stored, _ = put(store, version)
    assert newest(store, b"k") == stored
    assert stored.detail == detail
    other = msgspec.structs.replace(detail, tags={})
    run(store, lambda c: index.amend(c, stored, other))
    again = newest(store, b"k")
    assert again is not None
    assert (again.detail, again.pieces) == (other, stored.pieces)


def upload_of(key: bytes, ident: str) -> Upload:
    return Upload(bucket=BUCKET, key=key, upload_id=ident, started_at=1, detail=DETAIL)


def part_of(number: int, blob: str) -> Part:
    return Part(number=number, size=1, etag="e", modified_at=1, blob=blob, checksums={"CRC32": "x"})


def test_parts_sent_again_replace_and_unused_ones_are_freed(store: Store) -> None:
    """A part has one blob; those that no object took over are free when the upload ends."""
    freed: list[str] = []
    upload = upload_of(b"k", "u")
    run(store, lambda c: uploads.begin(c, upload))
    for part in (part_of(1, "a"), part_of(2, "b"), part_of(1, "c"), part_of(3, "d")):
        run(store, lambda c, p=part: uploads.put_part(c, "u", p, freed))
    assert freed == ["a"]
    assert [part.blob for part in run(store, lambda c: uploads.parts(c, "u"))] == ["c", "b", "d"]
    assert [part.number for part in run(store, lambda c: uploads.parts(c, "u", 1, 1))] == [2]
    run(store, lambda c: uploads.finish(c, upload, ["c", "b"], freed))
    assert freed == ["a", "d"]
    assert run(store, lambda c: uploads.find(c, BUCKET, b"k", "u")) is None
    assert run(store, index.blob_ids) == ["b", "c"]


def test_uploads_are_listed_by_key_and_id(store: Store) -> None:
    """A page may end amid the uploads of one key; a deleted bucket forgets them all."""
    for key, ident in ((b"a", "2"), (b"a", "1"), (b"b/x", "3"), (b"b/y", "4"), (b"c", "5")):
        upload = upload_of(key, ident)
        run(store, lambda c, u=upload: uploads.begin(c, u))
    for limit in (1, 2, 3, 1000):
        keys, prefixes, _ = everything(store, uploads.listing, delimiter=b"/", limit=limit)
        assert (keys, prefixes) == ([b"a", b"a", b"c"], [b"b/"])
    run(store, lambda c: uploads.put_part(c, "3", part_of(1, "blob"), []))
    freed: list[str] = []
    run(store, lambda c: uploads.forget_bucket(c, BUCKET, freed))
    assert freed == ["blob"]
    assert everything(store, uploads.listing)[0] == []


def test_keys_hold_every_byte_and_sort_by_bytes(store: Store) -> None:
    """NUL, slashes, dots and every plane of Unicode are only bytes, and their order is that of the bytes."""
    texts = ["\0", "\0\0", "a", "a\0", "a/", "a//b", "../x", "/", "é", "\ue000", "\U0001f600", "z", "%2F", "+ ", "\x7f"]
    keys = [text.encode() for text in texts]
    for key in keys:
        put(store, new(key))
    for limit in (1, 4, 1000):
        assert everything(store, listing.objects, limit=limit)[0] == sorted(keys)
    for key in keys:
        assert newest(store, key) is not None


LETTERS = some.text("ab/", min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some.sets(LETTERS, max_size=25), some.text("ab/", max_size=2), some.sampled_from(["", "/", "a", "ab"]),
    some.integers(1, 6),
)  # fmt: skip
def test_pages_are_what_a_plain_reading_gives(
    store: Store, names: set[str], prefix: str, delimiter: str, limit: int
) -> None:
    """For any keys, prefix, delimiter and page size the pages together are the rolled-up list, in order."""
    run(store, lambda c: c.execute(OBJECTS.delete()))
    for name in names:
        put(store, new(name.encode()))
    keys, rolled = [], []
    for name in sorted(name for name in names if name.startswith(prefix)):
        at = name.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            keys.append(name.encode())
        elif (stem := name[: at + len(delimiter)].encode()) not in rolled:
            rolled.append(stem)
    for lister in (listing.objects, listing.versions):
        found = everything(store, lister, prefix.encode(), delimiter.encode(), limit)
        assert found[:2] == (keys, rolled)


MANY = 50_000


def test_many_keys_cost_pages_and_not_scans(store: Store) -> None:
    """Among many keys a page, a jump over a common prefix and a look into its middle read a few rows each."""
    rows = [
        {
            "bucket": BUCKET, "key": b"%s/%07d" % (b"deep" if number % 2 else b"wide/%04d" % (number % 1000), number),
            "place": 0, "version_id": NULL, "state": 1, "marker": 0, "size": 0, "etag": "", "modified_at": 0,
            "storage_class": "", "checksums": "", "detail": b"", "blobs": b"",
        }
        for number in range(MANY)
    ]  # fmt: skip
    random.Random(1).shuffle(rows)
    run(store, lambda c: [c.execute(insert(OBJECTS), rows[at : at + 20_000]) for at in range(0, MANY, 20_000)])
    counted = Counting(store)
    page = counted.page(b"", b"/", Place(), 1000)
    assert page.prefixes == [b"deep/", b"wide/"]
    assert counted.rows < 50
    page = counted.page(b"wide/", b"/", Place(), 1000)
    assert len(page.prefixes) == 500
    assert counted.rows < 500 * 10
    page = counted.page(b"deep/", b"", Place(b"deep/%07d" % (MANY // 2), behind=True), 1000)
    assert [page.entries[0].key, len(page.entries)] == [b"deep/%07d" % (MANY // 2 + 1), 1000]
    assert counted.rows == 1001


class Counting:
    """Pages of a store, and how many rows were read for the last one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows = 0

    def page(self, prefix: bytes, delimiter: bytes, start: Place, limit: int) -> Shown:
        self.rows = 0
        return self._store.run(lambda c: listing.objects(self.counted(c), BUCKET, prefix, delimiter, start, limit))

    def counted(self, connection: Connection) -> Any:
        counting = self

        class Counted:
            def execute(self, statement: Any, values: dict[str, Any]) -> list[Any]:
                rows = connection.execute(statement, values).all()
                counting.rows += len(rows)
                return list(rows)

        return Counted()
