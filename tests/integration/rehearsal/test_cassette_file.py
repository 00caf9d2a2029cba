"""A cassette as a file: what is in it, what a crash leaves, what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from craton.aws.wire.faults import Fault, throttled
from craton.config import ConfigError
from craton.models.canon.embedding import EmbedReply, EmbedRequest, Item
from craton.models.canon.events import BlockDelta
from craton.models.providers.cassettes.cassette import Cassette
from craton.models.providers.cassettes.tape import Tape
from craton.models.providers.cassettes.taping import Taping
from craton.models.providers.provider import Upstream
from craton.models.providers.recorder import Recorder
from craton.models.providers.recorder import recorder as wrapped
from craton.models.providers.replay import ReplayProvider
from tests.unit.rehearsal.conversations import Model, attempt, reply, request, text_of

BODY = b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'


def recorder(path: Path, *answers: Any, mode: str = "once", **more: Any) -> tuple[Recorder, Model]:
    model = Model(*answers)
    terms = {name: more.pop(name) for name in ("match_on", "speed", "repeats") if name in more}
    taping = Taping(path=str(path), mode=mode, **terms)  # type: ignore[arg-type]
    return Recorder(model, "my.model", Cassette(taping, more.pop("secrets", ()))), model  # type: ignore[arg-type]


def ask(provider: Any, *texts: str, **members: Any) -> list[str]:
    async def main() -> list[str]:
        told = []
        for text in texts:
            try:
                told.append(text_of(await provider.converse(request(text, **members), attempt())))
            except Fault as fault:
                told.append(fault.name)
        return told

    return asyncio.run(main())


def stream(provider: Any, text: str = "Hello") -> list[str]:
    async def main() -> list[str]:
        told: list[str] = []
        try:
            async for lot in provider.converse_stream(request(text), attempt()):
                told += [event.delta.text for event in lot if isinstance(event, BlockDelta)]
        except Fault as fault:
            told.append(fault.name)
        return told

    return asyncio.run(main())


A, B = reply({"text": "a"}), reply({"text": "b"})


def test_once_records_and_then_only_plays(tmp_path: Path) -> None:
    """The first session asks the model each time; the second never, and refuses what it has not."""
    path = tmp_path / "sub" / "c.jsonl"
    first, model = recorder(path, A, B)
    assert ask(first, "x", "x") == ["a", "b"]
    assert model.asked == 2
    second, model = recorder(path, A)
    assert ask(second, "x", "x", "x", "y") == ["a", "b", "b", "ResourceNotFoundException"]
    assert model.asked == 0
    assert second.cassette.unplayed == []
    second.cassette.rewind()
    assert ask(second, "x") == ["a"]
    assert len(second.cassette.unplayed) == 1


def test_new_episodes_records_what_is_missing(tmp_path: Path) -> None:
    """And plays what is there, also what it has just recorded."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    provider, model = recorder(path, B, mode="new_episodes")
    assert ask(provider, "x", "y", "y") == ["a", "b", "b"]
    assert model.asked == 1
    assert ask(recorder(path, mode="none")[0], "x", "y") == ["a", "b"]


def test_all_begins_anew(tmp_path: Path) -> None:
    """The old cassette stays until the first new recording is safe."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x", "y")
    provider, model = recorder(path, B, mode="all")
    assert len(Tape(str(path)).read()) == 2
    assert ask(provider, "x", "x") == ["b", "b"]
    assert model.asked == 2
    assert [text["request"]["messages"][0]["content"][0]["text"] for text in heads(path)] == ["x", "x"]


def heads(path: Path) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, path.read_text().splitlines()) if "call" in line]


def test_without_repeats_a_recording_is_played_once(tmp_path: Path) -> None:
    """And the error says that it was."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    provider, _ = recorder(path, mode="none", repeats=False)
    assert ask(provider, "x", "x") == ["a", "ResourceNotFoundException"]


