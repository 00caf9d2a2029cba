"""What customization refuses as a program with boto3 sees it: bad requests at once, bad data and missing rights in the job."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from craton.cli.main import cli
from craton.infra.compute.process import tree
from tests.acceptance import identities
from tests.acceptance.customizing import BASE, BUCKET, CONFIG, MAY, PAIRS, asked, finished, lines, role, upload
from tests.acceptance.resources import refused
from tests.running import Running, model_config

pytest.importorskip("torch")

OUTSIDE = "vendor.elsewhere-v1:0"
GRADER = "arn:aws:lambda:us-east-1:000000000000:function:"
LONG = {"epochCount": "400", "batchSize": "4", "loraRank": "4"}


class Here:
    """A server with a role and good data."""

    def __init__(self, server: Running) -> None:
        self.server, self.bedrock = server, server.client("bedrock")
        self.role, self.train = role(server), upload(server, "good.jsonl", lines(PAIRS))
        self.count = 0

    def create(self, **more: Any) -> str:
        self.count += 1
        made = self.bedrock.create_model_customization_job(**asked(f"job-{self.count}", self.role, self.train, **more))
        arn: str = made["jobArn"]
        return arn

    def failed(self, **more: Any) -> str:
        """Why the job fails."""
        job = finished(self.bedrock, self.create(**more))
        assert job["status"] == "Failed", job
        assert "outputModelArn" not in job
        message: str = job["failureMessage"]
        return message

    def trained_with(self, data: bytes, **more: Any) -> str:
        key = f"bad-{self.count}.jsonl"
        return self.failed(trainingDataConfig={"s3Uri": upload(self.server, key, data)}, **more)

    def training_process(self) -> int:
        """The process that trains, once it is there."""
        assert self.server.process is not None
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for pid in tree(self.server.process.pid):
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if b"craton.features.tuning.child" in words:
                    return pid
            time.sleep(0.05)
        raise AssertionError("nothing trains")

    def under_way(self, arn: str, phase: str) -> None:
        end = time.monotonic() + 90
        while True:
            job = self.bedrock.get_model_customization_job(jobIdentifier=arn)
            if job["statusDetails"][phase]["status"] == "InProgress":
                return
            assert job["status"] == "InProgress", job
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    config = CONFIG + model_config(OUTSIDE, "openai", "http://127.0.0.1:9/v1")
    with Running(tmp_path_factory.mktemp("refusals"), config) as server:
        yield Here(server)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"baseModelIdentifier": "no.such-model-v1"}, "model identifier is invalid"),
        ({"baseModelIdentifier": OUTSIDE}, "does not support customization here: an outside upstream"),
        ({"baseModelIdentifier": "amazon.titan-embed-text-v2:0"}, "does not support customization of type FINE_TUNING"),
        ({"baseModelIdentifier": "craton.image-mini-v1:0"}, "does not support customization: there are no weights"),
        ({"hyperParameters": {"epochCount": "5000"}}, "epochCount must be a whole number from 1 to 1000, not 5000"),
        ({"hyperParameters": {"speed": "1"}}, "has no hyperparameter speed; it has epochCount"),
        ({"hyperParameters": {"learningRate": "fast"}}, "learningRate must be a number, not 'fast'"),
        ({"customizationType": "IMPORTED"}, "cannot be asked for"),
        ({"customizationType": "DISTILLATION"}, "must have a customizationConfig with a distillationConfig"),
        ({"customizationType": "REINFORCEMENT_FINE_TUNING"}, "with an rftConfig and a graderConfig"),
        ({"trainingDataConfig": {}}, "either an s3Uri or an invocationLogsConfig"),
        ({"roleArn": "arn:aws:iam::000000000000:role/nobody"}, "cannot be assumed by bedrock.amazonaws.com"),
    ],
)
def test_a_request_that_is_refused(here: Here, more: dict[str, Any], words: str) -> None:
    """At once, and with the reason."""
    with refused("ValidationException", 400, words):
        here.create(**more)


@pytest.mark.parametrize(
    ("grader", "words"),
    [
        (f"{GRADER}craton-grader-taste", "stand for rules: craton-grader-exact-match"),
        (f"{GRADER}mine", "function:mine does not exist"),
        (f"{GRADER}mine:live", "function:mine:live does not exist"),
        (f"{GRADER}mine".replace("us-east-1", "eu-west-1"), "must be in the job's Region, us-east-1"),
        ("mine", "Member must satisfy regular expression pattern"),
    ],
)
def test_a_grader_that_is_not_there(here: Here, grader: str, words: str) -> None:
    """Neither a rule nor a function: it is refused at once."""
    config = {"rftConfig": {"graderConfig": {"lambdaGrader": {"lambdaArn": grader}}}}
    with refused("ValidationException", 400, words):
        here.create(customizationType="REINFORCEMENT_FINE_TUNING", customizationConfig=config)


def test_a_family_keeps_its_ranges(here: Here) -> None:
    """A model of the catalog that is stood in for is customized by its own family's hyperparameters."""
    titan = {"baseModelIdentifier": "amazon.titan-text-express-v1:0:8k"}
    with refused("ValidationException", 400, "epochCount must be a whole number from 1 to 10"):
        here.create(**titan, hyperParameters={"epochCount": "11"})


