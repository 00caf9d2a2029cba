"""AWS's order of evaluation, a row for each case."""

from __future__ import annotations

import pytest

from craton.aws.access.compile import PolicySet
from craton.aws.access.evaluate import Policies, evaluate
from tests.unit.access.scenes import (
    ACCOUNT,
    ANONYMOUS,
    CLAUDE,
    GUARDRAIL,
    OTHER,
    ROLE_ARN,
    ROOT,
    SERVICE,
    SESSION,
    STABILITY,
    USER,
    ask,
    policies,
    statement,
)

ALLOW, DENY = statement(), statement("Deny")
ELSE = statement(action="s3:*")


def guard(*statements, kind="scp") -> PolicySet:
    written = [{**one, "Principal": "*"} for one in statements] if kind == "rcp" else statements
    return policies(*written, kind=kind)


def on_resource(principal, effect: str = "Allow") -> PolicySet:
    return policies({**statement(effect), "Principal": principal}, kind="resource")


A, D, E = policies(ALLOW), policies(ALLOW, DENY), policies(ELSE)
BA, BD, BE = (policies(*s, kind="boundary") for s in ([ALLOW], [ALLOW, DENY], [ELSE]))
SA, SD, SE = (policies(*s, kind="session") for s in ([ALLOW], [ALLOW, DENY], [ELSE]))
GA, GD, GE = (guard(*s) for s in ([ALLOW], [ALLOW, DENY], [ELSE]))
RA, RD, RE = (guard(*s, kind="rcp") for s in ([ALLOW], [ALLOW, DENY], [ELSE]))
EVERYONE, WHOLE = on_resource("*"), on_resource({"AWS": ACCOUNT})
BOB, ARTISTS, MONDAY = (on_resource({"AWS": arn}) for arn in (USER.arn, ROLE_ARN, SESSION.arn))
NOT_BOB = on_resource({"AWS": USER.arn}, "Deny")


def decided(subject, owner=None, **sets) -> tuple[str, str | None]:
    decision = evaluate(ask(subject, owner=owner), Policies(**sets))
    assert decision.allowed is (decision.reason == "allowed")
    return decision.reason, decision.kind


