"""What a refused caller is told, and what whoever may see it is told."""

from __future__ import annotations

import json

import pytest

from craton.aws.access.compile import PolicySet
from craton.aws.access.evaluate import Decision, Policies, evaluate
from craton.aws.access.explain import denial, draft, explain, fault
from craton.aws.access.policy import parse
from tests.unit.access.scenes import ANONYMOUS, CLAUDE, SESSION, STABILITY, USER, ask, policies, policy, statement


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("identity", "no identity-based policy allows"),
        ("resource", "no resource-based policy allows"),
        ("scp", "no service control policy allows"),
        ("rcp", "no resource control policy allows"),
        ("boundary", "no permissions boundary allows"),
        ("session", "no session policy allows"),
    ],
)
def test_implicit_denials(kind, words) -> None:
    """AWS's sentence names the caller, the action, the resource, and what does not allow it."""
    assert denial(ask(SESSION), Decision("implicit deny", kind)) == (
        f"User: {SESSION.arn} is not authorized to perform: bedrock:InvokeModel on resource: {CLAUDE} "
        f"because {words} the bedrock:InvokeModel action"
    )


def test_explicit_denials() -> None:
    """An explicit deny names its kind of policy, and the policy only where it has an ARN."""
    for name, tail in (
        ("inline", ""),
        ("arn:aws:iam::111122223333:policy/no", ": arn:aws:iam::111122223333:policy/no"),
    ):
        sets = Policies(identity=policies(statement("Deny"), name=name))
        text = denial(ask(), evaluate(ask(), sets))
        assert text.endswith(f"on resource: {CLAUDE} with an explicit deny in an identity-based policy{tail}")
    guarded = Policies(service_control=(policies(statement("Deny"), kind="scp"),))
    assert denial(ask(), evaluate(ask(), guarded)).endswith("with an explicit deny in a service control policy")


def test_the_fault() -> None:
    """A refusal travels as AccessDeniedException, 403, of the layer before the service."""
    refused = fault(ask(ANONYMOUS), evaluate(ask(ANONYMOUS), Policies()))
    assert (refused.name, refused.http_status(), refused.message_key) == ("AccessDeniedException", 403, "Message")
    assert refused.message.startswith("User: anonymous is not authorized")


def test_every_statement_is_accounted_for() -> None:
    """An explanation says of each statement what kept it from applying, and which one decided."""
    sets = Policies(
        identity=policies(
            statement(action="s3:*"),
            statement(resource=STABILITY),
            statement(Condition={"Bool": {"aws:SecureTransport": "true"}}),
            statement(action="bedrock:InvokeModel", Sid="This"),
        ),
        resource=policies({**statement(), "Principal": {"AWS": SESSION.arn}}, kind="resource"),
    )
    told = explain(ask(USER, aws_SecureTransport="false"), sets)
    assert told.allowed
    assert told.message == ""
    assert told.deciding is not None
    assert (told.deciding.policy, told.deciding.statement, told.deciding.sid) == ("p", 3, "This")
    assert [(one.kind, one.outcome) for one in told.findings] == [
        ("identity", "other action"),
        ("identity", "other resource"),
        ("identity", "condition not met"),
        ("identity", "applies"),
        ("resource", "other principal"),
    ]
    assert told.findings[2].detail == "Bool aws:SecureTransport"


def test_a_refusal_is_explained() -> None:
    """A refused request's explanation carries the sentence and no deciding statement when it was implicit."""
    told = explain(ask(), Policies(identity=policies(statement(resource="arn:aws:s3:::${t:x}"))))
    assert (told.allowed, told.reason, told.kind, told.deciding) == (False, "implicit deny", "identity", None)
    assert "no identity-based policy allows" in told.message
    negated = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::${t:x}"}
    (one,) = explain(ask(), Policies(identity=policies(negated))).findings
    assert (one.outcome, one.detail) == ("condition not met", "a policy variable has no value")


def test_the_least_policy() -> None:
    """The draft allows the calls it was drawn from, exactly, and reads as a policy."""
    calls = [
        ("bedrock:InvokeModel", CLAUDE),
        ("bedrock:InvokeModelWithResponseStream", CLAUDE),
        ("bedrock:ListGuardrails", "*"),
        ("s3:GetObject", "arn:aws:s3:::b/a*b?$"),
        ("bedrock:InvokeModel", CLAUDE),
    ]
    drafted = draft(calls)
    assert drafted == draft(reversed(calls))
    assert len(drafted["Statement"]) == 3
    sets = Policies(identity=PolicySet([parse(json.dumps(drafted))]))
    assert all(evaluate(ask(action=action, resource=resource), sets).allowed for action, resource in calls)
    for action, resource in [
        ("bedrock:InvokeModel", STABILITY),
        ("s3:GetObject", "arn:aws:s3:::b/axbx$"),
        ("s3:PutObject", CLAUDE),
    ]:
        assert not evaluate(ask(action=action, resource=resource), sets).allowed


def test_nothing_of_the_context_is_told_to_the_caller() -> None:
    """The sentence for the caller holds no condition and no value of the request."""
    sets = Policies(identity=PolicySet([policy(statement(Condition={"StringEquals": {"aws:Referer": "topsecret"}}))]))
    request = ask(aws_Referer="alsosecret")
    assert "secret" not in denial(request, evaluate(request, sets))
