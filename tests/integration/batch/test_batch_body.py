"""The life of a batch job over S3 and a model in memory: what is written, and what is asked again after a crash."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from craton.features.batch import job as rows
from craton.features.batch.job import Location
from craton.workflows.batch import asking
from craton.workflows.workflow import JobFailed
from tests.fakes.batches import ROLE, World


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAUSE_FIRST_S", 0.001)
    monkeypatch.setattr(asking, "_PAUSE_MAX_S", 0.002)


def good(*numbers: int) -> list[dict[str, Any]]:
    return [{"recordId": f"R{n}", "modelInput": {"n": n}, "modelOutput": {"echo": n}} for n in numbers]


def test_output_and_manifest(tmp_path: Path) -> None:
    """Each file of the prefix has its output in the order of the input, and the manifest counts them all."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(30))
    world.file("data/sub/b.jsonl", *range(30, 35))
    world.file("data/notes.txt", 99)
    world.models.delay_s = lambda n: 0.002 * (n % 3)
    assert world.run()
    assert world.output("a.jsonl.out") == good(*range(30))
    assert world.output("sub/b.jsonl.out") == good(*range(30, 35))
    assert world.manifest == {
        "totalRecordCount": 35,
        "processedRecordCount": 35,
        "successRecordCount": 35,
        "errorRecordCount": 0,
        "inputTokenCount": 105,
        "outputTokenCount": 175,
    }
    assert world.seen == [rows.VALIDATING, rows.SCHEDULED, rows.IN_PROGRESS, rows.COMPLETED]
    assert world.body.counts.succeeded == 35
    assert world.body.ended_at is not None
    assert not list(tmp_path.rglob("*.spool"))
    assert not world.s3.uploads
    assert world.models.headers[0] == ((b"x-craton-priority", b"batch"),)


def test_converse_counts_by_the_reply(tmp_path: Path) -> None:
    """A Converse job takes its tokens from the answers' own usage."""
    world = World(tmp_path, invocation_type="Converse", source=Location("s3://in/data/a.jsonl"))
    world.file("data/a.jsonl", 1, 2)
    assert world.run()
    assert world.manifest["inputTokenCount"] == 14
    assert world.manifest["outputTokenCount"] == 22
    assert world.output("a.jsonl.out")[1]["modelOutput"]["output"] == {"echo": 2}


def test_errors_stand_in_their_records(tmp_path: Path) -> None:
    """A record that the model refuses has its error; one that fails for a moment is asked again, and no error."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(10))
    tries: dict[int, int] = {}

    def answers(_: int, n: int) -> tuple[int, Any] | None:
        tries[n] = tries.get(n, 0) + 1
        if n == 3:
            return 400, {"message": "Malformed input"}
        if n == 5 and tries[n] < 3:
            return 500, {"message": "passing"}
        if n == 6:
            return 424, {"message": "The model failed"}
        return (429, {"message": "Too many requests"}) if n == 7 and tries[n] < 9 else None

    world.models.answers = answers
    assert world.run()
    found = world.output("a.jsonl.out")
    assert [one["recordId"] for one in found] == [f"R{n}" for n in range(10)]
    assert found[3]["error"] == {"errorCode": 400, "errorMessage": "Malformed input"}
    assert found[6]["error"] == {"errorCode": 424, "errorMessage": "The model failed"}
    assert [tries[n] for n in (3, 5, 6, 7)] == [1, 3, asking.TRIES, 9]
    assert world.row.status == rows.COMPLETED
    assert (world.manifest["successRecordCount"], world.manifest["errorRecordCount"]) == (8, 2)


def test_throttled_for_ever(tmp_path: Path) -> None:
    """A model that never has room is an error at last, not a job without end."""
    world = World(tmp_path)
    world.file("data/a.jsonl", 1)
    world.models.answers = lambda *_: (429, {"message": "Too many requests"})
    assert world.run()
    assert world.output("a.jsonl.out")[0]["error"] == {"errorCode": 429, "errorMessage": "Too many requests"}
    assert world.models.calls == asking.WAITS


def test_not_allowed_to_ask(tmp_path: Path) -> None:
    """A job that may not use the model fails with the gateway's words, and does not ask for every record."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(500))
    world.models.answers = lambda *_: (403, {"Message": "not authorized to perform: bedrock:InvokeModel"})
    with pytest.raises(JobFailed):
        world.run()
    assert world.row.status == rows.FAILED
    assert world.body.message == "not authorized to perform: bedrock:InvokeModel"
    assert world.models.calls <= 8


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"contains less records \(0\) than the required minimum of: 1"),
        (b'{"modelInput":{"n":1}}\nnonsense\n', "a.jsonl is not valid: line 2 is not valid JSON"),
        (b'{"recordId":"a"}', "line 1 must be a JSON object with a modelInput"),
        (b'{"modelInput":{"n":1}}\n' * 7, r"a.jsonl contains more records than the allowed maximum of: 6"),
        (b" " * 5000, r"a.jsonl has more bytes \(5000\) than the allowed maximum of: 4000"),
    ],
)
def test_input_that_is_refused_whole(tmp_path: Path, content: bytes, words: str) -> None:
    """What validation finds ends the job before anything is asked, in words that name the place."""
    world = World(tmp_path)
    world.limits |= {"batch_records_per_file": 6, "batch_file_bytes": 4000}
    world.s3.objects["data/a.jsonl"] = content
    with pytest.raises(JobFailed, match=words):
        world.run()
    assert world.row.status == rows.FAILED
    assert world.models.calls == 0


