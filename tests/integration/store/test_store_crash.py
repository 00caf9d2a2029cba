"""Processes that die or race, on every database that several may open: nothing acknowledged is lost or half there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from craton.infra.store.opening import open_store
from craton.infra.store.port import Query, Resource, Store

T0 = datetime(2026, 1, 1, tzinfo=UTC)

PRELUDE = """
import hashlib, os, sys
from datetime import UTC, datetime
from pathlib import Path
import msgspec
from craton.infra.store.opening import open_store
from craton.infra.store.port import Conflict, Resource
T0 = datetime(2026, 1, 1, tzinfo=UTC)
place = sys.argv[1]
store = open_store(place if "://" in place else Path(place))
def row(number, half):
    noise = os.urandom(3000).hex()
    body = {"noise": noise, "hash": hashlib.sha256(noise.encode()).hexdigest()}
    return Resource(account="1", region="r", kind="k", id=f"{number}-{half}", arn=f"arn:{number}-{half}",
                    created_at=T0, updated_at=T0, body=msgspec.json.encode(body))
"""

WRITER = """
number = int(sys.argv[2])
while True:
    with store.transaction() as transaction:
        transaction.create(row(number, "a"))
        transaction.create(row(number, "b"))
    os.write(1, b"%d\\n" % number)
    number += 1
"""

COUNTER = """
done = 0
while done < int(sys.argv[2]):
    found = store.get("arn:0-a")
    count = int(found.status) + 1
    try:
        store.update(msgspec.structs.replace(found, status=str(count)))
        done += 1
    except Conflict:
        pass
store.close()
"""


def start(script: str, *arguments: str, stdin: int | None = None) -> subprocess.Popen[bytes]:
    """A child that runs a script on the store."""
    command = [sys.executable, "-c", PRELUDE + script, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=stdin)


def check_pairs(store: Store, acknowledged: set[int]) -> int:
    """Every acknowledged pair is there, pairs are whole, bodies are intact; returns the next free number."""
    found = store.list(Query(kind="k", limit=100_000)).items
    numbers: dict[int, int] = {}
    for each in found:
        body = each.read(dict[str, str])
        assert hashlib.sha256(body["noise"].encode()).hexdigest() == body["hash"]
        number = int(each.id.partition("-")[0])
        numbers[number] = numbers.get(number, 0) + 1
    assert acknowledged <= numbers.keys()
    assert set(numbers.values()) <= {2}
    assert store.stamp("k") == len(numbers)
    return max(numbers, default=0) + 1


def test_kill_loses_nothing_acknowledged_and_leaves_nothing_half(place: str | Path) -> None:
    """A writer is killed again and again in full swing, sometimes while the next opener mends the log."""
    acknowledged: set[int] = set()
    following = 1
    for life_s in (0.05, 0.3, 0.01, 0.2):
        child = start(WRITER, str(place), str(following))
        assert child.stdout is not None
        acknowledged.add(int(child.stdout.readline()))
        time.sleep(life_s)
        child.kill()
        told = child.stdout.read().splitlines(keepends=True)
        acknowledged.update(int(line) for line in told if line.endswith(b"\n"))
        child.stdout.close()
        child.wait()
        store = open_store(place)
        following = check_pairs(store, acknowledged)
        store.close()
    assert len(acknowledged) > 4  # at least one of each life, and one to lose


RACER = """
sys.stdin.read(1)
from craton.infra.store.port import AlreadyExists, ClientToken, TokenReused, create_once
given = ClientToken(account="1", region="r", operation="Make", token="t", request_hash="h")
me = msgspec.structs.replace(row(sys.argv[2], "a"), name="contested")
try:
    print(store.create(me).arn if sys.argv[3] == "name" else create_once(store, me, given)[0].arn)
except AlreadyExists as error:
    print("taken", error.field)
store.close()
"""


@pytest.mark.parametrize(("by", "said"), [("name", {"made": 1, "taken": 4}), ("token", {"made": 5})])
def test_of_many_that_make_one_thing_one_makes_it(place: str | Path, by: str, said: dict[str, int]) -> None:
    """Processes that take one name, or bring one client token, at the same moment: one row, and nobody fails."""
    racers = [start(RACER, str(place), str(number), by, stdin=subprocess.PIPE) for number in range(5)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"x")
        racer.stdin.close()
    words = []
    for racer in racers:
        assert racer.stdout is not None
        words.append(racer.stdout.read().decode().strip())
        racer.stdout.close()
        assert racer.wait() == 0
    store = open_store(place)
    rows = store.list(Query(kind="k")).items
    store.close()
    assert len(rows) == 1
    made = [word for word in words if word == rows[0].arn]
    taken = [word for word in words if word == "taken name"]
    assert {"made": len(made), "taken": len(taken)} == {"made": 0, "taken": 0} | said


def test_first_starts_at_once_agree(place: str | Path) -> None:
    """Processes that open a new database at the same moment all succeed, and it is migrated once."""
    starts = [start("print(store.stamp()); store.close()", str(place)) for _ in range(4)]
    for each in starts:
        assert each.stdout is not None
        assert each.stdout.read() == b"0\n"
        each.stdout.close()
        assert each.wait() == 0


def test_kill_while_the_database_is_made_leaves_it_usable(tmp_path: Path) -> None:
    """A first start that is cut short at any moment does not spoil the next one."""
    for number, life_s in enumerate((0.3, 0.4, 0.45, 0.5, 0.6)):
        path = tmp_path / f"{number}.db"
        child = start(WRITER, str(path), "1")
        time.sleep(life_s)
        child.kill()
        assert child.stdout is not None
        child.stdout.close()
        child.wait()
        store = open_store(path)
        check_pairs(store, set())
        store.close()


@pytest.mark.parametrize("writers", [4])
def test_processes_never_lose_a_compare_and_swap(place: str | Path, writers: int) -> None:
    """Several processes that count in one row reach the exact sum, each step one version."""
    store = open_store(place)
    body = msgspec.json.encode({})
    store.create(
        Resource(
            account="1",
            region="r",
            kind="k",
            id="0-a",
            arn="arn:0-a",
            status="0",
            created_at=T0,
            updated_at=T0,
            body=body,
        )
    )
    children = [start(COUNTER, str(place), "25") for _ in range(writers)]
    for child in children:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait() == 0
    final = store.get("arn:0-a")
    store.close()
    assert final is not None
    assert (final.status, final.version) == (str(25 * writers), 25 * writers + 1)
