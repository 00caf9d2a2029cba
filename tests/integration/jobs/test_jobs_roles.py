"""A job acts as its role, as the caller who started it, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from craton.aws.access.credentials import Principal
from craton.cli.main import cli
from tests.acceptance.identities import allow, document, trust
from tests.fakes.upstream import FakeUpstream
from tests.integration.jobs.crashing import Crashing, crashing
from tests.integration.jobs.toys import ASK, BREAK, Spec
from tests.running import model_config

KINDS = "tests.integration.jobs.toys:WORKFLOWS"
MODEL = "amazon.titan-text-lite-v1"
BEDROCK = {"Service": "bedrock.amazonaws.com"}
MAY_ASK = document(allow("bedrock:InvokeModel"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashing]:
    with FakeUpstream() as up, crashing(tmp_path_factory.mktemp("home"), routed(up), kinds=KINDS) as running:
        yield running


def routed(up: FakeUpstream) -> str:
    return model_config(MODEL, "openai", up.openai_url)


def role(server: Crashing, name: str, trusted: str, policy: str | None = MAY_ASK) -> str:
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    if policy is not None:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


def asked(server: Crashing, tmp_path: Path, **how: object) -> tuple[str, Spec]:
    """The status and the body of a job that asked a model."""
    arn = server.put(ASK, Spec(folder=str(tmp_path), model=MODEL, **how))  # type: ignore[arg-type]
    row = server.wait(arn, "Completed", "Failed")
    return row.status, row.read(Spec)


def test_a_job_asks_models_as_its_role(server: Crashing, tmp_path: Path) -> None:
    """The role's session reaches the gateway like anybody's: signed, and judged by the role's policies."""
    arn = role(server, "asker", trust(BEDROCK))
    status, told = asked(server, tmp_path, role=arn)
    assert (status, told.total) == ("Completed", 200), told
    assert told.message.startswith("arn:aws:sts::000000000000:assumed-role/asker/toy ")


def test_a_role_that_may_not_is_refused_by_the_gateway(server: Crashing, tmp_path: Path) -> None:
    """The job has no rights but its role's."""
    status, told = asked(server, tmp_path, role=role(server, "mute", trust(BEDROCK), None))
    assert (status, told.total) == ("Completed", 403)
    assert "is not authorized to perform: bedrock:InvokeModel" in told.message


@pytest.mark.parametrize(
    "trusted",
    [
        trust({"Service": "lambda.amazonaws.com"}),
        trust(BEDROCK, Condition={"StringEquals": {"aws:SourceAccount": "111111111111"}}),
        trust(BEDROCK, Condition={"ArnLike": {"aws:SourceArn": "arn:aws:bedrock:*:*:model-customization-job/*"}}),
    ],
)
def test_trust_is_asked_for_when_the_job_runs(server: Crashing, tmp_path: Path, trusted: str) -> None:
    """A role that does not let Bedrock in for this job ends it, and the message says what to look at."""
    status, told = asked(server, tmp_path, role=role(server, f"shut{abs(hash(trusted))}", trusted))
    assert status == "Failed"
    assert "could not be assumed" in told.message
    assert "trust policy" in told.message


def test_trust_may_name_the_kind_of_job(server: Crashing, tmp_path: Path) -> None:
    """The conditions that AWS's guides give for such roles hold."""
    conditions = {
        "StringEquals": {"aws:SourceAccount": "000000000000"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:us-east-1:000000000000:{ASK}/*"},
    }
    status, told = asked(server, tmp_path, role=role(server, "narrow", trust(BEDROCK, Condition=conditions)))
    assert (status, told.total) == ("Completed", 200), told


def test_a_job_may_act_as_the_caller_who_started_it(server: Crashing, tmp_path: Path) -> None:
    """The user's rights hold, with the limits of the session that it came with."""
    iam = server.client("iam")
    user = iam.create_user(UserName="ann")["User"]
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=MAY_ASK)
    principal = Principal(account="000000000000", arn=user["Arn"], kind="user", user_id=user["UserId"], name="ann")
    status, told = asked(server, tmp_path, caller=principal)
    assert (status, told.total) == ("Completed", 200), told
    assert told.message.startswith(user["Arn"])
    limited = Principal(account="000000000000", arn=user["Arn"], kind="user", user_id=user["UserId"], name="ann",
                        session_policies=(document(allow("s3:*")),))  # fmt: skip
    assert asked(server, tmp_path, caller=limited)[1].total == 403


def test_a_caller_who_is_gone_has_no_rights(server: Crashing, tmp_path: Path) -> None:
    """Sessions end with whom they stand for."""
    iam = server.client("iam")
    user = iam.create_user(UserName="bob")["User"]
    iam.delete_user(UserName="bob")
    principal = Principal(account="000000000000", arn=user["Arn"], kind="user", user_id=user["UserId"], name="bob")
    status, told = asked(server, tmp_path, caller=principal)
    assert status == "Failed"
    assert "security token" in told.message


def test_what_ends_a_job_is_told(server: Crashing, tmp_path: Path) -> None:
    """By its own word at once; a mistake of ours after some tries, in words that hold no detail."""
    refused = server.put(BREAK, Spec(folder=str(tmp_path), how="refused"))
    cut = server.put(BREAK, Spec(folder=str(tmp_path), how="cut"))
    row = server.wait(refused, "Failed")
    assert row.read(Spec).message == "The file s3://b/k is not there."
    server.wait(cut, "Completed")
    assert (tmp_path / "done").read_text().split().count("cut") == 3
    assert json.loads(row.body)["folder"] == str(tmp_path)


def test_a_poisonous_job_is_given_up(server: Crashing, tmp_path: Path) -> None:
    """A job that kills each worker that touches it fails after five of them, and others go on."""
    poison = server.put(BREAK, Spec(folder=str(tmp_path), how="poison"))
    row = server.wait(poison, "Failed", within_s=60)
    assert "died 5 times" in row.read(Spec).message
    assert (tmp_path / "done").read_text().split() == ["poison"] * 5
    assert server.wait(server.put(BREAK, Spec(folder=str(tmp_path))), "Completed").status == "Completed"


def test_jobs_trust_the_certificate_that_craton_made(tmp_path: Path) -> None:
    """Models and services alike are asked over TLS, with verification, without any further configuration."""
    home = tmp_path / "home"
    made = CliRunner().invoke(cli, ["tls", "create", "--home", str(home)])
    assert made.exit_code == 0, made.output
    config = f'[tls]\ncertificate = "{home}/tls/certificate.pem"\nkey = "{home}/tls/key.pem"\n'
    with FakeUpstream() as up, crashing(home, config + routed(up), kinds=KINDS) as server:
        assert server.url.startswith("https://")
        root = Principal(
            account="000000000000", arn="arn:aws:iam::000000000000:root", kind="root", user_id="000000000000"
        )
        status, told = asked(server, tmp_path, caller=root)
        assert (status, told.total) == ("Completed", 200), told
