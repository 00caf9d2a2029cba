"""The authority: from a principal to the policies that bear on it, and the limits of what it remembers."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.access import authority as module
from craton.aws.access.authority import NO_GUARDS, Authority
from craton.aws.access.credentials import ANONYMOUS, Principal, root_principal
from craton.aws.access.evaluate import Policies, evaluate
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.aws.access.organization import Organization
from craton.aws.access.request import Subject
from tests.unit.access.policy_space import STATEMENTS, requests, statements
from tests.unit.access.scenes import ACCOUNT, CLAUDE, GUARDRAIL, OTHER, STABILITY, policies, policy, statement
from tests.unit.access.standing import (
    BOB,
    INVOKE,
    ROLE_ARN,
    ROOT,
    USER,
    About,
    authority,
    identities,
    may,
    refusal,
    text,
)
from tests.unit.access.standing import session as session_of

GRANT = statement(action=INVOKE, resource=CLAUDE)


def test_nobody_is_known_at_first() -> None:
    """Without identities root may everything in its account, and nobody else anything."""
    judge = Authority()
    assert may(judge, ROOT)
    assert not may(judge, USER)
    assert not may(judge, session_of())
    assert not may(judge, ANONYMOUS)


def test_root_ends_at_its_account() -> None:
    """What belongs to another account is not root's either, in AWS's words."""
    theirs = GUARDRAIL.replace(ACCOUNT, OTHER)
    assert refusal(Authority(), About(ROOT), "bedrock:GetGuardrail", theirs) == (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: bedrock:GetGuardrail on resource: {theirs} "
        "because no resource-based policy allows the bedrock:GetGuardrail action"
    )
    assert may(Authority(), ROOT, "bedrock:GetGuardrail", GUARDRAIL)


def test_what_another_account_allowed_once() -> None:
    """A resource policy that let root in is asked again each time: it may be gone."""
    theirs, action = GUARDRAIL.replace(ACCOUNT, OTHER), "bedrock:ApplyGuardrail"
    granting = policies(statement(action=action, Principal={"AWS": ACCOUNT}), kind="resource")
    judge = Authority()
    _, decision = judge.weigh(About(ROOT), action, theirs, policy=granting)
    assert decision.allowed
    assert not may(judge, ROOT, action, theirs)


def test_own_policies() -> None:
    """A user has what its policies grant and nothing else; a session has its role's."""
    judge = authority(GRANT)
    for caller in (USER, session_of()):
        assert may(judge, caller)
        assert not may(judge, caller, resource=STABILITY)
        assert not may(judge, caller, action="bedrock:InvokeModelWithResponseStream")


def test_denials_name_the_session() -> None:
    """A refused session is shown by its own ARN, with the action, the resource and the kind of policy."""
    assert refusal(authority(), About(session_of())) == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/artists/monday is not authorized to perform: {INVOKE} on resource: "
        f"{CLAUDE} because no identity-based policy allows the {INVOKE} action"
    )


def test_boundaries() -> None:
    """A boundary limits, grants nothing, and is named in the refusal."""
    everything = statement(action="*")
    assert may(authority(everything, boundary=GRANT))
    assert not may(authority(boundary=GRANT))
    told = refusal(authority(everything, boundary=GRANT), About(USER), resource=STABILITY)
    assert told.endswith(f"because no permissions boundary allows the {INVOKE} action")


def test_session_policies() -> None:
    """Every session has the policies that it was made with; one with none has its role's alone."""
    judge = authority(statement(action="*"))
    narrow = session_of("narrow", session_policies=(text(GRANT),))
    assert may(judge, narrow)
    told = refusal(judge, About(narrow), resource=STABILITY)
    assert told.endswith(f"because no session policy allows the {INVOKE} action")
    assert may(judge, session_of("wide"), resource=STABILITY)


