"""Laws that hold for all policies and all requests."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.access.compile import PolicySet
from craton.aws.access.evaluate import Policies, evaluate
from craton.aws.access.explain import explain, finding
from tests.unit.access.policy_space import STATEMENTS, requests, statements
from tests.unit.access.scenes import policies, policy

LAW = settings(max_examples=80, deadline=None)


def answer(request, *written) -> str:
    return evaluate(request, Policies(identity=policies(*written))).reason if written else "implicit deny"


@LAW
@given(STATEMENTS, requests())
def test_the_index_says_what_a_scan_says(written, request) -> None:
    """The indexed decision is that of looking at every statement in turn, with Deny first."""
    one = policies(*written)
    applying = {rule.effect for rule in one.rules if finding(rule, request).outcome == "applies"}
    expected = "Deny" if "Deny" in applying else "Allow" if "Allow" in applying else None
    found = one.decide(request)
    assert (found and found.effect) == expected


@LAW
@given(STATEMENTS, requests())
def test_deny_wins(written, request) -> None:
    """With a Deny of everything nothing is allowed."""
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    assert answer(request, *written, deny) == "explicit deny"


@LAW
@given(STATEMENTS, requests(), st.randoms())
def test_order_is_no_matter(written, request, chance) -> None:
    """Statements may stand in any order, in one policy or in several."""
    mixed = list(written)
    chance.shuffle(mixed)
    expected = answer(request, *written)
    assert answer(request, *mixed) == expected
    apart = PolicySet([policy(one) for one in mixed])
    assert evaluate(request, Policies(identity=apart)).reason == expected


@LAW
@given(STATEMENTS, statements(), requests())
def test_one_more_statement(written, more, request) -> None:
    """One more Allow never takes anything away; one more Deny never gives anything."""
    before, after = answer(request, *written), answer(request, *written, more)
    if more["Effect"] == "Allow":
        assert before == after or (before, after) == ("implicit deny", "allowed")
    else:
        assert before == after or after == "explicit deny"


@LAW
@given(STATEMENTS, STATEMENTS, STATEMENTS, requests())
def test_limits_only_limit(own, boundary, session, request) -> None:
    """What passes a boundary, a session policy and a guard is what each of them allows by itself."""
    sets = Policies(
        identity=policies(*own),
        boundary=policies(*boundary, kind="boundary"),
        session=policies(*session, kind="session"),
        service_control=(policies(*boundary, kind="scp"),),
    )
    together = evaluate(request, sets).allowed
    assert together is all(answer(request, *one) == "allowed" for one in (own, boundary, session))


@LAW
@given(STATEMENTS, STATEMENTS, requests())
def test_an_explanation_agrees_with_the_decision(own, boundary, request) -> None:
    """The deciding statement applies and has the effect of the decision; a refusal has a sentence."""
    sets = Policies(identity=policies(*own), boundary=policies(*boundary, kind="boundary"))
    told = explain(request, sets)
    assert told.allowed is evaluate(request, sets).allowed
    assert bool(told.message) is not told.allowed
    if told.deciding is not None:
        assert told.deciding.outcome == "applies"
        assert told.deciding.effect == ("Allow" if told.allowed else "Deny")


@LAW
@given(STATEMENTS, requests())
def test_asking_again_changes_nothing(written, request) -> None:
    """The memo of actions does not show: the same set gives the same answer again."""
    one = policies(*written)
    assert one.decide(request) is one.decide(request)
