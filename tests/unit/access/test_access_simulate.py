"""Simulated decisions: what made them, where it stands, and which keys were missing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.access.document import MalformedPolicyDocument
from craton.aws.access.organization import Organization
from craton.aws.access.simulate import Simulation, Written, place, spans
from tests.unit.access.scenes import ACCOUNT, CLAUDE, OTHER, STABILITY, USER, document, policy, statement

INVOKE = "bedrock:InvokeModel"
NEAR = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
TEXT = """{
  "Version": "2012-10-17", "Id": "a, b: {",
  "Statement": [
    {"Sid": "One", "Effect": "Allow", "Action": "bedrock:*", "Resource": "*"},
    {"Sid": "Two",
     "Effect": "Deny", "Action": "*", "Resource": "arn:aws:bedrock:*::foundation-model/stability.*"}
  ]
}"""


def own(*texts: str) -> list[Written]:
    return [Written(f"PolicyInputList.{number}", "IAM Policy", text) for number, text in enumerate(texts, 1)]


def test_places() -> None:
    """A statement is shown by line and column of its first character and of the one after its last."""
    found = Simulation(USER, own(TEXT)).ask(INVOKE, CLAUDE, {})
    assert found.verdict == "allowed"
    assert [(one.policy.id, one.start, one.end) for one in found.matched] == [("PolicyInputList.1", (4, 5), (4, 78))]
    denied = Simulation(USER, own(TEXT)).ask(INVOKE, STABILITY, {})
    assert denied.verdict == "explicitDeny"
    assert [one.start for one in denied.matched] == [(5, 5)]


def test_missing_keys() -> None:
    """Keys that conditions asked for and nobody gave are named as the policy writes them."""
    made = Simulation(USER, own(document(statement(action=INVOKE, Condition=NEAR))))
    found = made.ask(INVOKE, CLAUDE, {})
    assert (found.verdict, found.matched, found.missing) == ("implicitDeny", (), ("aws:RequestedRegion",))
    assert made.ask(INVOKE, CLAUDE, {"aws:requestedregion": "us-east-1"}).missing == ()


def test_limits() -> None:
    """Of a boundary and of an organisation it is said whether they allow, whatever the rest says."""
    guard = Organization(policies=[policy(statement("Deny", INVOKE, STABILITY), kind="scp")]).service_control
    made = Simulation(USER, own(TEXT), boundary=own(document(statement(action="s3:*"))), service_control=guard)
    found = made.ask(INVOKE, CLAUDE, {})
    assert (found.verdict, found.limits) == ("implicitDeny", {"boundary": False, "scp": True})
    assert Simulation(USER, own(TEXT)).ask(INVOKE, CLAUDE, {}).limits == {}


def test_resource_policies_of_others() -> None:
    """Across accounts both sides must allow; the owner may be given where the ARN has none."""
    theirs = json.dumps({"Version": "2012-10-17", "Statement": {**statement(), "Principal": {"AWS": USER.arn}}})
    both = Simulation(USER, own(TEXT), resource=Written("ResourcePolicy", "Resource Policy", theirs))
    found = both.ask("s3:GetObject", "arn:aws:s3:::b/k", {}, OTHER)
    assert found.verdict == "implicitDeny"
    found = both.ask(INVOKE, CLAUDE, {}, OTHER)
    assert found.verdict == "allowed"
    assert {one.policy.id for one in found.matched} == {"PolicyInputList.1", "ResourcePolicy"}
    assert both.ask("s3:GetObject", "arn:aws:s3:::b/k", {}, ACCOUNT).verdict == "allowed"


def test_malformed() -> None:
    """A policy that cannot be read is an error, not a silent Deny."""
    with pytest.raises(MalformedPolicyDocument):
        Simulation(USER, own("{}"))


@given(
    st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=3), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([None, 0, 1, "\t"]),
    st.dictionaries(st.text(max_size=5).filter(lambda name: name != "Statement"), st.text(max_size=9), max_size=3),
)
def test_spans(
    statements: list[dict[str, str]], single: bool, indent: int | str | None, before: dict[str, str]
) -> None:
    """Between the ends of a span stands the statement itself, however the document is laid out."""
    one = single and len(statements) == 1
    text = json.dumps({**before, "Statement": statements[0] if one else statements}, indent=indent)
    found = [json.loads(text[start:end]) for start, end in spans(text)]
    assert found == statements
    for start, _ in spans(text):
        line, column = place(text, start)
        assert text.split("\n")[line - 1][column - 1] == "{"
