"""What an import refuses as a program with boto3 sees it: bad folders, missing rights, quotas; and a worker that is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from craton.infra.compute.process import children
from tests.acceptance.identities import allow, document, trust, user_key, with_key
from tests.acceptance.importing import CONFIG, asked, finished, role, upload
from tests.acceptance.resources import refused
from tests.fakes import tiny_llama
from tests.running import Running


class Here:
    """A server, and the role of its imports."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.bedrock = server.client("bedrock")
        self.role = role(server)
        self.count = 0

    def start(self, files: dict[str, bytes], **more: Any) -> str:
        """An import of these files under names of its own; its ARN."""
        self.count += 1
        uri = upload(self.server, f"folder{self.count}", files)
        wanted = asked(f"job{self.count}", f"model{self.count}", self.role, uri)
        arn: str = self.bedrock.create_model_import_job(**{**wanted, **more})["jobArn"]
        return arn

    def failure(self, files: dict[str, bytes], **more: Any) -> str:
        """What an import of these files fails of."""
        job = finished(self.bedrock, self.start(files, **more))
        assert job["status"] == "Failed", job
        assert "importedModelArn" not in job
        assert job["endTime"] >= job["creationTime"]
        message: str = job["failureMessage"]
        return message


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with Running(tmp_path_factory.mktemp("refused"), CONFIG) as server:
        yield Here(server)


def without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: data for key, data in files.items() if key != name}


def test_folders_that_are_no_models(here: Here) -> None:
    """A missing shard, wrong shapes, a pickle, a way out of the folder: each is named, and nothing of it stays."""
    whole, parts = tiny_llama.files(), tiny_llama.sharded()
    index = "model.safetensors.index.json"
    out = json.dumps({"weight_map": {"a": "../../folder1/model.safetensors"}}).encode()
    pickle = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93."
    for files, words in (
        (without(parts, "model-00002-of-00002.safetensors"), "lacks model-00002-of-00002.safetensors"),
        (tiny_llama.files(hidden_size=128), "has the shape"),
        (tiny_llama.files(num_hidden_layers=4), "lack the tensor model.layers.2"),
        ({**whole, "pytorch_model.bin": pickle}, "pytorch_model.bin may be a pickle, which is not opened"),
        ({**whole, "model.safetensors": pickle}, "model.safetensors is not a safetensors file"),
        ({**whole, "model.safetensors": whole["model.safetensors"][:-4]}, "The file was cut off or added to"),
        ({**parts, index: out}, "must be the plain name of a safetensors file in the folder"),
        (tiny_llama.files(architectures=["BertModel"]), "Embedding models cannot be imported"),
        (tiny_llama.files(architectures=["T5ForConditionalGeneration"]), "cannot be served here"),
        (tiny_llama.files(quantization_config={"quant_method": "awq"}), "Quantised models cannot be imported"),
        (tiny_llama.files(max_position_embeddings=262_144), "The context of a model may be 131072 tokens"),
        ({"sub/config.json": b"{}"}, "The folder lacks config.json, tokenizer.json, tokenizer_config.json"),
    ):
        assert words in here.failure(files)
    folder = here.server.home / "models" / "imported"
    assert not folder.exists() or not list(folder.iterdir())
    assert here.bedrock.list_imported_models()["modelSummaries"] == []


def test_a_role_that_may_not_read(here: Here) -> None:
    """The job's own role reads the folder: without the right the job fails, and says which right it is."""
    nobody = role(here.server, "nobody", document(allow("s3:ListAllMyBuckets")))
    message = here.failure(tiny_llama.files(), roleArn=nobody)
    assert "Could not validate ListBucket permissions to access Amazon S3 bucket: models" in message
    assert nobody in message


def test_a_folder_that_is_not_there(here: Here) -> None:
    """A bucket and a prefix without anything in it."""
    source = {"s3DataSource": {"s3Uri": "s3://models/nothing/at/all"}}
    assert "No file was found" in here.failure({}, modelDataSource=source)
    role_all = role(here.server, "all", document(allow("s3:*")))
    source = {"s3DataSource": {"s3Uri": "s3://no-such-bucket-here/x"}}
    assert "does not exist" in here.failure({}, modelDataSource=source, roleArn=role_all)


def test_requests_that_are_refused_at_once(here: Here) -> None:
    """Roles that cannot be passed, keys that are not there, names that are malformed: no job is made."""
    bedrock, uri = here.bedrock, upload(here.server, "x", {"config.json": b"{}"})
    before = len(bedrock.list_model_import_jobs()["modelImportJobSummaries"])
    good = asked("refused", "refused", here.role, uri)
    with refused("ValidationException", 400, "cannot be assumed by bedrock.amazonaws.com"):
        bedrock.create_model_import_job(**{**good, "roleArn": "arn:aws:iam::000000000000:role/none"})
    closed = role(here.server, "closed", trust=trust({"Service": "ec2.amazonaws.com"}))
    with refused("ValidationException", 400, "cannot be assumed by bedrock.amazonaws.com"):
        bedrock.create_model_import_job(**{**good, "roleArn": closed})
    with refused("ValidationException", 400, "belongs to another account"):
        bedrock.create_model_import_job(**{**good, "roleArn": "arn:aws:iam::111111111111:role/x"})
    with refused("ValidationException", 400, "The provided KMS key cannot be used"):
        bedrock.create_model_import_job(**good, importedModelKmsKeyId="alias/none")
    with refused("ValidationException", 400, "Duplicate tag keys"):
        bedrock.create_model_import_job(**good, jobTags=[{"key": "a", "value": "b"}] * 2)
    with refused("ValidationException", 400, "importedModelName"):
        bedrock.create_model_import_job(**{**good, "importedModelName": "a b"})
    assert len(bedrock.list_model_import_jobs()["modelImportJobSummaries"]) == before
    with refused("ResourceNotFoundException", 404, "model import job could not be found"):
        bedrock.get_model_import_job(jobIdentifier="none")
    with refused("ResourceNotFoundException", 404, "imported model could not be found"):
        bedrock.get_imported_model(modelIdentifier="none")