def test_two_sessions_with_one_key_are_told_apart() -> None:
    """What is remembered under a key is used for the principal alone that it was made for."""
    judge = authority(statement(action="*"))
    narrow = session_of("a", access_key_id="ASIAX", session_policies=(text(GRANT),))
    wide = session_of("a", access_key_id="ASIAX")
    for _ in range(2):
        assert may(judge, wide, resource=STABILITY)
        assert not may(judge, narrow, resource=STABILITY)


def test_guards_hold_for_all() -> None:
    """Guard policies hold for root too. One of Denies alone stands beside AWS's Allow for everything."""
    denies = Organization(
        "o-abcdefghij", [policy(statement("Deny", INVOKE, STABILITY), kind="scp", name="no-pictures.json")]
    )
    for caller in (ROOT, USER, session_of()):
        judge = authority(statement(action="*"), guards=denies)
        assert may(judge, caller)
        assert refusal(judge, About(caller), resource=STABILITY).endswith(
            "with an explicit deny in a service control policy"
        )
    allows = Organization(policies=[policy(GRANT, kind="scp")])
    assert may(authority(guards=allows), ROOT)
    assert refusal(authority(guards=allows), About(ROOT), resource=STABILITY).endswith(
        f"because no service control policy allows the {INVOKE} action"
    )


