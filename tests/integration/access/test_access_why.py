"""POST /craton/explain: which statement decides, which keys were looked at, and the least policy for real calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.aws.access.organization import Organization
from craton.aws.access.policy import parse
from tests.integration.access.inprocess import ACCOUNT, BOB, HELLO, REGION, ROLE, SESSION, Scene, allow, text

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
FM = f"arn:aws:bedrock:{REGION}::foundation-model/{HAIKU}"
INVOKE = "bedrock:InvokeModel"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
NEAR = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("home"))


def explained(scene: Scene, how: str = "access key", status: int = 200, **asked: Any) -> Any:
    answer = scene.ask(
        "POST", "/craton/explain", {("as" if name == "who" else name): v for name, v in asked.items()}, how
    )
    assert answer.status == status, answer
    return answer.json


def test_the_deciding_statement(scene: Scene) -> None:
    """Policy, place and Sid of the statement that decides, the others that speak of the action, and the keys."""
    scene.grant(
        allow("bedrock:GetGuardrail"),
        allow(INVOKE, FM, Condition=NEAR, Sid="Near"),
        allow(INVOKE, "arn:aws:bedrock:*::foundation-model/amazon.*"),
    )
    told = explained(scene, action=INVOKE, resource=FM, keys={"aws:SourceIp": "10.1.2.3"})
    assert (told["allowed"], told["principal"], told["message"]) == (True, BOB, "")
    deciding = told["deciding"]
    assert (deciding["policy"], deciding["statement"], deciding["sid"]) == ("granted", 1, "Near")
    assert [(one["statement"], one["outcome"]) for one in told["statements"]] == [(1, "applies"), (2, "other resource")]
    assert told["keys"] == {"aws:requestedregion": "us-east-1", "aws:sourceip": "10.1.2.3"}


def test_why_not(scene: Scene) -> None:
    """A refusal comes with AWS's sentence and the condition that was not met, here by the real address."""
    scene.grant(allow(INVOKE, FM, Condition=NEAR, Sid="Near"))
    told = explained(scene, action=INVOKE, resource=FM)
    assert (told["allowed"], told["reason"], told["policyType"], told["deciding"]) == (
        False, "implicit deny", "identity", None,
    )  # fmt: skip
    assert told["message"].endswith(f"because no identity-based policy allows the {INVOKE} action")
    assert told["statements"][0]["detail"] == "IpAddress aws:SourceIp"
    assert told["keys"]["aws:sourceip"] == "127.0.0.1"


def test_an_explanation_is_what_happens(scene: Scene) -> None:
    """What is explained to be allowed is allowed, and what is refused is refused with the same words."""
    path = f"/model/{HAIKU.replace(':', '%3A')}/converse"
    for statement in (allow(INVOKE, FM), allow(INVOKE, FM, Condition=NEAR), allow(INVOKE, FM, "Deny")):
        scene.grant(statement)
        told = explained(scene, action=INVOKE, resource=FM)
        answer = scene.ask("POST", path, {"messages": HELLO})
        assert answer.unauthorized is not told["allowed"]
        if answer.unauthorized:
            assert answer.json["Message"] == told["message"]


def test_guards_and_boundaries_are_named(scene: Scene) -> None:
    """The statement of a guard or of a boundary is named like any other."""
    guard = parse(text(allow(INVOKE, FM, "Deny", Sid="NoHaiku")), "scp", "guard.json")
    scene.grant(allow("*"), organization=Organization(policies=[guard]))
    told = explained(scene, action=INVOKE, resource=FM)
    assert (told["deciding"]["kind"], told["deciding"]["policy"], told["deciding"]["sid"]) == (
        "scp",
        "guard.json",
        "NoHaiku",
    )
    scene.grant(allow("*"), boundary=allow("s3:*"))
    assert explained(scene, action=INVOKE, resource=FM)["policyType"] == "boundary"