def test_who_may_import(here: Here) -> None:
    """The right to import, the right to pass the role, and the right to tag are three."""
    uri = upload(here.server, "x", {"config.json": b"{}"})
    create = allow("bedrock:CreateModelImportJob")
    passing = allow("iam:PassRole", here.role)
    tags = [{"key": "team", "value": "blue"}]
    for name, statements, more, lacks in (
        ("none", [passing], {}, "bedrock:CreateModelImportJob"),
        ("pass", [create], {}, "iam:PassRole"),
        ("tags", [create, passing], {"importedModelTags": tags}, "bedrock:TagResource"),
    ):
        client = with_key(here.server, user_key(here.server, name, document(*statements)), "bedrock")
        with refused("AccessDeniedException", 403, f"not authorized to perform: {lacks}"):
            client.create_model_import_job(**asked(name, name, here.role, uri), **more)
    client = with_key(here.server, user_key(here.server, "may", document(create, passing)), "bedrock")
    made = client.create_model_import_job(**asked("may", "may", here.role, uri))
    finished(here.bedrock, made["jobArn"])
    with refused("AccessDeniedException", 403, "bedrock:GetModelImportJob"):
        client.get_model_import_job(jobIdentifier=made["jobArn"])
    with refused("AccessDeniedException", 403, "bedrock:DeleteImportedModel"):
        client.delete_imported_model(modelIdentifier="none")


def test_keys_and_networks_are_kept(here: Here) -> None:
    """A customer's key is looked up when the job is made, and shown by its ARN; so are subnets."""
    key = here.server.client("kms").create_key()["KeyMetadata"]
    vpc = {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    arn = here.start({"a": b"x"}, importedModelKmsKeyId=key["KeyId"], vpcConfig=vpc)
    job = finished(here.bedrock, arn)
    assert (job["importedModelKmsKeyArn"], job["vpcConfig"]) == (key["Arn"], vpc)


def test_jobs_are_listed_by_page(here: Here) -> None:
    """The newest first or last, by name, state and time."""
    for _ in range(3):
        here.failure({"a": b"x"})
    pages = here.bedrock.get_paginator("list_model_import_jobs")
    names = [
        one["jobName"]
        for page in pages.paginate(sortOrder="Ascending", statusEquals="Failed", PaginationConfig={"PageSize": 2})
        for one in page["modelImportJobSummaries"]
    ]
    backwards = here.bedrock.list_model_import_jobs(sortBy="CreationTime", sortOrder="Descending")
    assert names == [one["jobName"] for one in backwards["modelImportJobSummaries"]][::-1]
    assert len(names) >= 3
    later = datetime.now(UTC) + timedelta(hours=1)
    assert here.bedrock.list_model_import_jobs(creationTimeAfter=later)["modelImportJobSummaries"] == []
    with refused("ValidationException", 400, "nextToken is invalid"):
        here.bedrock.list_model_import_jobs(nextToken="forged")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("import_jobs = 0", "limit of 0 concurrent model import jobs"),
        ("imported_models = 0", "limit of 0 imported models"),
    ],
)
def test_quotas(tmp_path: Path, limits: str, words: str) -> None:
    """So many jobs at once, and so many models; AWS's numbers unless the configuration has others."""
    with Running(tmp_path, f"[limits]\n{limits}\n") as server:
        wanted = asked("a", "a", role(server), upload(server, "x", {"a": b"x"}))
        bedrock = server.client("bedrock")
        with refused("ServiceQuotaExceededException", 400, words):
            bedrock.create_model_import_job(**wanted)


def commands(pid: int) -> dict[int, str]:
    """The processes below one, and what they run."""
    found = {}
    for child in children(pid):
        try:
            found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        found |= commands(child)
    return found


def running(server: Running, word: str) -> list[int]:
    assert server.process is not None
    return [pid for pid, command in commands(server.process.pid).items() if word in command]


def waited(server: Running, word: str, but: list[int]) -> int:
    """A process with this word in its command that is none of those."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        fresh = [pid for pid in running(server, word) if pid not in but]
        if fresh:
            return fresh[0]
        time.sleep(0.02)
    raise AssertionError(server.output())


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="converting needs torch")
def test_killing_the_worker_while_it_converts(tmp_path: Path) -> None:
    """The converter dies with its worker, however it died, and the next worker begins the conversion anew."""
    with Running(tmp_path, CONFIG) as server:
        here = Here(server)
        here.start(tiny_llama.files())
        first = waited(server, "craton.engine.convert", [])
        for pid in running(server, "craton.labor"):
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 60
        while Path(f"/proc/{first}").exists() and "Z" not in Path(f"/proc/{first}/stat").read_text():
            assert time.monotonic() < end
            time.sleep(0.02)
        assert waited(server, "craton.engine.convert", [first]) != first