def test_guards_of_resources() -> None:
    """Resource control policies refuse whoever comes, and see the organisation's id."""
    denied = {**statement("Deny", "bedrock:*", "*"), "Principal": "*"}
    denied["Condition"] = {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    guard = policy(denied, kind="rcp")
    assert may(authority(GRANT, guards=Organization("o-abcdefghij", resource_policies=[guard])))
    told = refusal(authority(GRANT, guards=Organization(resource_policies=[guard])), About(USER))
    assert told.endswith("with an explicit deny in a resource control policy")


def test_tags_of_callers_and_sessions() -> None:
    """aws:PrincipalTag holds the identity's tags, and a session's own before them."""
    asks = {"StringEquals": {"aws:PrincipalTag/Team": "art"}}
    judge = authority({**GRANT, "Condition": asks}, tags={"team": "art"})
    assert may(judge, USER)
    assert may(judge, session_of())
    assert not may(judge, session_of("other", session_tags={"TEAM": "sales"}))
    assert not may(authority({**GRANT, "Condition": asks}), USER)


def test_source_identity() -> None:
    """A session shows who stood at its beginning."""
    judge = authority({**GRANT, "Condition": {"StringEquals": {"aws:SourceIdentity": "ann"}}})
    assert may(judge, session_of("a", source_identity="ann"))
    assert not may(judge, session_of("b", source_identity="bob"))


def test_a_service_of_awss_is_another_one_for_each_resource() -> None:
    """What is remembered of a service holds for the resource and the account for which it acts, not for the next ones."""
    asked = {"StringEquals": {"aws:SourceArn": "arn:aws:s3:::one", "aws:SourceAccount": ACCOUNT}}
    letting = {
        **statement(action=INVOKE, resource="*"),
        "Principal": {"Service": "s3.amazonaws.com"},
        "Condition": asked,
    }
    granting, judge = policies(letting, kind="resource"), Authority()

    def allowed(bucket: str, account: str = ACCOUNT) -> bool:
        name = "s3.amazonaws.com"
        service = Principal(
            account=account, arn=name, kind="service", user_id=name, name=name, source_arn=f"arn:aws:s3:::{bucket}"
        )
        return judge.weigh(About(service), INVOKE, GUARDRAIL, policy=granting)[1].allowed

    assert [allowed("one"), allowed("two"), allowed("one", OTHER), allowed("one")] == [True, False, False, True]


def test_policies_that_cannot_be_read() -> None:
    """Such a policy may have held a Deny, so it refuses everything; so does one that is missing."""
    for texts in ((PolicyText("own", "own", text(GRANT)), PolicyText("bad", "bad", "{")), ()):
        people = Identity(BOB, ACCOUNT, "user", ("own", "bad"))
        judge = Authority(Identities.of(texts, (people,)))
        assert refusal(judge, About(USER)).endswith("with an explicit deny in an identity-based policy")


def test_a_new_snapshot_counts_at_once() -> None:
    """Texts that changed under one id are compiled anew, others are taken over."""
    first = authority(GRANT)
    assert may(first)
    assert may(Authority(identities(GRANT), earlier=first))
    assert not may(Authority(identities(statement(action=INVOKE, resource=STABILITY)), earlier=first))
    gone = Authority(Identities(), earlier=first)
    assert not may(gone)
    assert may(first)


def test_memory_is_bounded() -> None:
    """Any number of principals, sessions and resources leaves a bounded memory."""
    judge = authority(GRANT)
    for number in range(6000):
        may(judge, session_of(f"s{number}"), resource=f"{CLAUDE}-{number}")
    assert len(judge._standings) <= 2 * module._MAX_STANDINGS
    calls = judge.record.known(ROLE_ARN)
    assert calls is not None
    assert len(calls.refused) <= 256


def test_what_was_called_is_kept_over_snapshots() -> None:
    """The record of calls outlives a change of policies, and holds allowed and refused ones apart."""
    judge = authority(GRANT)
    may(judge, session_of())
    may(judge, session_of("tuesday"), resource=STABILITY)
    calls = Authority(earlier=judge).record.known(ROLE_ARN)
    assert calls is not None
    assert (calls.allowed, calls.refused) == ({(INVOKE, CLAUDE)}, {(INVOKE, STABILITY)})


def test_roots_calls_are_recorded() -> None:
    """Root's calls are recorded as well: from them a program's own policy is drafted."""
    judge = Authority()
    may(judge, ROOT)
    calls = judge.record.known(ROOT.arn)
    assert calls is not None
    assert calls.allowed == {(INVOKE, CLAUDE)}


def test_sometimes() -> None:
    """Whether anything at all lets a principal do an action, for answers that have no resource yet."""
    judge = authority(GRANT)
    assert judge.may_sometimes(USER, INVOKE)
    assert not judge.may_sometimes(USER, "bedrock:GetGuardrail")
    assert judge.may_sometimes(ROOT, "bedrock:GetGuardrail")
    assert not Authority().may_sometimes(USER, INVOKE)


def test_roles_by_name() -> None:
    """A session's ARN leaves out the role's path; the role is found all the same, in its own account only."""
    judge = authority()
    found = judge.role(ACCOUNT, "artists")
    assert found is not None
    assert found.arn == ROLE_ARN
    assert judge.role(OTHER, "artists") is None


def test_the_key_is_no_matter() -> None:
    """The same caller by an access key and by a Bedrock API key stands under the same policies."""
    judge = authority(GRANT)
    for caller in (USER, USER.through("bearer-short"), msgspec.structs.replace(USER, access_key_id=None)):
        assert may(judge, caller)
    assert not may(judge, msgspec.structs.replace(USER, arn=BOB + "2"))
    assert may(judge, root_principal(ACCOUNT))


@settings(max_examples=80, deadline=None)
@given(STATEMENTS, requests(), st.none() | statements(), st.none() | statements(), st.none() | statements())
def test_it_says_what_the_evaluator_says(written, request, boundary, session, guard) -> None:
    """The way through the authority, with its short cuts, ends where evaluating all policies at hand does."""
    guards = Organization(policies=[policy(guard, kind="scp")]) if guard else NO_GUARDS
    judge = Authority(identities(*written, boundary=boundary), guards)
    caller = session_of("x", session_policies=(text(session),) if session else ())
    expected = evaluate(
        msgspec.structs.replace(request, subject=Subject.of(caller, ROLE_ARN)),
        Policies(
            identity=policies(*written),
            boundary=policies(boundary) if boundary else None,
            session=policies(session) if session else None,
            service_control=guards.service_control,
        ),
    )
    for _ in range(2):  # the second time from memory
        told = refusal(judge, About(caller), request.action, request.resource, request.keys)
        assert (not told) is expected.allowed
        assert ("explicit deny" in told) is (expected.reason == "explicit deny")
