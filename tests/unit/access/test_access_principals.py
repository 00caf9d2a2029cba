"""How strongly a Principal element names a caller."""

from __future__ import annotations

import pytest

from craton.aws.access.principals import Principals, Strength
from craton.aws.access.request import Subject
from tests.unit.access.scenes import ACCOUNT, ANONYMOUS, OTHER, ROLE_ARN, ROOT, SERVICE, SESSION, USER, policy

NOT, WHOLE, ROLE, EXACT = Strength.NOT, Strength.ACCOUNT, Strength.ROLE, Strength.EXACT
ISSUER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example"
WEB = Subject(kind="web-identity", arn="", provider=ISSUER)


def compiled(element: str, principal: object) -> Principals:
    one = {"Effect": "Allow", element: principal, "Action": "sts:AssumeRole"}
    (statement,) = policy(one, kind="trust").statements
    return Principals(statement.principals or statement.not_principals, negated=element == "NotPrincipal")


@pytest.mark.parametrize(
    ("principal", "subject", "strength"),
    [
        ("*", USER, ROLE), ("*", ANONYMOUS, ROLE), ({"AWS": "*"}, SESSION, ROLE),
        ({"AWS": ACCOUNT}, USER, WHOLE), ({"AWS": ROOT.arn}, SESSION, WHOLE), ({"AWS": ROOT.arn}, ROOT, WHOLE),
        ({"AWS": OTHER}, USER, NOT), ({"AWS": ACCOUNT}, ANONYMOUS, NOT), ({"AWS": ACCOUNT}, SERVICE, NOT),
        ({"AWS": USER.arn}, USER, EXACT), ({"AWS": USER.arn}, SESSION, NOT), ({"AWS": USER.user_id}, USER, EXACT),
        ({"AWS": ROLE_ARN}, SESSION, ROLE), ({"AWS": SESSION.arn}, SESSION, EXACT), ({"AWS": ROLE_ARN}, USER, NOT),
        ({"AWS": "AROAEXAMPLE0000000001"}, SESSION, ROLE), ({"AWS": "AROAEXAMPLE0000000009"}, SESSION, NOT),
        ({"AWS": [OTHER, SESSION.arn, ACCOUNT]}, SESSION, EXACT),
        ({"Service": "bedrock.amazonaws.com"}, SERVICE, EXACT), ({"Service": "s3.amazonaws.com"}, SERVICE, NOT),
        ({"Service": "bedrock.amazonaws.com"}, USER, NOT), ({"Service": "*"}, SERVICE, EXACT),
        ({"Federated": ISSUER}, WEB, EXACT), ({"Federated": ISSUER}, USER, NOT), ({"AWS": ACCOUNT}, WEB, NOT),
        ({"CanonicalUser": "79a5"}, USER, NOT),
    ],
)  # fmt: skip
def test_strength(principal, subject, strength) -> None:
    """An account, a role and an exact ARN name a caller ever more directly; NotPrincipal names all others."""
    assert compiled("Principal", principal).strength(subject) is strength
    assert compiled("NotPrincipal", principal).strength(subject) is (ROLE if strength is NOT else NOT)
