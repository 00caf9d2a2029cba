"""Provisioned throughput of models that an account brought: made of one, and moved to another under load."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.features.hosting.imported import ACTIVE, KIND, ImportedModel, folder_of, model_arn
from craton.infra.store.opening import open_store
from craton.infra.store.port import Resource
from craton.models.catalog.local import BOX
from tests.acceptance.importing import patient
from tests.acceptance.resources import ACCOUNT, FM, refused
from tests.running import Running

MINI = "craton.chat-mini-v1:0"
HELLO = [{"role": "user", "content": [{"text": "What is the capital of France?"}]}]
SHORT = {"maxTokens": 12, "temperature": 0.0}
PLAIN = "{{- ns.text | replace("
IDS = {"alpha": "aaaaaaaaaaaa", "beta": "bbbbbbbbbbbb"}


def import_model(home: Path, name: str, prompt: str = PLAIN) -> None:
    """What a finished import leaves: the files, and the row. The model is the one in the box with another template."""
    ident = IDS[name]
    folder = folder_of(home) / ident
    shutil.copytree(BOX / "chat-mini-v1", folder)
    template, card = folder / "chat_template.jinja", folder / "craton.json"
    template.write_text(template.read_text().replace(PLAIN, prompt, 1))
    told = json.loads(card.read_text())
    told["sha256"][template.name] = hashlib.sha256(template.read_bytes()).hexdigest()
    card.write_text(json.dumps(told))
    body = ImportedModel(
        job_arn="arn",
        job_name=name,
        uri="s3://models/",
        architecture="llama",
        schema="meta.llama",
        context_tokens=2048,
        parameters=1,
        units=1,
    )
    now = datetime.now(UTC)
    store = open_store(f"sqlite:///{home}/craton.db")
    store.create(
        Resource(
            account=ACCOUNT,
            region="us-east-1",
            kind=KIND,
            id=ident,
            arn=model_arn(ACCOUNT, "us-east-1", ident),
            name=name,
            status=ACTIVE,
            created_at=now,
            updated_at=now,
            body=msgspec.json.encode(body),
        )
    )
    store.close()


class Here:
    """A server with two imported models of one family, and a provisioned throughput of the first."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.bedrock, self.runtime = server.client("bedrock"), patient(server)
        self.models = {name: model_arn(ACCOUNT, "us-east-1", ident) for name, ident in IDS.items()}
        made = self.bedrock.create_provisioned_model_throughput(
            modelUnits=1, provisionedModelName="own", modelId="alpha"
        )
        self.arn: str = made["provisionedModelArn"]

    def settled(self) -> dict[str, Any]:
        end = time.monotonic() + 300
        while True:
            found: dict[str, Any] = self.bedrock.get_provisioned_model_throughput(provisionedModelId=self.arn)
            if found["status"] not in ("Creating", "Updating"):
                return found
            assert time.monotonic() < end, (found, self.server.output()[-3000:])
            time.sleep(0.1)

    def said(self, which: str) -> str:
        reply = self.runtime.converse(modelId=which, messages=HELLO, inferenceConfig=SHORT)
        text: str = reply["output"]["message"]["content"][0]["text"]
        return text


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    home = tmp_path_factory.mktemp("custom")
    import_model(home, "alpha")
    import_model(home, "beta", "{{- 'Hello' | replace(")  # whatever it is asked, it is greeted
    with Running(home) as server:
        yield Here(server)


def as_custom(arn: str) -> str:
    """The ARN that an imported model has among custom models."""
    return arn.replace(":imported-model/", ":custom-model/imported/")


def test_it_is_made_of_an_imported_model_by_name(here: Here) -> None:
    """Shown by the ARN that it has among custom models; bodies of its family and of OpenAI's shape are taken."""
    found = here.settled()
    assert found["status"] == "InService", found
    assert found["modelArn"] == found["desiredModelArn"] == as_custom(here.models["alpha"])
    assert here.said(here.arn) == here.said(here.models["alpha"])
    prompt = json.dumps({"prompt": "the weather", "max_gen_len": 4, "temperature": 0})
    llama = json.loads(here.runtime.invoke_model(modelId=here.arn, body=prompt)["body"].read())
    assert {"generation", "prompt_token_count", "generation_token_count", "stop_reason"} == {*llama}
    chat = json.dumps({"messages": [{"role": "user", "content": "the weather"}], "max_tokens": 4, "temperature": 0})
    openai = json.loads(here.runtime.invoke_model(modelId=here.arn, body=chat)["body"].read())
    assert openai["usage"]["completion_tokens"] == llama["generation_token_count"]
    for given in ({"converse": {"messages": HELLO}}, {"invokeModel": {"body": chat.encode()}}):
        assert here.runtime.count_tokens(modelId=here.arn, input=given)["inputTokens"] > 0


def test_a_model_of_another_lineage_is_refused(here: Here) -> None:
    """Only what was customized from the same base may take its place."""
    here.settled()
    with refused("ValidationException", 400, "customized from the same base model"):
        here.bedrock.update_provisioned_model_throughput(provisionedModelId="own", desiredModelId=FM + MINI)


def test_it_moves_to_another_model_and_no_request_is_lost(here: Here) -> None:
    """The new replica serves before the old one goes; every request meanwhile is answered by either."""
    here.settled()
    old, new = here.said(here.models["alpha"]), here.said(here.models["beta"])
    assert old != new
    heard: list[str] = []
    failed: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                heard.append(here.said(here.arn))
            except BaseException as error:
                failed.append(error)
                return

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        target = as_custom(here.models["beta"])
        here.bedrock.update_provisioned_model_throughput(provisionedModelId=here.arn, desiredModelId=target)
        moving = here.bedrock.get_provisioned_model_throughput(provisionedModelId=here.arn)
        done = here.settled()
        settled_at = len(heard)
        while len(heard) < settled_at + 20 and not failed:
            time.sleep(0.05)
    finally:
        over.set()
        for asker in askers:
            asker.join()
    assert failed == []
    assert (moving["status"], moving["modelArn"]) == ("Updating", as_custom(here.models["alpha"]))
    assert moving["desiredModelArn"] == target
    assert (done["status"], done["modelArn"]) == ("InService", target)
    assert {*heard} == {old, new}
    assert {*heard[settled_at + 10 :]} == {new}
    with refused("ConflictException", 400, "provisioned throughput"):
        here.bedrock.delete_imported_model(modelIdentifier="beta")


def test_craton_models_shows_all_of_them(here: Here) -> None:
    """By their names, with their replicas; the log and the facts of each."""
    here.settled()

    def craton(*words: str) -> str:
        command = [sys.executable, "-m", "craton.cli.main", *words, "--home", str(here.server.home)]
        wide = {**os.environ, "COLUMNS": "160"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=wide)
        return done.stdout

    lines = [" ".join(line.split()) for line in craton("models").splitlines()]
    short = here.arn.split(":", 5)[5]
    (mine,) = [line for line in lines if line.startswith(f"{short} (own) chat provisioned ready 1/1")]
    following = lines[lines.index(mine) + 1]
    assert ", pid " in following
    shown = {row["name"]: row for row in json.loads(craton("models", "list", "--json"))}
    assert {"alpha", "beta", "own"} <= {*shown}
    (replica,) = [each for each in shown["own"]["replicas"] if each["current"]]  # one of the former model may still go
    assert (replica["state"], replica["running"]) == ("ready", 0)
    assert here.arn in craton("models", "log", "own", "--replica", replica["id"])
    assert "architecture: llama" in craton("models", "card", "alpha")
    frame = craton("top")
    assert "(own)" in frame
    assert "ready" in frame.splitlines()[0]
