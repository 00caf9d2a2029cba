"""Quotas, tiers and waits as callers meet them: in whole servers, over the wire, with many workers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.serving import HELLO, converse_path
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.running import Running

OWN, OTHER = "house.one-v1", "house.two-v1"
ASK = json.dumps({"messages": HELLO, "inferenceConfig": {"maxTokens": 50}}).encode()


@contextmanager
def serving(home: Path, tables: str, *models: str, workers: int = 1) -> Iterator[tuple[Running, FakeUpstream]]:
    """A server with one vendor; `models` are the lines of each model's target, the first one's id is OWN."""
    with FakeUpstream() as up:
        config = tables
        for name, lines in zip((OWN, OTHER), models or ("",), strict=False):
            config += f'\n[[model]]\nid = "{name}"\n[[model.target]]\nprovider = "openai"\n'
            config += f'base_url = "{up.openai_url}"\nmodel = "m-{name}"\n{lines}\n'
        with Running(home, config, "--workers", str(workers)) as server:
            yield server, up


def ask(server: Running, model: str = OWN, action: str = "converse", **headers: str) -> rawhttp.Answer:
    return rawhttp.call(server, "POST", converse_path(model, action), ASK, headers)


def rows(server: Running) -> list[dict[str, Any]]:
    answer = rawhttp.call(server, "GET", "/craton/targets")
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.json["targets"]
    return found


@pytest.mark.parametrize("workers", [1, 3])
def test_requests_per_minute_hold_over_all_workers(tmp_path: Path, workers: int) -> None:
    """Exactly as many pass as are allowed, whichever worker they meet; the rest hear Bedrock's words and a wait."""
    with serving(tmp_path, "[[quota.limit]]\nrequests_per_minute = 6\n", workers=workers) as (server, up):
        answers = [ask(server) for _ in range(12)]
        assert [answer.status for answer in answers].count(200) == 6
        refused = [answer for answer in answers if answer.status != 200]
        for answer in refused:
            rawhttp.refused(answer, 429, "ThrottlingException", "Too many requests, please wait before trying again.")
            assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert len(up.requests) == 6


def test_tokens_per_minute_count_what_was_used(tmp_path: Path) -> None:
    """Fifty are reserved and sixteen used, so more requests pass than the reservations alone would let."""
    with serving(tmp_path, '[[quota.limit]]\nper = ["account"]\ntokens_per_minute = 160\n') as (server, up):
        up.fallback = lambda _: scripts.openai_reply("Hello there")
        statuses = [ask(server).status for _ in range(12)]
        assert statuses[:6] == [200] * 6
        answer = ask(server)
        rawhttp.refused(answer, 429, "ThrottlingException", "Too many tokens, please wait before trying again.")


@pytest.mark.parametrize("action", ["converse", "converse-stream"])
def test_a_stream_settles_too(tmp_path: Path, action: str) -> None:
    """The usage at its end takes the place of the reservation."""
    with serving(tmp_path, "[[quota.limit]]\ntokens_per_minute = 120\n") as (server, _):
        assert [ask(server, action=action).status for _ in range(4)] == [200] * 4


def test_reset_forgets_quotas_and_waits(tmp_path: Path) -> None:
    """A test suite that resets its server begins with nothing used, and every target well."""
    config = tmp_path / "c.toml"
    with FakeUpstream() as up:
        config.write_text(
            f'[[quota.limit]]\nrequests_per_minute = 2\n[[model]]\nid = "{OWN}"\n[[model.target]]\n'
            f'provider = "openai"\nbase_url = "{up.openai_url}"\n'
        )
        with Running(tmp_path / "home", "", "--ephemeral", "--config", str(config)) as server:
            for _ in range(2):
                assert ask(server).status == 200
                up.play(scripts.error_openai(429, {"retry-after": "20"}))
                assert [ask(server).status for _ in range(2)] == [429, 429]
                reset = rawhttp.head(server, "POST", "/craton/reset", [("Content-Length", "0")])
                assert rawhttp.exchange(server, reset).status == 200
                assert rows(server)[0]["answered"] == 0
            assert [ask(server).status for _ in range(3)] == [200, 200, 429]


def test_an_upstream_that_says_wait_is_not_asked(tmp_path: Path) -> None:
    """Twenty seconds mean twenty seconds; the callers hear how many are left."""
    with serving(tmp_path, "") as (server, up):
        up.play(scripts.error_openai(429, {"retry-after": "20"}))
        for _ in range(3):
            answer = ask(server)
            rawhttp.refused(answer, 429, "ThrottlingException", "Too many requests")
            assert 18 <= int(answer.headers["retry-after"]) <= 20
        assert len(up.requests) == 1
        (row,) = rows(server)
        assert (row["state"], row["failed"], row["throttled"]) == ("resting", 1, 1)
        assert 15 < row["until_s"] <= 20