def test_who_may_make_one(here: Here) -> None:
    """The base is judged, and whether the role may be passed."""
    mine = f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}"
    only = identities.document(identities.allow("bedrock:CreateModelCustomizationJob", mine))
    client = identities.with_key(here.server, identities.user_key(here.server, "trainer", only), "bedrock")
    with refused("AccessDeniedException", 403, "iam:PassRole"):
        client.create_model_customization_job(**asked("passing", here.role, here.train))
    other = identities.document(identities.allow("bedrock:CreateModelCustomizationJob", f"{mine}x"))
    client = identities.with_key(here.server, identities.user_key(here.server, "other", other), "bedrock")
    with refused("AccessDeniedException", 403, "bedrock:CreateModelCustomizationJob"):
        client.create_model_customization_job(**asked("denied", here.role, here.train))


def test_places_that_cannot_be_used(here: Here) -> None:
    """A bucket or an object that is not there, an empty one, a role without rights: the job says which."""
    assert "does not exist" in here.failed(trainingDataConfig={"s3Uri": "s3://no-such-bucket-here/a.jsonl"})
    assert "s3://tuning/none.jsonl does not exist" in here.failed(
        trainingDataConfig={"s3Uri": f"s3://{BUCKET}/none.jsonl"}
    )
    assert "is empty" in here.trained_with(b"")
    reads = MAY.replace('"s3:PutObject", ', "")
    blind = role(here.server, "blind", identities.document(identities.allow("s3:ListBucket", "*")))
    assert "Could not validate GetObject permissions" in here.failed(roleArn=blind)
    reader = role(here.server, "reader", reads)
    told = here.failed(roleArn=reader)
    assert "Could not validate PutObject permissions" in told
    assert reader in told
    two = [{"s3Uri": here.train}, {"s3Uri": here.train}]
    assert "takes one file of validation data" in here.failed(validationDataConfig={"validators": two})


def test_data_that_cannot_be_learned_from(here: Here) -> None:
    """Each faulty line is named; nothing is trained."""
    told = here.trained_with(b'{"prompt":"a","completion":"b"}\n\xff\xfe\n{"prompt":"a"}\n[1]\n')
    assert "The training data cannot be used" in told
    assert "line 2: it is not UTF-8" in told
    assert "line 3: 'completion' must be a text" in told
    assert "line 4: it is not a JSON object" in told
    assert "holds 1 record, and at least 2 are needed" in here.trained_with(lines(PAIRS[:1]))


def test_stop_while_it_trains(here: Here) -> None:
    """The job is Stopping, then Stopped; what was learned so far lies in the output, and the name is free again."""
    arn = here.create(hyperParameters=LONG)
    here.under_way(arn, "trainingDetails")
    time.sleep(1.1)
    told = CliRunner().invoke(cli, ["jobs", "--home", str(here.server.home), "watch", "--once", arn])
    assert re.search(r"of 800 steps InProgress .* loss [0-9.]+ [▁▂▃▄▅▆▇█]+", told.output), told.output
    here.bedrock.stop_model_customization_job(jobIdentifier=arn)
    assert here.bedrock.get_model_customization_job(jobIdentifier=arn)["status"] in ("Stopping", "Stopped")
    job = finished(here.bedrock, arn)
    assert job["status"] == "Stopped"
    assert job["statusDetails"]["trainingDetails"]["status"] == "Stopped"
    key = f"out/model-customization-job-{arn.rpartition('/')[2]}/checkpoint/checkpoint.pt"
    assert here.server.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 1000
    assert here.bedrock.list_custom_models()["modelSummaries"] == []


def test_stop_while_it_waits(here: Here) -> None:
    """One trains at a time: the second waits, says why, and can be stopped there as well."""
    first = here.create(hyperParameters=LONG)
    here.under_way(first, "trainingDetails")
    second = here.create(hyperParameters=LONG)
    here.under_way(second, "dataProcessingDetails")
    for arn in (second, first):
        here.bedrock.stop_model_customization_job(jobIdentifier=arn)
        assert finished(here.bedrock, arn)["status"] == "Stopped"


def test_a_training_that_is_killed_goes_on(here: Here) -> None:
    """Whether its process dies or the worker of the job: the job ends as if nothing had been."""
    arn = here.create(hyperParameters={"epochCount": "4", "batchSize": "4", "loraRank": "4"})
    pid = here.training_process()
    os.kill(pid, signal.SIGKILL)
    later = here.training_process()
    worker = int(Path(f"/proc/{later}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    job = finished(here.bedrock, arn)
    assert job["status"] == "Completed", job