def test_every_form_answers_every_other(tmp_path: Path) -> None:
    """A stream plays as a whole answer, a native body as Converse, and so on; nothing asks the model."""
    taping = Taping(path=str(tmp_path / "c.jsonl"), match_on=("model",))

    async def native(provider: Any) -> str:
        return "".join(b["text"] for b in json.loads(await provider.invoke(BODY, attempt()))["content"])

    async def chunks(provider: Any) -> str:
        found = [json.loads(c) async for lot in provider.invoke_stream(BODY, attempt()) for c in lot]
        assert "amazon-bedrock-invocationMetrics" in found[-1]
        return "".join(c["delta"].get("text", "") for c in found if c["type"] == "content_block_delta")

    async def whole(provider: Any) -> str:
        return text_of(await provider.converse(request(), attempt()))

    async def events(provider: Any) -> str:
        lots = [lot async for lot in provider.converse_stream(request(), attempt())]
        return "".join(e.delta.text for lot in lots for e in lot if isinstance(e, BlockDelta))

    forms = (native, chunks, whole, events)
    for recorded in forms:
        Path(taping.path).unlink(missing_ok=True)
        made, _ = recorder(Path(taping.path), A, match_on=("model",))
        assert asyncio.run(recorded(made)) == "a"
        upstream = Upstream("replay", "", "my.model", native="anthropic.messages", taping=taping)
        for played in forms:
            replay = ReplayProvider(upstream)

            async def under_its_name(played: Any = played, replay: Any = replay) -> str:
                return str(await played(_Named(replay)))

            assert asyncio.run(under_its_name()) == "a", (recorded.__name__, played.__name__)


class _Named:
    """A provider that is asked for `my.model`."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        def call(what: Any, given: Any) -> Any:
            given.model = "my.model"
            return getattr(self._inner, name)(what, given)

        return call


def test_faults_are_recorded_where_they_came(tmp_path: Path) -> None:
    """Before the first piece, between pieces, and with all that belongs to them."""
    path = tmp_path / "c.jsonl"
    first, model = recorder(path, throttled(retry_after_s=2), A)
    assert ask(first, "x", "x") == ["ThrottlingException", "a"]
    model.pieces = 2
    assert stream(first, "s") == ["a", "ModelStreamErrorException"]
    second, model = recorder(path)
    assert ask(second, "x", "x") == ["ThrottlingException", "a"]
    assert stream(second, "s") == ["a", "ModelStreamErrorException"]
    faults = [line["fault"] for line in map(json.loads, path.read_text().splitlines()) if "fault" in line]
    assert faults[0]["retry_after_s"] == 2


def test_the_ledger_is_recorded_and_told_again(tmp_path: Path) -> None:
    """A lenient recording names what was dropped; a strict caller of it is refused as the target would."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    provider, _ = recorder(path)

    async def main() -> list[str]:
        given = attempt()
        await provider.converse(request("x"), given)
        with pytest.raises(Fault, match="cannot carry inferenceConfig.topK"):
            await provider.converse(request("x"), attempt(strict=True))
        return given.ledger.dropped

    assert asyncio.run(main()) == ["inferenceConfig.topK"]
    empty = tmp_path / "d.jsonl"
    strict, _ = recorder(empty, A)

    async def refused() -> None:
        with pytest.raises(Fault):
            await strict.converse(request("x"), attempt(strict=True))

    asyncio.run(refused())
    assert not empty.exists()


def test_a_stream_that_is_left_is_not_kept(tmp_path: Path) -> None:
    """Nobody knows how it would have ended."""
    path = tmp_path / "c.jsonl"
    provider, _ = recorder(path, reply({"text": "a|b|c"}))

    async def main() -> None:
        pieces = provider.converse_stream(request(), attempt())
        await anext(pieces)
        await pieces.aclose()

    asyncio.run(main())
    assert not path.exists()