def test_priority_goes_first_and_flex_last(tmp_path: Path) -> None:
    """One at a time: who waits is let in by tier, not by the order of coming."""
    with serving(tmp_path, "", "max_concurrent = 1") as (server, up):
        up.play((scripts.Sleep(1.0), *scripts.openai_reply("first")))
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(ask, server)
            up.wait(lambda up: up.requests)
            tiers = ["flex", "default", "priority", "flex", "priority", "reserved"]
            waiting = []
            for tier in tiers:
                body = {**json.loads(ASK), "serviceTier": {"type": tier}, "requestMetadata": {"tier": tier}}
                body["messages"] = [{"role": "user", "content": [{"text": tier}]}]
                waiting.append(pool.submit(rawhttp.call, server, "POST", converse_path(OWN), json.dumps(body).encode()))
                count = len(waiting)
                for _ in range(12_000):
                    if rows(server)[0]["waiting"] == count:
                        break
                    time.sleep(0.005)
            answers = [future.result() for future in (first, *waiting)]
        assert {answer.status for answer in answers} == {200}
        assert answers[1].json["serviceTier"] == {"type": "flex"}
        served = [request.json["messages"][-1]["content"] for request in up.requests[1:]]
        assert [text if isinstance(text, str) else text[0]["text"] for text in served] == [
            "reserved", "priority", "priority", "default", "flex", "flex",
        ]  # fmt: skip


def test_a_line_has_a_bound(tmp_path: Path) -> None:
    """Who finds it full is told to come again."""
    with serving(tmp_path, "", "max_concurrent = 1\nmax_waiting = 1\nqueue_timeout_s = 0.4") as (server, up):
        released = threading.Event()

        def held() -> Iterator[scripts.Step]:
            while not released.is_set():
                yield scripts.Sleep(0.05)
            yield from scripts.openai_reply("first")

        up.play(held())  # type: ignore[arg-type]
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(ask, server)
            up.wait(lambda up: up.requests)
            rest = [pool.submit(ask, server) for _ in range(3)]
            for future in rest:
                rawhttp.refused(future.result(), 429, "ThrottlingException", "Too many requests")
            released.set()
            assert first.result().status == 200
        assert ask(server).status == 200


def test_a_stream_has_its_time_to_the_first_byte(tmp_path: Path) -> None:
    """A vendor that keeps silent is given up before its whole time is over; whole answers have all of it."""
    with serving(tmp_path, "", "first_byte_timeout_s = 0.3\ntimeout_s = 30") as (server, up):
        up.play(scripts.HANG)
        answer = ask(server, action="converse-stream")
        rawhttp.refused(answer, 408, "ModelTimeoutException", "Model has timed out")
        up.play((scripts.Sleep(0.6), *scripts.openai_reply("slow")))
        assert ask(server).status == 200


def test_the_deadline_bounds_all_tries(tmp_path: Path) -> None:
    """Three tries of a silent vendor, but only one second in all."""
    with serving(tmp_path, "[routing]\nretries = 5\ndeadline_s = 1.0\n", "timeout_s = 0.4") as (server, up):
        up.play(*[scripts.HANG] * 8)
        answer = ask(server)
        rawhttp.refused(answer, 408, "ModelTimeoutException", "Model has timed out")
        assert 2 <= len(up.requests) <= 4


def test_every_worker_shows_all_targets(tmp_path: Path) -> None:
    """Each reports what it saw; together they saw all."""
    with serving(tmp_path, "", "", "", workers=2) as (server, _):
        for _ in range(20):
            assert ask(server).status == 200
        for _ in range(100):
            found = [row for row in rows(server) if row["models"] == [OWN]]
            if sum(row["answered"] for row in found) == 20 and len(found) == 2:
                break
            time.sleep(0.1)
        assert sum(row["answered"] for row in found) == 20
        assert {row["worker"] for row in found} == {0, 1}


def test_the_command_shows_them(tmp_path: Path) -> None:
    """`craton targets` prints a line per upstream, `--json` the rows."""
    import subprocess
    import sys

    with serving(tmp_path, "", "") as (server, up):
        up.play(scripts.error_openai(500))
        with pytest.raises(ClientError):
            server.client("bedrock-runtime").converse(modelId=OWN, messages=HELLO)
        command = [sys.executable, "-m", "craton.cli.main", "targets", "--home", str(tmp_path)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        head, line = shown.strip().splitlines()
        assert head.split()[:3] == ["MODEL", "PROVIDER", "UPSTREAM"]
        assert line.split() == [OWN, "openai", f"m-{OWN}", "0", "closed", "0", "0", "0", "1", "ModelErrorException"]
        told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
        assert json.loads(told)[0]["failed"] == 1
