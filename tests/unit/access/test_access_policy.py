"""Reading policies, and refusing what is none."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.access.document import MalformedPolicyDocument
from craton.aws.access.policy import RULES, parse
from craton.aws.wire.faults import Fault
from tests.unit.access.scenes import ACCOUNT, document, statement

ALLOW = statement(action="bedrock:InvokeModel")
TRUST = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}


def refusal(text: str, kind="identity") -> MalformedPolicyDocument:
    with pytest.raises(MalformedPolicyDocument) as caught:
        parse(text, kind)
    return caught.value


def test_a_whole_policy() -> None:
    """Every element arrives as it was written, single values as lists of one."""
    read = parse(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Id": "i",
                "Statement": {
                    "Sid": "One",
                    "Effect": "Deny",
                    "NotPrincipal": {"AWS": [ACCOUNT, "*"], "Service": "bedrock.amazonaws.com"},
                    "NotAction": ["bedrock:*", "s3:Get*"],
                    "NotResource": "arn:aws:s3:::b/${aws:username}",
                    "Condition": {
                        "NumericLessThan": {"aws:MultiFactorAuthAge": 3600},
                        "Bool": {"aws:SecureTransport": [True, "false"]},
                    },
                },
            }
        ),
        "resource",
        "name",
    )
    (one,) = read.statements
    assert (read.id, read.version, read.name, one.sid, one.effect) == ("i", "2012-10-17", "name", "One", "Deny")
    assert one.not_actions == ("bedrock:*", "s3:Get*")
    assert one.not_resources == ("arn:aws:s3:::b/${aws:username}",)
    assert [tuple(named) for named in one.not_principals] == [
        ("AWS", ACCOUNT), ("*", "*"), ("Service", "bedrock.amazonaws.com"),
    ]  # fmt: skip
    assert [tuple(condition) for condition in one.conditions] == [
        ("NumericLessThan", "aws:MultiFactorAuthAge", ("3600",)),
        ("Bool", "aws:SecureTransport", ("true", "false")),
    ]


def test_versions() -> None:
    """Both versions are read, an absent one is the older, others are refused."""
    assert parse(document(ALLOW, version="2008-10-17")).variables is False
    assert parse(json.dumps({"Statement": [ALLOW]})).version == "2008-10-17"
    assert parse(document(ALLOW)).variables is True
    assert refusal(document(ALLOW, version="2020-01-01")).place == "Version"


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"Effect": "allow"}, "Statement[0].Effect", "Syntax errors"),
        ({"Effect": None}, "Statement[0].Effect", "Syntax errors"),
        ({"Action": []}, "Statement[0]", "must contain actions"),
        ({"Action": "InvokeModel"}, "Statement[0].Action", "prefaced by a vendor"),
        ({"Action": ["bedrock:A", "a:b:c"]}, "Statement[0].Action[1]", "only one colon"),
        ({"Action": "bed rock:A"}, "Statement[0].Action", "Vendor bed rock is not valid"),
        ({"Action": "bedrock:"}, "Statement[0].Action", "Syntax errors"),
        ({"Action": 5}, "Statement[0].Action", "Syntax errors"),
        ({"NotAction": "s3:*"}, "Statement[0].NotAction", "Syntax errors"),
        ({"Resource": []}, "Statement[0]", "must contain resources"),
        ({"Resource": "model"}, "Statement[0].Resource", 'must be in ARN format or "*"'),
        ({"Resource": "arn:nope:s3:::b"}, "Statement[0].Resource", 'Partition "nope" is not valid'),
        ({"Resource": "arn:aws"}, "Statement[0].Resource", "fully qualified"),
        ({"Resource": "arn:aws:s3?:::b"}, "Statement[0].Resource", "cannot contain regexes"),
        ({"Resource": "arn:aws:s3:::${a"}, "Statement[0].Resource", "not closed"),
        ({"Principal": "*"}, "Statement[0].Principal", "should not specify a principal"),
        ({"Sid": "not good"}, "Statement[0].Sid", "must be alpha-numeric"),
        ({"Sid": 1}, "Statement[0].Sid", "Syntax errors"),
        ({"Extra": 1}, "Statement[0].Extra", "Syntax errors"),
        ({"Condition": None}, "Statement[0].Condition", "Syntax errors"),
        ({"Condition": []}, "Statement[0].Condition", "Syntax errors"),
        ({"Condition": {"Equals": {"aws:a": "b"}}}, "Statement[0].Condition.Equals", "not a condition operator"),
        ({"Condition": {"Bool": "x"}}, "Statement[0].Condition.Bool", "Syntax errors"),
        ({"Condition": {"Bool": {"aws:a": "maybe"}}}, "Statement[0].Condition.Bool.aws:a", "neither true nor false"),
        ({"Condition": {"Bool": {"key": "true"}}}, "Statement[0].Condition.Bool.key", "prefaced by a vendor"),
        ({"Condition": {"StringEquals": {"aws:a": {"x": 1}}}}, "Statement[0].Condition.StringEquals.aws:a", "Syntax"),
        ({"Condition": {"StringEquals": {"aws:a": None}}}, "Statement[0].Condition.StringEquals.aws:a", "Syntax"),
    ],
)
def test_statements_that_are_none(changed, place, words) -> None:
    """A broken statement is refused in AWS's words, with its place."""
    fault = refusal(document({**ALLOW, **changed}))
    assert (fault.name, fault.http_status()) == ("MalformedPolicyDocument", 400)
    assert fault.place == place
    assert words in fault.message
    assert place in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "1", '"x"', "{}", '{"Statement":[]}', '{"Statement":null}', '{"Statement":[1]}',
        '{"Version":5,"Statement":[]}', '{"Statements":[]}', '{"Statement":NaN}', '{"Version":["2012-10-17"]}',
        "[" * 6000, '{"Id":' + "9" * 5000 + "}", '{"Id":1,"Statement":{}}', "\ud800", "\x00",
    ],
)  # fmt: skip
def test_documents_that_are_none(text) -> None:
    """What is no policy at all is a MalformedPolicyDocument, never another error."""
    refusal(text)