YES, IMPLICIT, EXPLICIT = "allowed", "implicit deny", "explicit deny"
ROWS = [
    # One account, policies of the identity.
    (USER, {}, IMPLICIT, "identity"),
    (USER, {"identity": A}, YES, "identity"),
    (USER, {"identity": E}, IMPLICIT, "identity"),
    (USER, {"identity": D}, EXPLICIT, "identity"),
    (USER, {"identity": A, "boundary": BA, "session": SA}, YES, "identity"),
    (USER, {"identity": A, "boundary": BE}, IMPLICIT, "boundary"),
    (USER, {"identity": E, "boundary": BA}, IMPLICIT, "identity"),
    (USER, {"identity": A, "boundary": BD}, EXPLICIT, "boundary"),
    (USER, {"identity": A, "session": SE}, IMPLICIT, "session"),
    (USER, {"identity": A, "session": SD}, EXPLICIT, "session"),
    (USER, {"identity": A, "boundary": BE, "session": SD}, EXPLICIT, "session"),
    # Guards: every level must allow, and none may deny.
    (USER, {"identity": A, "service_control": (GA, GA)}, YES, "identity"),
    (USER, {"identity": A, "service_control": (GA, GE)}, IMPLICIT, "scp"),
    (USER, {"identity": A, "service_control": (GE, GA)}, IMPLICIT, "scp"),
    (USER, {"identity": A, "service_control": (GA, GD)}, EXPLICIT, "scp"),
    (USER, {"identity": A, "resource_control": (RA, RE)}, IMPLICIT, "rcp"),
    (USER, {"identity": A, "resource_control": (RD,)}, EXPLICIT, "rcp"),
    (USER, {"identity": E, "resource_control": (RE,), "service_control": (GE,)}, IMPLICIT, "rcp"),
    (USER, {"identity": E, "service_control": (GE,)}, IMPLICIT, "scp"),
    (USER, {"service_control": (GA,)}, IMPLICIT, "identity"),
    # Policies of the resource, in its own account.
    (USER, {"resource": BOB}, YES, "resource"),
    (USER, {"resource": BOB, "boundary": BE, "session": SE}, YES, "resource"),
    (USER, {"resource": BOB, "identity": D}, EXPLICIT, "identity"),
    (USER, {"resource": BOB, "boundary": BD}, EXPLICIT, "boundary"),
    (USER, {"resource": BOB, "service_control": (GE,)}, IMPLICIT, "scp"),
    (USER, {"resource": WHOLE}, IMPLICIT, "identity"),
    (USER, {"resource": WHOLE, "identity": A}, YES, "identity"),
    (USER, {"resource": EVERYONE}, YES, "resource"),
    (USER, {"resource": EVERYONE, "boundary": BE}, IMPLICIT, "boundary"),
    (USER, {"resource": ARTISTS}, IMPLICIT, "identity"),
    (USER, {"resource": NOT_BOB, "identity": A}, EXPLICIT, "resource"),
    (SESSION, {"resource": ARTISTS}, YES, "resource"),
    (SESSION, {"resource": ARTISTS, "boundary": BE}, IMPLICIT, "boundary"),
    (SESSION, {"resource": ARTISTS, "session": SE}, IMPLICIT, "session"),
    (SESSION, {"resource": MONDAY, "boundary": BE, "session": SE}, YES, "resource"),
    # Root.
    (ROOT, {}, YES, None),
    (ROOT, {"service_control": (GD,)}, EXPLICIT, "scp"),
    (ROOT, {"service_control": (GE,)}, IMPLICIT, "scp"),
    (ROOT, {"resource_control": (RE,)}, IMPLICIT, "rcp"),
    (ROOT, {"resource": on_resource("*", "Deny")}, EXPLICIT, "resource"),
    # What must allow by itself: trust policies and keys.
    (USER, {"identity": A, "resource_decides": True}, IMPLICIT, "resource"),
    (USER, {"identity": A, "resource": WHOLE, "resource_decides": True}, YES, "identity"),
    (USER, {"identity": E, "resource": WHOLE, "resource_decides": True}, IMPLICIT, "identity"),
    (USER, {"resource": BOB, "resource_decides": True}, YES, "resource"),
    (ROOT, {"resource_decides": True}, IMPLICIT, "resource"),
    (ROOT, {"resource": WHOLE, "resource_decides": True}, YES, "resource"),
    # Callers without an account.
    (SERVICE, {}, IMPLICIT, "resource"),
    (SERVICE, {"resource": on_resource({"Service": SERVICE.arn}), "service_control": (GE,)}, YES, "resource"),
    (SERVICE, {"resource": on_resource({"Service": SERVICE.arn}), "resource_control": (RD,)}, EXPLICIT, "rcp"),
    (ANONYMOUS, {"identity": A}, IMPLICIT, "resource"),
    (ANONYMOUS, {"resource": EVERYONE}, YES, "resource"),
]
CROSSING = [
    (USER, {"identity": A}, IMPLICIT, "resource"),
    (USER, {"resource": BOB}, IMPLICIT, "identity"),
    (USER, {"resource": BOB, "identity": A}, YES, "identity"),
    (USER, {"resource": WHOLE, "identity": A}, YES, "identity"),
    (USER, {"resource": EVERYONE, "identity": A, "boundary": BE}, IMPLICIT, "boundary"),
    (USER, {"resource": BOB, "identity": A, "session": SE}, IMPLICIT, "session"),
    (USER, {"resource": BOB, "identity": A, "service_control": (GE,)}, IMPLICIT, "scp"),
    (USER, {"resource": BOB, "identity": D}, EXPLICIT, "identity"),
    (SESSION, {"resource": MONDAY}, IMPLICIT, "identity"),
    (ROOT, {}, IMPLICIT, "resource"),
    (ROOT, {"resource": WHOLE}, YES, "resource"),
]


@pytest.mark.parametrize(("subject", "sets", "reason", "kind"), ROWS)
def test_one_account(subject, sets, reason, kind) -> None:
    """Within one account the answer, and the kind of policy that gave it, are AWS's."""
    assert decided(subject, **sets) == (reason, kind)
    if subject.account:
        assert decided(subject, ACCOUNT, **sets) == (reason, kind)


@pytest.mark.parametrize(("subject", "sets", "reason", "kind"), CROSSING)
def test_two_accounts(subject, sets, reason, kind) -> None:
    """Across accounts both sides must allow."""
    assert decided(subject, OTHER, **sets) == (reason, kind)


@pytest.mark.parametrize(
    ("written", "action", "resource", "allowed"),
    [
        (statement(action="bedrock:InvokeModel", resource=CLAUDE), "bedrock:InvokeModel", CLAUDE, True),
        (statement(action="bedrock:InvokeModel", resource=CLAUDE), "bedrock:InvokeModel", STABILITY, False),
        (statement(action="bedrock:InvokeModel", resource=CLAUDE), "bedrock:GetGuardrail", CLAUDE, False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "bedrock:InvokeModel", CLAUDE, True),
        ({"Effect": "Allow", "NotAction": "bedrock:*", "Resource": "*"}, "bedrock:InvokeModel", CLAUDE, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": CLAUDE}, "bedrock:InvokeModel", CLAUDE, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": CLAUDE}, "bedrock:InvokeModel", STABILITY, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": [CLAUDE, STABILITY]}, "a:b", STABILITY, False),
        (statement(resource=[GUARDRAIL, CLAUDE]), "bedrock:InvokeModel", CLAUDE, True),
    ],
)
def test_statements(written, action, resource, allowed) -> None:
    """A statement speaks of its actions and resources, or of all but those."""
    request = ask(action=action, resource=resource)
    assert evaluate(request, Policies(identity=policies(written))).allowed is allowed