def test_no_files(tmp_path: Path) -> None:
    """An input without a .jsonl file, or an object that is not there, is named."""
    world = World(tmp_path)
    with pytest.raises(JobFailed, match=r"No \.jsonl file was found at the input location s3://in/data/"):
        world.run()
    world = World(tmp_path, source=Location("s3://in/data/a.jsonl"))
    with pytest.raises(JobFailed, match=r"s3://in/data/a\.jsonl does not exist"):
        world.run()


@pytest.mark.parametrize("bucket", ["in", "out"])
def test_role_without_access(tmp_path: Path, bucket: str) -> None:
    """A role that may not read the input or write the output fails the job before anything is asked, by name."""
    world = World(tmp_path)
    world.file("data/a.jsonl", 1)
    world.s3.denied.add(bucket)
    with pytest.raises(JobFailed) as caught:
        world.run()
    assert f"permissions to access Amazon S3 bucket: {bucket}" in str(caught.value)
    assert ROLE in str(caught.value)
    assert world.models.calls == 0


def test_owners_and_key(tmp_path: Path) -> None:
    """The buckets' owners are demanded at each call, and all that is written is sealed with the key."""
    world = World(
        tmp_path, source=Location("s3://in/data/", "111111111111"),
        target=Location("s3://out/there/", "222222222222", "alias/mine"),
    )  # fmt: skip
    world.file("data/a.jsonl", *range(50))
    assert world.run()
    assert set(world.s3.sealed.values()) == {"alias/mine"}
    owners = {asked["Bucket"]: asked["ExpectedBucketOwner"] for _, asked in world.s3.asked}
    assert owners == {"in": "111111111111", "out": "222222222222"}


def test_stop_writes_what_is_done(tmp_path: Path) -> None:
    """A job that is stopped writes the answers that it has, in order, and begins no others."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(100))
    world.file("data/b.jsonl", 100)
    world.models.delay_s = lambda n: 0.02
    world.concurrency = 4

    def answers(call: int, n: int) -> None:
        world.stopping = world.stopping or call == 40

    world.models.answers = answers
    world.row = rows.moved(world.row, rows.VALIDATING, world.clock.at)
    assert world.run(part_bytes=10**6)
    found = world.output("a.jsonl.out")
    assert found == good(*range(len(found)))
    assert 40 <= len(found) < 80
    assert world.row.status == rows.STOPPED
    assert world.manifest["processedRecordCount"] == len(found) == world.body.counts.processed
    assert world.manifest["totalRecordCount"] == 101
    assert "there/abcdefghijkl/b.jsonl.out" not in world.s3.objects


def test_stopped_before_it_began(tmp_path: Path) -> None:
    """A job that is stopped at once asks nothing and writes nothing."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(20))
    world.stopping = True
    assert world.run()
    assert world.row.status == rows.STOPPED
    assert world.models.calls == 0
    assert [key for key in world.s3.objects if key.startswith("there")] == []


