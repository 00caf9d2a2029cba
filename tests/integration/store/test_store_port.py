"""The store port's one suite: every backend passes all of it. The fixtures are in conftest.py."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from craton.infra.store.port import (
    AlreadyExists,
    ClientToken,
    Conflict,
    NotFound,
    Query,
    Resource,
    Store,
    TokenReused,
    TooNew,
    amend,
    create_once,
    select,
)
from craton.infra.store.upgrade import Upgrades

T0 = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

Opener = Callable[[Upgrades], Store]


def guardrail(number: int = 1, **changes: Any) -> Resource:
    """A row with id, ARN and name after `number`, made `number` seconds after T0."""
    row = Resource(
        account="111122223333",
        region="us-east-1",
        kind="guardrail",
        id=f"g{number}",
        arn=f"arn:aws:bedrock:us-east-1:111122223333:guardrail/g{number}",
        name=f"name-{number}",
        status="READY",
        created_at=T0 + timedelta(seconds=number),
        updated_at=T0 + timedelta(seconds=number),
        body=b'{"n":%d}' % number,
    )
    return msgspec.structs.replace(row, **changes)


def token(**changes: Any) -> ClientToken:
    """A client token of one request."""
    made = ClientToken(
        account="111122223333", region="us-east-1", operation="CreateGuardrail", token="t", request_hash="h"
    )
    return msgspec.structs.replace(made, **changes)


def test_created_row_is_found_by_arn_id_and_name_as_it_was(store: Store) -> None:
    """A row comes back whole, times to the microsecond, whichever key it is asked by."""
    made = store.create(guardrail())
    assert made == guardrail(version=1, schema=1)
    assert store.get(made.arn) == made
    assert store.get_by_id("111122223333", "us-east-1", "guardrail", "g1") == made
    assert store.get_by_name("111122223333", "us-east-1", "guardrail", "name-1") == made


def test_times_from_other_zones_come_back_as_the_same_moment_in_utc(store: Store) -> None:
    """A stored moment has no zone of its own."""
    local = T0.astimezone(tz=None)
    found = store.create(guardrail(created_at=local, updated_at=local))
    again = store.get(found.arn)
    assert again is not None
    assert again.created_at == T0
    assert again.created_at.utcoffset() == timedelta(0)


def test_unknown_keys_find_nothing(store: Store) -> None:
    """Another account, region, kind or spelling is another key."""
    store.create(guardrail())
    assert store.get("arn:none") is None
    assert store.get_by_id("111122223333", "us-west-2", "guardrail", "g1") is None
    assert store.get_by_id("444455556666", "us-east-1", "guardrail", "g1") is None
    assert store.get_by_name("111122223333", "us-east-1", "guardrail", "NAME-1") is None
    assert store.get_by_name("111122223333", "us-east-1", "agent", "name-1") is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "other"}, "id"),
        ({"id": "other", "arn": "arn:other"}, "name"),
        ({"id": "other", "name": "other"}, "arn"),
    ],
)
def test_taken_values_are_refused_by_name(store: Store, changes: dict[str, Any], field: str) -> None:
    """A collision says which value is taken and by which row, and leaves that row as it was."""
    first = store.create(guardrail())
    with pytest.raises(AlreadyExists) as refused:
        store.create(guardrail(**changes))
    assert (refused.value.field, refused.value.arn) == (field, first.arn)
    assert store.get(first.arn) == first


def test_rows_without_names_do_not_collide(store: Store) -> None:
    """None is no name, so many rows may have it."""
    store.create(guardrail(1, name=None))
    store.create(guardrail(2, name=None))
    with pytest.raises(AlreadyExists) as refused:
        store.create(guardrail(2, name=None, id="g3"))
    assert refused.value.field == "arn"


def test_names_are_free_in_other_accounts_regions_and_kinds(store: Store) -> None:
    """A name is unique per account, region and kind only."""
    store.create(guardrail(1))
    store.create(guardrail(1, account="444455556666", arn="arn:2"))
    store.create(guardrail(1, region="eu-west-1", arn="arn:3"))
    store.create(guardrail(1, kind="agent", arn="arn:4"))
    assert len(store.list(Query(kind="guardrail")).items) == 3


def test_update_writes_what_may_change_and_counts_the_version(store: Store) -> None:
    """Name, status, time and body change; the version rises by one."""
    made = store.create(guardrail())
    later = T0 + timedelta(days=1)
    changed = store.update(msgspec.structs.replace(made, name="n", status="FAILED", updated_at=later, body=b"{}"))
    assert changed.version == 2
    assert store.get(made.arn) == changed
    assert (changed.name, changed.status, changed.updated_at, changed.body) == ("n", "FAILED", later, b"{}")


def test_update_of_a_stale_row_is_a_conflict(store: Store) -> None:
    """Whoever read an older version loses and changes nothing."""
    made = store.create(guardrail())
    newer = store.update(msgspec.structs.replace(made, status="A"))
    with pytest.raises(Conflict) as lost:
        store.update(msgspec.structs.replace(made, status="B"))
    assert (lost.value.expected, lost.value.found) == (1, 2)
    assert store.get(made.arn) == newer


def test_update_to_a_taken_name_is_refused(store: Store) -> None:
    """Renaming onto another row's name fails; keeping one's own name does not."""
    store.create(guardrail(1))
    second = store.create(guardrail(2))
    with pytest.raises(AlreadyExists) as refused:
        store.update(msgspec.structs.replace(second, name="name-1"))
    assert refused.value.field == "name"
    assert store.update(second).version == 2


def test_update_and_delete_of_nothing_are_not_found(store: Store) -> None:
    """A row that is not there cannot change."""
    with pytest.raises(NotFound):
        store.update(guardrail(version=1))
    with pytest.raises(NotFound):
        store.delete("arn:none")
    with pytest.raises(NotFound):
        store.delete("arn:none", version=3)
    with pytest.raises(NotFound):
        amend(store, "arn:none", lambda row: row)


def test_delete_removes_the_row_and_frees_its_name(store: Store) -> None:
    """After a delete the same row can be made again."""
    made = store.create(guardrail())
    store.delete(made.arn)
    assert store.get(made.arn) is None
    assert store.create(guardrail()).version == 1


def test_delete_of_a_stale_version_is_a_conflict(store: Store) -> None:
    """A delete can be bound to the version that was read."""
    made = store.create(guardrail())
    store.update(made)
    with pytest.raises(Conflict):
        store.delete(made.arn, version=1)
    store.delete(made.arn, version=2)
    assert store.get(made.arn) is None


def test_amend_changes_the_row_as_it_stands(store: Store) -> None:
    """Read, change and write happen as one."""
    made = store.create(guardrail())
    store.update(msgspec.structs.replace(made, status="A"))
    amended = amend(store, made.arn, lambda row: msgspec.structs.replace(row, name=f"{row.status}!"))
    assert (amended.version, amended.name) == (3, "A!")


def test_transaction_is_all_or_nothing(store: Store) -> None:
    """A block that raises leaves no trace, neither rows nor tokens nor a stamp."""
    before = store.stamp()
    with pytest.raises(RuntimeError), store.transaction() as transaction:
        transaction.claim(token(), "arn:1", T0)
        transaction.create(guardrail(1))
        raise RuntimeError
    assert store.get(guardrail(1).arn) is None
    assert store.stamp() == before
    _made, new = create_once(store, guardrail(1), token(request_hash="other"))
    assert new


def test_transaction_reads_its_own_writes_and_survives_a_collision(store: Store) -> None:
    """A refused create inside a block leaves the block usable."""
    store.create(guardrail(1))
    with store.transaction() as transaction:
        transaction.create(guardrail(2))
        with pytest.raises(AlreadyExists):
            transaction.create(guardrail(1))
        assert transaction.get(guardrail(2).arn) is not None
        transaction.create(guardrail(3))
    assert len(store.list(Query(kind="guardrail")).items) == 3


def test_same_token_and_request_give_the_first_result(store: Store) -> None:
    """A repeated request makes nothing new."""
    first, new = create_once(store, guardrail(1), token())
    again, newer = create_once(store, guardrail(2), token())
    assert (new, newer) == (True, False)
    assert again == first
    assert store.get(guardrail(2).arn) is None


def test_same_token_with_another_request_is_refused(store: Store) -> None:
    """The error names what the first request made."""
    first, _new = create_once(store, guardrail(1), token())
    with pytest.raises(TokenReused) as refused:
        create_once(store, guardrail(2), token(request_hash="other"))
    assert refused.value.arn == first.arn


@pytest.mark.parametrize(
    "changes",
    [{"account": "444455556666"}, {"region": "eu-west-1"}, {"operation": "CreateAgent"}, {"token": "T"}],
)
def test_tokens_of_others_are_other_tokens(store: Store, changes: dict[str, str]) -> None:
    """A token counts per account, region and operation, and to the letter."""
    create_once(store, guardrail(1), token())
    _made, new = create_once(store, guardrail(2), token(request_hash="other", **changes))
    assert new


def test_no_token_always_creates(store: Store) -> None:
    """Without a token a repeated request meets the name that it took itself."""
    create_once(store, guardrail(1), None)
    with pytest.raises(AlreadyExists):
        create_once(store, guardrail(1), None)


def test_token_goes_with_its_resource(store: Store) -> None:
    """After a delete the token is free again."""
    first, _new = create_once(store, guardrail(1), token())
    store.delete(first.arn)
    _again, new = create_once(store, guardrail(1), token(request_hash="other"))
    assert new


def test_token_is_forgotten_after_a_day(store: Store) -> None:
    """A token of the day before does not bind."""
    create_once(store, guardrail(1), token())
    tomorrow = guardrail(2, created_at=T0 + timedelta(hours=25))
    _made, new = create_once(store, tomorrow, token(request_hash="other"))
    assert new


def test_refused_create_does_not_keep_its_token(store: Store) -> None:
    """A request that failed may be repeated with the same token and other contents."""
    store.create(guardrail(1))
    with pytest.raises(AlreadyExists):
        create_once(store, guardrail(1), token())
    _made, new = create_once(store, guardrail(2), token(request_hash="other"))
    assert new


@pytest.mark.parametrize("sort", ["created_at", "updated_at", "name", "id"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_cover_every_row_once_in_order(store: Store, sort: Any, descending: bool, limit: int) -> None:
    """Following `after` to its end visits all rows in order, equal sort values and missing names included."""
    for number in range(7):
        name = None if number % 3 == 0 else f"n{number}"
        moment = T0 + timedelta(seconds=number // 3)
        store.create(guardrail(number, name=name, created_at=moment, updated_at=moment))
    seen: list[Resource] = []
    query = Query(kind="guardrail", sort=sort, descending=descending, limit=limit)
    while True:
        page = store.list(query)
        assert len(page.items) <= limit
        seen.extend(page.items)
        if page.after is None:
            break
        query = msgspec.structs.replace(query, after=page.after)
    assert len(seen) == 7
    order = [(getattr(row, sort) or "", row.arn) for row in seen]
    assert order == sorted(order, reverse=descending)


def test_names_sort_byte_by_byte(store: Store) -> None:
    """Capitals come before small letters, and letters beyond ASCII after both."""
    for number, name in enumerate(["b", "B", "ä", "a"]):
        store.create(guardrail(number, name=name))
    assert [row.name for row in store.list(Query(kind="guardrail", sort="name")).items] == ["B", "a", "b", "ä"]


def test_rows_made_between_pages_do_not_disturb_the_rest(store: Store) -> None:
    """A page position is a place in the order, not a count."""
    for number in (1, 2, 4):
        store.create(guardrail(number))
    page = store.list(Query(kind="guardrail", limit=2))
    store.delete(guardrail(2).arn)
    store.create(guardrail(3))
    rest = store.list(Query(kind="guardrail", limit=9, after=page.after))
    assert [row.id for row in rest.items] == ["g3", "g4"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"account": "444455556666"}, ["g4"]),
        ({"region": "eu-west-1"}, ["g3"]),
        ({"status": "FAILED"}, ["g2"]),
        ({"name_contains": "ame-"}, ["g1", "g2", "g3"]),
        ({"name_contains": "AME"}, []),
        ({"name_contains": "%"}, ["g4"]),
        ({"name_contains": ""}, ["g1", "g2", "g3", "g4"]),
        ({"id_prefix": "g"}, ["g1", "g2", "g3", "g4"]),
        ({"id_prefix": "g_"}, []),
        ({"created_after": T0 + timedelta(seconds=2)}, ["g3", "g4"]),
        ({"created_before": T0 + timedelta(seconds=2)}, ["g1"]),
        ({"status": "READY", "region": "us-east-1", "created_after": T0 + timedelta(seconds=1)}, ["g4"]),
    ],
)
def test_filters_restrict_a_listing(store: Store, filters: dict[str, Any], expected: list[str]) -> None:
    """Each filter holds alone and together; the letters of SQL patterns mean nothing."""
    store.create(guardrail(1))
    store.create(guardrail(2, status="FAILED"))
    store.create(guardrail(3, region="eu-west-1"))
    store.create(guardrail(4, account="444455556666", name="100%"))
    assert [row.id for row in store.list(Query(kind="guardrail", **filters)).items] == expected


def test_a_page_of_no_rows_is_a_mistake(store: Store) -> None:
    """A limit below one is refused instead of paging for ever."""
    with pytest.raises(ValueError, match="at least one"):
        store.list(Query(kind="guardrail", limit=0))


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_select_fills_pages_with_rows_that_its_function_keeps(store: Store, limit: int) -> None:
    """A filter on the body pages like any other, and no page is short but the last."""
    for number in range(10):
        store.create(guardrail(number))
    wanted: list[str] = []
    query = Query(kind="guardrail", limit=limit)
    while True:
        page = select(store, query, lambda row: row.read(dict[str, int])["n"] % 3 == 0)
        wanted.extend(row.id for row in page.items)
        if page.after is None:
            break
        assert len(page.items) == limit
        query = msgspec.structs.replace(query, after=page.after)
    assert wanted == ["g0", "g3", "g6", "g9"]


def test_stamp_rises_with_every_commit_and_by_kind(store: Store) -> None:
    """Create, update and delete raise the stamp of their kind and the whole; reads and failures do not."""
    stamps = [store.stamp("guardrail")]
    made = store.create(guardrail())
    stamps.append(store.stamp("guardrail"))
    made = store.update(made)
    stamps.append(store.stamp("guardrail"))
    store.get(made.arn)
    with pytest.raises(AlreadyExists):
        store.create(guardrail())
    assert store.stamp("guardrail") == stamps[-1]
    store.delete(made.arn)
    stamps.append(store.stamp("guardrail"))
    assert stamps == sorted(set(stamps))
    assert store.stamp("agent") == 0
    store.create(guardrail(2, kind="agent"))
    assert store.stamp("guardrail") == stamps[-1]
    assert store.stamp() == store.stamp("guardrail", "agent") == stamps[-1] + store.stamp("agent")


def test_old_bodies_are_upgraded_on_read(lasting: Opener) -> None:
    """A row of format 1 reads as format 3, and the next update writes it back as such."""
    steps = (lambda body: {"number": body["n"]}, lambda body: {**body, "unit": "none"})
    old, new = lasting({}), lasting({"guardrail": steps})
    made = old.create(guardrail())
    found = new.get(made.arn)
    assert found is not None
    assert (found.schema, found.read(dict[str, Any])) == (3, {"number": 1, "unit": "none"})
    assert new.list(Query(kind="guardrail")).items == (found,)
    assert old.get(made.arn) == made
    new.update(found)
    with pytest.raises(TooNew):
        old.get(made.arn)


def test_rows_outlive_their_store_and_are_seen_by_another(lasting: Opener) -> None:
    """What one store committed, another one on the same database reads, with the same stamp."""
    first, second = lasting({}), lasting({})
    made = first.create(guardrail())
    assert second.get(made.arn) == made
    assert second.stamp() == first.stamp() > 0
    first.close()
    assert lasting({}).get(made.arn) == made


def test_reset_forgets_everything_but_rises_the_stamp(store: Store) -> None:
    """After a reset rows and tokens are gone, and whoever watches the stamp notices."""
    create_once(store, guardrail(), token())
    before = store.stamp("guardrail")
    store.reset()
    assert store.list(Query(kind="guardrail")).items == ()
    assert store.stamp("guardrail") > before
    _made, new = create_once(store, guardrail(), token(request_hash="other"))
    assert new


def test_threads_share_a_store(store: Store) -> None:
    """Eight threads that count in one row lose nothing."""
    made = store.create(guardrail(body=b'{"n":0}'))

    def plus_one(row: Resource) -> Resource:
        return msgspec.structs.replace(row, body=b'{"n":%d}' % (row.read(dict[str, int])["n"] + 1))

    def count() -> None:
        for _ in range(10):
            amend(store, made.arn, plus_one)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = store.get(made.arn)
    assert final is not None
    assert (final.version, final.body) == (81, b'{"n":80}')


def test_bodies_may_hold_any_bytes(store: Store) -> None:
    """The store keeps bodies as they are."""
    body = bytes(range(256)) * 4096
    made = store.create(guardrail(body=body))
    found = store.get(made.arn)
    assert found is not None
    assert found.body == body


def test_hostile_text_is_only_text(store: Store) -> None:
    """Quotes, control letters and right-to-left marks go in and out as they are."""
    name = "'; DROP TABLE resources; -- \u202e \x01 🦙"
    made = store.create(guardrail(name=name))
    assert store.get_by_name(made.account, made.region, made.kind, name) == made
    assert store.list(Query(kind="guardrail", name_contains="'; DROP")).items == (made,)


def test_nothing_is_called_by_a_nul(store: Store) -> None:
    """The letter that PostgreSQL does not know is refused in what is made, and found nowhere."""
    store.create(guardrail())
    with pytest.raises(ValueError, match="NUL"):
        store.create(guardrail(2, name="a\0b"))
    assert store.get("arn\0") is None
    assert store.get_by_id("111122223333", "us-east-1", "guardrail", "g1\0") is None
    assert store.get_by_name("111122223333", "us-east-1", "guardrail", "\0") is None
    assert store.list(Query(kind="guardrail", name_contains="\0")).items == ()
    with pytest.raises(NotFound):
        store.delete("arn\0")
