"""The condition context of callers and requests."""

from __future__ import annotations

from craton.aws.access.credentials import Principal, root_principal
from craton.aws.access.request import Subject, principal_keys, tag_keys
from tests.unit.access.scenes import ACCOUNT, ANONYMOUS, ROLE_ARN, ROOT, SERVICE, SESSION, USER, ask


def test_users() -> None:
    """A user's context has its name, id, account and tags, names in lower case."""
    keys = principal_keys(USER, {"Team": "Art"}, "o-1")
    assert keys["aws:username"] == "bob"
    assert keys["aws:userid"] == USER.user_id
    assert keys["aws:principalarn"] == USER.arn
    assert keys["aws:principaltype"] == "User"
    assert keys["aws:principaltag/team"] == "Art"
    assert keys["aws:principalorgid"] == "o-1"
    assert keys["aws:principalisawsservice"] == "false"


def test_sessions() -> None:
    """A session's aws:PrincipalArn is its role, and it has no user name."""
    keys = principal_keys(SESSION)
    assert keys["aws:principalarn"] == ROLE_ARN
    assert keys["aws:principaltype"] == "AssumedRole"
    assert "aws:username" not in keys


def test_services_and_strangers() -> None:
    """A service is known by its name; whoever has no account has no aws:PrincipalAccount."""
    assert principal_keys(SERVICE)["aws:principalservicename"] == "bedrock.amazonaws.com"
    assert principal_keys(SERVICE)["aws:principalisawsservice"] == "true"
    assert "aws:principalaccount" not in principal_keys(ANONYMOUS)
    assert principal_keys(ROOT)["aws:principaltype"] == "Account"


def test_tags() -> None:
    """Request tags give one key each and the list of their names."""
    keys = tag_keys(request_tags={"Team": "a", "Cost": "b"}, resource_tags={"Team": "c"})
    assert keys == {
        "aws:requesttag/team": "a",
        "aws:requesttag/cost": "b",
        "aws:tagkeys": ("Team", "Cost"),
        "aws:resourcetag/team": "c",
    }
    assert tag_keys() == {}


def test_subjects_of_principals() -> None:
    """A checked principal becomes a subject; a service loses its account."""
    assert Subject.of(root_principal(ACCOUNT)) == ROOT
    principal = Principal(account=ACCOUNT, arn=SESSION.arn, kind="assumed-role", user_id=SESSION.user_id)
    assert Subject.of(principal, ROLE_ARN) == SESSION
    named = Principal(account=ACCOUNT, arn=SERVICE.arn, kind="service", user_id="", name=SERVICE.service)
    assert (Subject.of(named).service, Subject.of(named).account) == (SERVICE.service, "")


def test_crossing() -> None:
    """A resource without an owner belongs to whoever asks."""
    assert not ask().crosses_accounts
    assert not ask(owner=ACCOUNT).crosses_accounts
    assert ask(owner="999988887777").crosses_accounts