def test_a_name_given_twice_is_refused() -> None:
    """Two readers of a policy could disagree about a name that stands twice, so it is refused."""
    fault = refusal(
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}'
    )
    assert "Effect, which is given twice" in fault.message


def test_sids_are_unique() -> None:
    """Two statements cannot have one Sid."""
    one = {**ALLOW, "Sid": "A"}
    assert refusal(document(one, one)).place == "Statement[1].Sid"


@pytest.mark.parametrize("kind", ["identity", "boundary", "session", "scp"])
def test_policies_of_identities_name_no_principal(kind) -> None:
    """What is attached to somebody does not say to whom it applies."""
    assert parse(document(ALLOW), kind).kind == kind
    refusal(document({**ALLOW, "Principal": "*"}), kind)


def test_resource_policies_name_a_principal() -> None:
    """A policy on a resource says whom; a trust policy names no resource; a resource control policy says everyone."""
    refusal(document(ALLOW), "resource")
    assert parse(document({**ALLOW, "Principal": "*"}), "resource").statements[0].principals
    assert parse(document(TRUST), "trust").statements[0].principals
    assert refusal(document({**TRUST, "Resource": "*"}), "trust").message.startswith("Has prohibited field Resource")
    parse(document({**ALLOW, "Principal": "*"}), "rcp")
    refusal(document({**ALLOW, "Principal": {"AWS": ACCOUNT}}), "rcp")


@pytest.mark.parametrize(
    ("principal", "good"),
    [
        ("*", True), ({"AWS": "*"}, True), ({"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"]}, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/a/b"}, True), ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/a/s"}, True),
        ({"AWS": "AROAEXAMPLE0000000001"}, True), ({"Service": "bedrock.amazonaws.com"}, True),
        ({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example"}, True), ({"CanonicalUser": "79a5"}, True),
        ("bob", False), ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}, False), ({"AWS": "bob"}, False), ({"AWS": []}, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:group/g"}, False), ({"Service": "bedrock"}, False), ({}, False),
        ({"Robot": "r2"}, False), ([], False), (None, False), ({"AWS": 111122223333}, False), ({"AWS": [1]}, False),
    ],
)  # fmt: skip
def test_principals(principal, good) -> None:
    """Principals are accounts, ARNs without wildcards, ids, services, providers; groups are none."""
    text = document({**TRUST, "Principal": principal})
    if good:
        parse(text, "trust")
    else:
        refusal(text, "trust")


def test_an_empty_list_of_resources_is_not_every_resource() -> None:
    """A policy on a resource may leave Resource out, but an empty or null one is refused."""
    for nothing in ([], None):
        refusal(document({**TRUST, "Resource": nothing}), "resource")
        refusal(document({**TRUST, "NotResource": nothing}), "resource")
    assert parse(document(TRUST), "resource").statements[0].resources == ()


@pytest.mark.parametrize("kind", RULES)
def test_sizes(kind) -> None:
    """A document over its kind's limit is refused before it is read; white space counts where AWS counts it."""
    rules = RULES[kind]
    with pytest.raises(Fault) as caught:
        parse("x" * (rules.limit + 1), kind)
    assert caught.value.name == "LimitExceeded"
    padded = document(ALLOW) + " " * rules.limit
    if rules.spaces:
        with pytest.raises(Fault, match="LimitExceeded"):
            parse(padded, kind)
    elif kind in ("identity", "boundary"):
        parse(padded, kind)


WORDS = st.sampled_from(
    ["Version", "2012-10-17", "Statement", "Effect", "Allow", "Action", "*", "bedrock:*", "Resource", "arn:aws:s3:::${a}",
     "Condition", "StringLike", "ForAnyValue:DateLessThan", "aws:a", "${", "Principal", "AWS", "Sid", ""]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
ELEMENTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("Sid", "Principal", "NotAction", "NotResource", "Condition"), VALUES)
    | {"Effect": st.sampled_from(["Allow", "Deny"]) | VALUES, "Action": WORDS | VALUES, "Resource": WORDS | VALUES},
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(), VALUES.map(json.dumps), st.lists(ELEMENTS, max_size=2).map(lambda s: document(*s))),
    st.sampled_from(sorted(RULES)),
)
def test_nothing_but_malformed(text, kind) -> None:
    """Whatever is handed in, a policy comes back or a Fault that says why there is none."""
    with suppress(Fault):
        parse(text, kind)