def test_root_may_ask_about_anybody(scene: Scene) -> None:
    """About a user, a role with its path, a role's session, and root itself."""
    scene.grant(allow(INVOKE, FM))
    for who, shown in ((BOB, BOB), (ROLE, SESSION.replace("monday", "explained")), (SESSION, SESSION), (ROOT, ROOT)):
        told = explained(scene, "root", who=who, action=INVOKE, resource=FM)
        assert (told["allowed"], told["principal"]) == (True, shown)
    told = explained(scene, "root", who=BOB, action=INVOKE, resource=FM.replace("haiku", "opus"))
    assert not told["allowed"]
    for nobody in (BOB + "2", ROLE + "2", SESSION.replace("artists", "nobody")):
        assert explained(scene, "root", 404, who=nobody, action=INVOKE)["message"].endswith(f"{nobody}.")
    assert "is not the ARN" in explained(scene, "root", 400, who="bob", action=INVOKE)["message"]


def test_others_may_ask_about_themselves(scene: Scene) -> None:
    """By their own ARN, or a session by its role's; about others with craton:Explain on their ARN."""
    scene.grant()
    assert explained(scene, who=BOB, action=INVOKE)["allowed"] is False
    for who in ("", SESSION, ROLE):
        assert explained(scene, "session", who=who, action=INVOKE)["principal"] == SESSION
    assert explained(scene, status=403, who=ROLE, action=INVOKE)["Message"].startswith(
        f"User: {BOB} is not authorized to perform: craton:Explain on resource: {ROLE} because"
    )
    scene.grant(allow("craton:Explain", ROLE))
    assert explained(scene, who=ROLE, action=INVOKE)["allowed"] is False
    assert explained(scene, "root", 403, who="arn:aws:iam::999999999999:user/x", action=INVOKE)["Message"]


def test_drafts(scene: Scene) -> None:
    """The draft allows what was called and nothing else; under it the same calls go through."""
    path = f"/model/{HAIKU.replace(':', '%3A')}/converse"
    scene.grant(allow(INVOKE), allow("bedrock:List*"))
    scene.ask("POST", path, {"messages": HELLO})
    scene.ask("GET", "/foundation-models", None)
    scene.ask("GET", "/guardrails", None)
    scene.ask("GET", "/agents/ABCDEFGHIJ/", None)
    told = explained(scene, draft=True)
    assert told["policy"]["Statement"] == [
        {"Effect": "Allow", "Action": [INVOKE], "Resource": [FM]},
        {"Effect": "Allow", "Action": ["bedrock:ListFoundationModels", "bedrock:ListGuardrails"], "Resource": ["*"]},
    ]
    assert told["refused"] == [["bedrock:GetAgent", f"arn:aws:bedrock:{REGION}:{ACCOUNT}:agent/ABCDEFGHIJ"]]
    assert told["complete"]
    scene.grant(*told["policy"]["Statement"])
    assert not scene.ask("POST", path, {"messages": HELLO}).unauthorized
    assert scene.ask("POST", path.replace("haiku", "sonnet"), {"messages": HELLO}).unauthorized


def test_drafts_for_root(scene: Scene) -> None:
    """A program that was tried out with root's key learns what policy its own role needs."""
    scene.ask("POST", f"/model/us.{HAIKU.replace(':', '%3A')}/converse", {"messages": HELLO}, "root")
    policy = explained(scene, "root", draft=True)["policy"]
    assert policy["Statement"][0]["Action"] == [INVOKE]
    scene.grant(*policy["Statement"])
    answer = scene.ask("POST", f"/model/us.{HAIKU.replace(':', '%3A')}/converse", {"messages": HELLO})
    assert not answer.unauthorized


@pytest.mark.parametrize("body", [b"[]", b'{"action":1}', b'{"actions":"x"}', b"{", b"\xff"])
def test_bad_questions(scene: Scene, body: bytes) -> None:
    """What is no question is a client's error, without a trace."""
    answer = scene.signed("POST", "/craton/explain", body)
    assert answer.status == 400
    assert json.loads(answer.body)["message"]


def test_unsigned(scene: Scene) -> None:
    """Without a signature there is no answer, from this machine neither."""
    assert scene.send("POST", "/craton/explain", {"host": "x"}, b"{}").status == 403
