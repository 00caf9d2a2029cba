"""Processes that die or race: nothing acknowledged is lost, nothing is half there, no compare-and-swap is lost."""

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
store = open_store(Path(sys.argv[1]))
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


def start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A child that runs a script on the store."""
    return subprocess.Popen([sys.executable, "-c", PRELUDE + script, *arguments], stdout=subprocess.PIPE)


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


def test_kill_loses_nothing_acknowledged_and_leaves_nothing_half(tmp_path: Path) -> None:
    """A writer is killed again and again in full swing, sometimes while the next opener mends the log."""
    path = tmp_path / "store.db"
    acknowledged: set[int] = set()
    following = 1
    for life_s in (0.05, 0.3, 0.01, 0.2):
        child = start(WRITER, str(path), str(following))
        assert child.stdout is not None
        acknowledged.add(int(child.stdout.readline()))
        time.sleep(life_s)
        child.kill()
        told = child.stdout.read().splitlines(keepends=True)
        acknowledged.update(int(line) for line in told if line.endswith(b"\n"))
        child.stdout.close()
        child.wait()
        store = open_store(path)
        following = check_pairs(store, acknowledged)
        store.close()
    assert len(acknowledged) > 10


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
def test_processes_never_lose_a_compare_and_swap(tmp_path: Path, writers: int) -> None:
    """Several processes that count in one row reach the exact sum, each step one version."""
    path = tmp_path / "store.db"
    store = open_store(path)
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
    children = [start(COUNTER, str(path), "25") for _ in range(writers)]
    for child in children:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait() == 0
    final = store.get("arn:0-a")
    store.close()
    assert final is not None
    assert (final.status, final.version) == (str(25 * writers), 25 * writers + 1)
