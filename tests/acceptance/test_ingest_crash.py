"""Syncs whose worker is killed with -9 at every step: the result is that of an undisturbed one, and no text is embedded
twice that was embedded before the death.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from craton.features.rag import ledger
from craton.features.rag.resources import KnowledgeBase, base_arn
from craton.infra.vectors.lance import LanceVectors, Place
from tests.acceptance.knowledge import Knowledge, knowledge, until
from tests.fakes import embedders, scripts
from tests.fakes.upstream import FakeUpstream, Request
from tests.integration.jobs.crashing import ACCOUNT, REGION, Crashing, crashing
from tests.running import model_config

KINDS = "tests.integration.rag.dying:WORKFLOWS"
TITAN = "amazon.titan-embed-text-v2:0"
# Each list is survived by one sync; five deaths in a row without a step would be taken for the job's own fault.
DEATHS = (
    ["written:1", "read:2", "answered:30"],
    ["put:1", "finished:1"],
    ["write:3", "written:1"],
)


def fill(where: Knowledge, turn: int) -> None:
    """Documents of a turn: some new, some changed, some gone, some with other metadata."""
    s3 = where.server.client("s3")
    for number in range(40):
        where.put(f"{turn}/{number}.txt", f"document {number} of turn {turn}", {"turn": turn})
    if turn:
        where.put(f"{turn - 1}/0.txt", f"changed in turn {turn}", {"turn": turn})
        where.put(f"{turn - 1}/1.txt", f"document 1 of turn {turn - 1}", {"turn": 100})
        for key in (f"{turn - 1}/2.txt", f"{turn - 1}/2.txt.metadata.json"):
            s3.delete_object(Bucket=where.bucket, Key=key)


def state(server: Crashing, where: Knowledge) -> Any:
    """What the index and the ledger say, without what differs from one knowledge base to another."""
    store, arn = server.store(), base_arn(ACCOUNT, REGION, where.base)
    row = store.get(arn)
    assert row is not None
    version = row.read(KnowledgeBase).index
    documents = store.run(lambda c: list(ledger.known(c, arn, where.source)))
    writer = store.run(lambda c: ledger.writer(c, arn))
    store.close()
    assert version is not None
    assert writer is None

    async def chunks() -> list[Any]:
        vectors = LanceVectors(Place(str(server.home / "vectors")))
        shelf = await vectors.open(version)
        found = [one for document in documents for one in await shelf.document(document.key)]
        await vectors.close()
        return found

    found = asyncio.run(chunks())
    assert len({one.id for one in found}) == len(found) == version.chunks
    here = len(f"s3://{where.bucket}/")
    rows = sorted((one.identifier[here:], one.status, one.content, one.tags, one.chunks) for one in documents)
    index = sorted((one.document.partition("/")[2][here:], one.text, sorted(one.metadata.items())) for one in found)
    return rows, index


def slowly(request: Request) -> scripts.Script:
    return (scripts.Sleep(0.03), *embedders.natural(request))


def sync(server: Crashing, where: Knowledge, deaths: list[str]) -> dict[str, Any]:
    (server.home / "deaths").write_text("\n".join(deaths))
    job = where.sync()
    assert not (server.home / "deaths").read_text().split(), server.output()[-3000:]
    return job


def test_killed_at_every_step(tmp_path: Path) -> None:
    """Three syncs, each killed again and again, against three that nobody disturbed."""
    with FakeUpstream(fallback=slowly) as up:
        config = "[rag]\nembeddings_at_once = 4\n" + model_config(
            TITAN, "openai", up.openai_url, model="text-embedding-3-small"
        )
        with crashing(tmp_path, config, kinds=KINDS) as server:
            peace, war = knowledge(server, "peace"), knowledge(server, "war")
            for turn, deaths in enumerate(DEATHS):
                fill(peace, turn)
                calm = sync(server, peace, [])
                up.requests.clear()
                fill(war, turn)
                wild = sync(server, war, deaths)
                assert wild["statistics"] == calm["statistics"]
                assert state(server, war) == state(server, peace)
                twice = sum(count - 1 for count in Counter(str(one.json["input"]) for one in up.requests).values())
                # Calls take 30 ms: at a death four may be under way, and in the tenth of a second before sixteen be answered.
                assert twice <= 20 * len(deaths), twice
            until(lambda: [*(tmp_path / "scratch" / "ingestion").iterdir()], lambda left: not left, 60)


@contextmanager
def mortal(home: Path, answering: Callable[[Request], scripts.Script]) -> Iterator[tuple[Crashing, FakeUpstream]]:
    """A server whose workers die as the file `deaths` says, over a model that answers so."""
    with FakeUpstream(fallback=answering) as up:
        config = model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small")
        with crashing(home, config, kinds=KINDS) as server:
            yield server, up


def died(home: Path, timeout_s: float = 90.0) -> None:
    """Wait until all deaths have happened."""
    until((home / "deaths").read_text, lambda left: not left, timeout_s)


def test_killed_while_documents_are_taken_in(tmp_path: Path) -> None:
    """What was asked for a single document is done after all, once."""
    with mortal(tmp_path, embedders.natural) as (server, _):
        where = knowledge(server, "notes", kind="CUSTOM")
        (tmp_path / "deaths").write_text("write:3")
        where.ingest("one", "a cat")
        assert [one["status"] for one in where.settled("one")] == ["INDEXED"]
        died(tmp_path)
        answer = where.runtime.retrieve(knowledgeBaseId=where.base, retrievalQuery={"text": "cat"})
        assert [one["content"]["text"] for one in answer["retrievalResults"]] == ["a cat"]


def test_killed_in_the_end_of_a_stop(tmp_path: Path) -> None:
    """The job stays stopped, and the next one may write to the index."""
    with mortal(tmp_path, lambda request: (scripts.Sleep(60.0), *embedders.natural(request))) as (server, up):
        where = knowledge(server, "halted")
        where.put("a.txt", "a cat")
        # The right to write, IN_PROGRESS, and the end.
        (tmp_path / "deaths").write_text("written:3")
        job = where.start()
        until(lambda: where.job(job)["status"], lambda status: status == "IN_PROGRESS")
        where.agent.stop_ingestion_job(**where.here, ingestionJobId=job)
        died(tmp_path)
        up.fallback = embedders.natural
        assert where.sync()["status"] == "COMPLETE"
        assert where.job(job)["status"] == "STOPPED"


def test_stopped_a_moment_before_it_would_be_seen(tmp_path: Path) -> None:
    """Who is told that a job stops finds nothing of it, be the new index as good as published."""
    with mortal(tmp_path, embedders.natural) as (server, _):
        where = knowledge(server, "late")
        where.put("a.txt", "a cat")
        (tmp_path / "deaths").write_text("finished:1:sleep")
        job = where.start()
        died(tmp_path)
        where.agent.stop_ingestion_job(**where.here, ingestionJobId=job)
        for worker in server.workers():
            os.kill(worker, signal.SIGCONT)
        assert where.finished(job)["status"] == "STOPPED"
        asked = {"knowledgeBaseId": where.base, "retrievalQuery": {"text": "cat"}}
        assert where.runtime.retrieve(**asked)["retrievalResults"] == []
        assert where.sync()["status"] == "COMPLETE"
        assert len(where.runtime.retrieve(**asked)["retrievalResults"]) == 1