def test_a_stream_is_on_the_disk_before_its_end_is_told(tmp_path: Path) -> None:
    """The metadata, which callers take for the end, comes after the write."""
    path = tmp_path / "c.jsonl"
    provider, _ = recorder(path, reply({"text": "a|b"}))

    async def main() -> list[tuple[str, bool]]:
        return [(type(lot[-1]).__name__, path.exists()) async for lot in provider.converse_stream(request(), attempt())]

    seen = asyncio.run(main())
    assert seen[-1] == ("StreamMetadata", True)
    assert not any(exists for _, exists in seen[:-1])


def test_speed_keeps_the_recorded_pauses(tmp_path: Path) -> None:
    """As recorded, or many times faster; at once by default."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace('"after_ms":0', '"after_ms":300')
    path.write_text("\n".join(lines) + "\n")

    async def seconds(speed: float) -> float:
        provider, _ = recorder(path, mode="none", speed=speed)
        begin = asyncio.get_running_loop().time()
        await provider.converse(request("x"), attempt())
        return asyncio.get_running_loop().time() - begin

    assert asyncio.run(seconds(1)) >= 0.29
    assert asyncio.run(seconds(0)) < 0.29


def test_the_file_is_private_and_holds_no_credential(tmp_path: Path) -> None:
    """Mode 0600; the target's keys are masked wherever they occur."""
    path = tmp_path / "c.jsonl"
    provider, _ = recorder(path, reply({"text": "your key is hunter22"}), secrets={"hunter22"})
    assert ask(provider, "is hunter22 right?") == ["your key is hunter22"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter22" not in path.read_text()
    assert path.read_text().startswith('{"craton_cassette":1,')


@pytest.mark.parametrize("cut", [1, 5, 40, 150, 300])
def test_a_torn_end_is_cut_off_by_the_next_writer(tmp_path: Path, cut: int) -> None:
    """What was whole stays; the torn episode is not read, and what comes after it is."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    whole = path.stat().st_size
    ask(recorder(path, B, mode="new_episodes")[0], "y")
    torn = path.read_bytes()[: whole + cut]
    path.write_bytes(torn)
    assert ask(recorder(path, mode="none")[0], "x", "y") == ["a", "ResourceNotFoundException"]
    assert ask(recorder(path, B, mode="new_episodes")[0], "z") == ["b"]
    assert ask(recorder(path, mode="none")[0], "x", "z") == ["a", "b"]


def test_a_missing_last_newline_is_mended(tmp_path: Path) -> None:
    """As editors leave files."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    path.write_text(path.read_text().rstrip("\n"))
    assert ask(recorder(path, mode="none")[0], "x") == ["a"]
    ask(recorder(path, B, mode="new_episodes")[0], "y")
    assert ask(recorder(path, mode="none")[0], "x", "y") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello\nworld\n", "is not a cassette"),
        ('{"craton_cassette":9}\n', "has the format 9"),
        ('{"craton_cassette":1}\n<<<<<<< HEAD\n{"end":"complete"}\n', "line 2: cannot be read"),
        ('{"craton_cassette":1}\n{"end":"complete"}\n', "line 2: the end of an episode"),
    ],
)
def test_a_file_that_is_no_cassette_is_left_alone(tmp_path: Path, content: str, text: str) -> None:
    """It is refused at the start, with its line, and not written to."""
    path = tmp_path / "c.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match=text):
        recorder(path, A)
    assert path.read_text() == content


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A cassette that is not there, a part that nobody knows."""
    with pytest.raises(ConfigError, match="no such cassette"):
        recorder(tmp_path / "c.jsonl", mode="none")
    with pytest.raises(ConfigError, match="match_on takes"):
        recorder(tmp_path / "c.jsonl", match_on=("prompt",))


def test_another_process_additions_are_seen(tmp_path: Path) -> None:
    """Two servers may share a cassette."""
    path = tmp_path / "c.jsonl"
    one, _ = recorder(path, A, mode="new_episodes")
    two, model = recorder(path, B, mode="new_episodes")
    assert ask(one, "x") == ["a"]
    assert ask(two, "x") == ["a"]
    assert model.asked == 0


def test_a_killed_writer_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """kill -9 at any moment: what was acknowledged is there, and the file can be read and written."""
    path = tmp_path / "c.jsonl"
    program = textwrap.dedent(
        """
        import asyncio, sys
        from craton.models.providers.cassettes.cassette import Cassette
        from craton.models.providers.cassettes.taping import Taping
        from craton.models.providers.recorder import Recorder
        from tests.unit.rehearsal.conversations import Model, attempt, reply, request

        async def main():
            made = Recorder(Model(reply({"text": "a" * 3000})), "m", Cassette(Taping(path=sys.argv[1], mode="once")))
            for number in range(100000):
                await made.converse(request(str(number)), attempt())
                print(number, flush=True)

        asyncio.run(main())
        """
    )
    for wanted in (3, 9):
        path.unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(wanted)]
        child.send_signal(signal.SIGKILL)
        told += [int(line) for line in child.stdout.read().split()]
        child.wait()
        kept = {int(head["request"]["messages"][0]["content"][0]["text"]) for head in _whole_heads(path)}
        assert set(told) <= kept
        assert ask(recorder(path, A, mode="new_episodes")[0], "after") == ["a"]


def _whole_heads(path: Path) -> list[dict[str, Any]]:
    return [{"request": episode.head.request} for episode in Tape(str(path)).read()]


class Vectors(Model):
    """A provider that embeds as well."""

    async def embed(self, request: EmbedRequest, attempt: Any) -> EmbedReply:
        self.asked += 1
        return EmbedReply(
            vectors={"float": [[0.5, float(len(item.text or ""))] for item in request.items]}, input_tokens=4
        )


def test_embeddings_are_recorded_too(tmp_path: Path) -> None:
    """By all of the request; and only what embeds has a method to."""
    path = tmp_path / "c.jsonl"
    model = Vectors(A)

    def made() -> Any:
        return wrapped(model, "my.model", Cassette(Taping(path=str(path), mode="new_episodes")))

    def asking(provider: Any, *texts: str) -> Any:
        request = EmbedRequest(items=[Item(text) for text in texts], native=b"{}")
        return asyncio.run(_embed(provider, request))

    first = asking(made(), "one", "three")
    assert asking(made(), "one", "three") == first
    assert model.asked == 1
    asking(made(), "one")
    assert model.asked == 2
    assert ask(made(), "x") == ["a"]
    assert not hasattr(wrapped(Model(A), "m", made().cassette), "embed")


async def _embed(provider: Any, request: EmbedRequest) -> Any:
    return await provider.embed(request, attempt())


KEY = "a key of thirty-two characters or more"


def test_with_a_key_a_cassette_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what was said is in the file; with the key it plays and goes on, without it or with another it does not."""
    path = tmp_path / "c.jsonl"
    monkeypatch.setenv("CRATON_CASSETTE_KEY", KEY)
    ask(recorder(path, reply({"text": "plum"}))[0], "the secret word")
    assert b"plum" not in path.read_bytes()
    assert b"secret" not in path.read_bytes()
    provider, _ = recorder(path, B, mode="new_episodes")
    assert ask(provider, "the secret word", "another") == ["plum", "b"]
    assert ask(recorder(path, mode="none")[0], "another") == ["b"]
    before = path.read_bytes()
    for key in ("", KEY + "!", "short"):
        monkeypatch.setenv("CRATON_CASSETTE_KEY", key)
        with pytest.raises(Exception, match=r"sealed|Tampered|fewer"):
            recorder(path, A, mode="new_episodes")
    assert path.read_bytes() == before


def test_a_cassette_in_the_clear_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is set later does not mix two forms in one file."""
    path = tmp_path / "c.jsonl"
    ask(recorder(path, A)[0], "x")
    monkeypatch.setenv("CRATON_CASSETTE_KEY", KEY)
    assert ask(recorder(path, B, mode="new_episodes")[0], "x", "y") == ["a", "b"]
    monkeypatch.delenv("CRATON_CASSETTE_KEY")
    assert ask(recorder(path, mode="none")[0], "x", "y") == ["a", "b"]
