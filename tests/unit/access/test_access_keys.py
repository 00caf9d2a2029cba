"""The context of a request: whose values come first, and that nothing is made which nobody asks for."""

from __future__ import annotations

from craton.aws.access.conditions.operators import build
from craton.aws.access.keys import RequestKeys, Watched, account_of
from tests.unit.access.scenes import CLAUDE, GUARDRAIL
from tests.unit.access.standing import NOW, USER, About, session


def keys(**about: object) -> RequestKeys:
    caller = about.pop("caller", USER)
    return RequestKeys(About(caller, **about), {"aws:username": "bob"})  # type: ignore[arg-type]


def test_surroundings() -> None:
    """Times are ISO and epoch; what a request does not have is absent, so that Null and IfExists can tell."""
    found = keys(secure=True, headers={b"user-agent": "aws-cli/2"})
    assert found["aws:currenttime"] == "2026-11-22T18:00:00Z"
    assert found["aws:epochtime"] == str(int(NOW.timestamp()))
    assert (found["aws:securetransport"], found["aws:sourceip"]) == ("true", "10.1.2.3")
    assert (found["aws:useragent"], found["aws:requestedregion"]) == ("aws-cli/2", "us-east-1")
    assert {"aws:referer", "aws:tokenissuetime", "aws:multifactorauthpresent"}.isdisjoint(found)
    assert build("DateEquals", "aws:CurrentTime", ("2026-11-22T18:00:00Z",), variables=True)(found)
    assert build("NumericEquals", "aws:EpochTime", (str(int(NOW.timestamp())),), variables=True)(found)


def test_temporary_credentials() -> None:
    """They alone have the time of their token and the key of the second factor, which is not there."""
    found = keys(caller=session())
    assert (found["aws:tokenissuetime"], found["aws:multifactorauthpresent"]) == ("2026-11-22T18:00:00Z", "false")


def test_nothing_is_made_unasked() -> None:
    """The clock is read when a condition asks for the time, and not before."""
    about = About(USER)
    found = RequestKeys(about, {})
    assert found.get("aws:sourceip") == "10.1.2.3"
    assert about.asked == 0
    assert found.get("aws:currenttime")
    assert about.asked == 1


def test_the_order() -> None:
    """What belongs to the resource comes before what the request says, that before the caller's, that before the rest."""
    found = RequestKeys(About(USER), {"aws:requestedregion": "caller"})
    assert found["aws:requestedregion"] == "caller"
    found.given = {"aws:requestedregion": "given"}
    assert found["aws:requestedregion"] == "given"
    found.about_resource = {"aws:requestedregion": "unspecified"}
    assert found["aws:requestedregion"] == "unspecified"
    assert len(found) == len(set(found))


def test_keys_of_the_resource() -> None:
    """The owner's account, and the resource's tags whatever their case."""
    found = RequestKeys(About(USER, tags={GUARDRAIL: {"Team": "art"}}), {})
    assert "aws:resourceaccount" not in found
    found.resource = GUARDRAIL
    assert found["aws:resourceaccount"] == GUARDRAIL.split(":")[4]
    assert found["aws:resourcetag/team"] == "art"
    assert "aws:resourcetag/cost" not in found
    assert "aws:resourceorgid" not in found


def test_watching() -> None:
    """An explanation can tell which keys were asked for, and which of them were not there."""
    watched = Watched(keys())
    assert watched.get("aws:username") == "bob"
    assert watched.get("aws:referer", "none") == "none"
    assert watched.asked == {"aws:username": "bob", "aws:referer": None}
    assert (watched["aws:sourceip"], "aws:username" in watched, len(watched) > 0) == ("10.1.2.3", True, True)


def test_accounts_in_arns() -> None:
    """Foundation models, AWS's own policies and * belong to nobody."""
    assert account_of(GUARDRAIL) == GUARDRAIL.split(":")[4]
    assert [account_of(one) for one in (CLAUDE, "*", "arn:aws:iam::aws:policy/ReadOnlyAccess", "")] == [None] * 4