def test_time_is_up(tmp_path: Path) -> None:
    """A job whose time ends is PartiallyCompleted with what is done, Expired where nothing was."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(100))
    world.models.delay_s = lambda n: 0.02
    world.concurrency = 4

    def answers(call: int, n: int) -> None:
        world.clock.at += timedelta(hours=25) * (call == 20)

    world.models.answers = answers
    assert world.run(part_bytes=10**6)
    assert world.row.status == rows.PARTIALLY
    found = world.output("a.jsonl.out")
    assert found == good(*range(len(found)))
    assert world.manifest["processedRecordCount"] == len(found) >= 20
    late = World(tmp_path / "late")
    late.file("data/a.jsonl", 1)
    late.clock.at += timedelta(hours=24)
    assert late.run()
    assert late.row.status == rows.EXPIRED
    assert late.models.calls == 0


def test_input_that_changes(tmp_path: Path) -> None:
    """A file that is written anew between validation and asking fails the job, and leaves no upload behind."""
    world = World(tmp_path)
    world.file("data/a.jsonl", *range(50))
    world.file("data/b.jsonl", *range(50))
    world.models.answers = lambda call, n: world.file("data/b.jsonl", 1) if call == 3 else None  # type: ignore[func-returns-value]
    with pytest.raises(JobFailed, match=r"s3://in/data/b\.jsonl changed while the job was running"):
        world.run()
    assert not world.s3.uploads


def undisturbed(home: Path) -> tuple[dict[str, bytes], int]:
    """What a run without any crash writes, and how many moments to die in it has."""
    world = peopled(World(home))
    assert world.run()
    return {key: data for key, data in world.s3.objects.items() if key.startswith("there")}, world.s3.perils.met


def peopled(world: World) -> World:
    world.file("data/a.jsonl", *range(25))
    world.file("data/b.jsonl", *range(25, 28))
    world.s3.objects["data/c.jsonl"] = b'\n{"modelInput":{"n":28}}\n'
    world.concurrency = 3
    return world


@pytest.mark.parametrize("scratch", ["kept", "lost"])
def test_dying_at_every_moment(tmp_path: Path, scratch: str) -> None:
    """Wherever the worker dies, the next one brings the same result; what had been answered is not asked again."""
    expected, moments = undisturbed(tmp_path / "calm")
    assert moments > 80
    for at in range(1, moments + 1):
        world = peopled(World(tmp_path / f"{at}"))
        died = not world.run(die_at=at)
        if scratch == "lost":
            shutil.rmtree(world.home, ignore_errors=True)
        assert world.run() or not died
        written = {key: data for key, data in world.s3.objects.items() if key.startswith("there")}
        assert written == expected, at
        assert world.row.status == rows.COMPLETED
        if scratch == "kept":
            # Those whose answer was on its way when the worker died, and no others.
            assert sum(count - 1 for count in world.models.answered.values()) <= world.concurrency, at


def test_dying_again_and_again(tmp_path: Path) -> None:
    """A job whose workers die one after the other gets a little further each time, and ends as any other."""
    expected, _ = undisturbed(tmp_path / "calm")
    world = peopled(World(tmp_path / "storm"))
    lives = 1
    while not world.run(die_at=14):
        lives += 1
        assert lives < 60
    assert lives > 5
    assert {key: data for key, data in world.s3.objects.items() if key.startswith("there")} == expected
    assert json.loads(expected["there/abcdefghijkl/c.jsonl.out"])["modelOutput"] == {"echo": 28}
