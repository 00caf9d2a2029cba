"""The example of evaluation and `craton eval compare`, run as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.acceptance.evaluating import BUCKET, asked, bedrock_model, dataset, finished, outputs, prepared, put
from tests.acceptance.serving import CLAUDE, HAIKU, routes, serving
from tests.acceptance.test_batch_crash import children
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream, Request, natural
from tests.running import ACCESS_KEY, SECRET_KEY, Running

EXAMPLE = Path(__file__).parents[2] / "examples" / "evaluate.py"
RECORDS = [{"prompt": f"number {n}", "referenceResponse": f"number {n}"} for n in range(40)]
ACCURACY = "Builtin.Accuracy"


def eval_compare(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craton.cli.main", "eval", "compare", "--home", str(home), *words]
    keys = {"CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **keys})


def test_the_example_evaluates_the_model_in_the_box(tmp_path: Path) -> None:
    """It ends by itself, and shows the mean of each metric of both datasets."""
    with Running(tmp_path) as server:
        environment = {**os.environ, **server.environment()}
        done = subprocess.run([sys.executable, EXAMPLE], env=environment, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    lines = done.stdout.decode().splitlines()
    assert "Completed" in [line.strip() for line in lines]
    assert sorted(line.split(":")[0] for line in lines[-2:]) == ["Craton.Questions", "own"]
    assert "Accuracy" in lines[-1]


def test_jobs_objects_and_files_are_compared(tmp_path: Path) -> None:
    """Jobs by name and ARN, outputs in S3 and files give the same figures; two models of one job can be told apart."""
    with serving(tmp_path) as served:
        role, place = prepared(served.server), put(served.server, "d.jsonl", RECORDS)
        served.up.fallback = half_right
        bedrock = served.client("bedrock")
        models = [bedrock_model(HAIKU), bedrock_model(CLAUDE)]
        arn = bedrock.create_evaluation_job(**asked("both", role, [dataset(place, ACCURACY)], models))["jobArn"]
        assert finished(bedrock, arn)["status"] == "Completed"
        key = next(one for one in outputs(served.server, "both") if HAIKU in one)
        file = tmp_path / "haiku.jsonl"
        file.write_bytes(served.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
        shown = eval_compare(tmp_path, "both", arn, "--a-model", HAIKU, "--b-model", CLAUDE)
        told = eval_compare(tmp_path, f"s3://{BUCKET}/{key}", str(file), "--json")
        missing = eval_compare(tmp_path, "nobody", str(file))
        empty = eval_compare(tmp_path, "both", str(file), "--a-model", "nobody")
    assert shown.returncode == 0, shown.stderr
    assert "Accuracy" in shown.stdout
    assert "differs, prompt by prompt" in shown.stdout
    assert "█" in shown.stdout
    (same,) = json.loads(told.stdout)
    assert same["a"] == same["b"]
    assert same["a"]["count"] == 40
    assert same["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert "there is no evaluation job nobody" in missing.stderr
    assert "has no scores of nobody" in empty.stderr


def half_right(request: Request) -> scripts.Script:
    """One model repeats what it was asked, the other says the word alone."""
    if request.path.endswith("/messages"):
        return scripts.anthropic_reply("number")
    return scripts.openai_reply(str(request.json["messages"][-1]["content"]).removeprefix("Echo: "))


def test_killing_the_worker_and_the_server(tmp_path: Path) -> None:
    """An evaluation whose worker and whose server are killed ends as if nothing had been."""

    def slowly(request: Request) -> scripts.Script:
        return (scripts.Sleep(0.2), *natural(request))

    with FakeUpstream(fallback=slowly) as up:
        config = "[jobs]\nbatch_concurrency = 4\n" + routes(up)
        with Running(tmp_path, config) as server:
            role, place = prepared(server), put(server, "d.jsonl", RECORDS)
            wanted = asked("killed", role, [dataset(place, ACCURACY)], [bedrock_model(HAIKU)])
            arn = server.client("bedrock").create_evaluation_job(**wanted)["jobArn"]
            until(up, 8)
            assert server.process is not None
            for pid, command in children(server.process.pid).items():
                if "craton.labor" in command:
                    os.kill(pid, signal.SIGKILL)
            until(up, 20)
            server.process.kill()
            server.process.wait()
        with Running(tmp_path, config) as server:
            assert finished(server.client("bedrock"), arn)["status"] == "Completed"
            (lines,) = outputs(server, "killed").values()
    assert [line["modelResponses"][0]["response"] for line in lines] == [f"Echo: number {n}" for n in range(40)]
    # At each of two kills four calls were under way, and as many answered in the tenth of a second before.
    assert len(up.requests) <= 40 + 2 * 8


def until(up: FakeUpstream, count: int) -> None:
    end = time.monotonic() + 90
    while len(up.requests) < count and time.monotonic() < end:
        time.sleep(0.01)