def test_conditions_are_all_needed() -> None:
    """Several operators and several keys are joined by and, several values by or."""
    condition = {
        "StringEquals": {"aws:RequestedRegion": ["us-east-1", "us-west-2"], "aws:PrincipalTag/Team": "art"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    sets = Policies(identity=policies(statement(Condition=condition)))
    good = {"aws_RequestedRegion": "us-west-2", "aws_PrincipalTag/Team": "art", "aws_SecureTransport": "true"}
    assert evaluate(ask(**good), sets).allowed
    for name, value in (
        ("aws_RequestedRegion", "eu-west-1"),
        ("aws_PrincipalTag/Team", "x"),
        ("aws_SecureTransport", "false"),
    ):
        assert not evaluate(ask(**{**good, name: value}), sets).allowed


@pytest.mark.parametrize("order", [1, -1])
def test_the_strongest_naming_counts(order) -> None:
    """Where a resource's policy names the caller twice, the more direct naming decides, wherever it stands."""
    written = [{**ALLOW, "Principal": {"AWS": name}} for name in (USER.arn, ACCOUNT)][::order]
    assert decided(USER, resource=policies(*written, kind="resource"), boundary=BE) == (YES, "resource")


@pytest.mark.parametrize("order", [1, -1])
def test_a_deny_of_a_weaker_naming_wins(order) -> None:
    """A Deny for the account stands against an Allow for the exact user."""
    written = [{**ALLOW, "Principal": {"AWS": USER.arn}}, {**DENY, "Principal": {"AWS": ACCOUNT}}][::order]
    assert decided(USER, resource=policies(*written, kind="resource"), identity=A) == (EXPLICIT, "resource")


def test_an_allow_never_widens_by_a_missing_variable() -> None:
    """ "Everything but ${x}" allows nothing to a request without x; as a Deny it denies all the more."""
    written = {"Action": "*", "NotResource": "arn:aws:s3:::${aws:username}"}
    assert not evaluate(ask(), Policies(identity=policies({"Effect": "Allow", **written}))).allowed
    assert evaluate(ask(aws_username="x"), Policies(identity=policies({"Effect": "Allow", **written}))).allowed
    both = policies(ALLOW, {"Effect": "Deny", **written})
    assert evaluate(ask(), Policies(identity=both)).reason == EXPLICIT
    negated = statement(Condition={"StringNotEquals": {"aws:RequestedRegion": "${aws:PrincipalTag/home}"}})
    assert not evaluate(ask(aws_RequestedRegion="r"), Policies(identity=policies(negated))).allowed


def test_policies_of_an_old_version_have_no_variables() -> None:
    """In version 2008-10-17 ${aws:username} in a resource is text."""
    from tests.unit.access.scenes import policy

    old = PolicySet([policy(statement(resource="arn:aws:s3:::${aws:username}"), version="2008-10-17")])
    assert evaluate(ask(resource="arn:aws:s3:::${aws:username}", aws_username="b"), Policies(identity=old)).allowed
    assert not evaluate(ask(resource="arn:aws:s3:::b", aws_username="b"), Policies(identity=old)).allowed


def test_the_memo_of_actions_is_bounded() -> None:
    """A caller that invents actions does not make a policy set grow for ever, nor change its answers."""
    one = policies(statement(action="bedrock:*"))
    for number in range(3000):
        assert evaluate(ask(action=f"bedrock:Junk{number}"), Policies(identity=one)).allowed
    assert len(one._slices) <= 1024
    assert evaluate(ask(action="BEDROCK:invokemodel"), Policies(identity=one)).allowed


def test_the_memo_of_resources_is_bounded() -> None:
    """A caller that invents resources, or gives endless ones, does not make a policy set grow; the answers stay right."""
    one = policies(statement(resource="arn:aws:s3:::b/*"))
    for number in range(2000):
        assert evaluate(ask(resource=f"arn:aws:s3:::b/{number}"), Policies(identity=one)).allowed
    assert evaluate(ask(resource="arn:aws:s3:::b/" + "x" * 2000), Policies(identity=one)).allowed
    assert len(one._memo) <= 512
    assert all(len(resource) <= 512 for _, resource in one._memo)
    assert not evaluate(ask(resource="arn:aws:s3:::c/1"), Policies(identity=one)).allowed
