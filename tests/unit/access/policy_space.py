"""A small world in which random policies often meet random requests: what the property tests draw from."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.access.scenes import ask

ACTIONS = ["bedrock:InvokeModel", "bedrock:GetGuardrail", "s3:GetObject"]
RESOURCES = ["arn:aws:bedrock:us-east-1::foundation-model/a.x", "arn:aws:bedrock:us-west-2::foundation-model/b.x",
             "arn:aws:s3:::bucket/key"]  # fmt: skip
ACTION_PATTERNS = [*ACTIONS, "*", "bedrock:*", "bedrock:Invoke*", "s3:*", "BEDROCK:get*"]
RESOURCE_PATTERNS = [*RESOURCES, "*", "arn:aws:bedrock:*", "arn:aws:bedrock:*::foundation-model/a.*", "arn:aws:s3:::*/key",
                     "arn:aws:bedrock:us-east-1::foundation-model/*"]  # fmt: skip
WORDS = ["a", "b", "ab"]
PATTERNS = ["a", "b", "a*", "*b", "*"]
STRINGS = st.sampled_from(WORDS)

CONDITIONS = st.one_of(
    st.tuples(
        st.sampled_from(["StringEquals", "StringNotEquals", "StringEqualsIfExists", "StringNotEqualsIfExists"]),
        st.just("t:s"), st.lists(STRINGS, min_size=1, max_size=2, unique=True),
    ),
    st.tuples(
        st.sampled_from(["StringLike", "StringNotLike", "StringLikeIfExists"]),
        st.just("t:s"), st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True),
    ),
    st.tuples(
        st.sampled_from(["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
                         "NumericGreaterThan", "NumericGreaterThanEqualsIfExists"]),
        st.just("t:n"), st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=2, unique=True),
    ),
    st.tuples(st.sampled_from(["Bool", "BoolIfExists"]), st.just("t:b"), st.sampled_from([["true"], ["false"]])),
    st.tuples(
        st.sampled_from(["IpAddress", "NotIpAddress", "IpAddressIfExists"]),
        st.just("t:i"), st.sampled_from([["10.0.0.0/8"], ["10.1.0.0/16", "192.0.2.1/32"]]),
    ),
    st.tuples(st.just("Null"), st.sampled_from(["t:s", "t:n", "t:b", "t:i", "t:m"]), st.sampled_from([["true"], ["false"]])),
    st.tuples(
        st.sampled_from(["ForAnyValue:StringEquals", "ForAllValues:StringEquals", "ForAnyValue:StringNotEquals",
                         "ForAllValues:StringNotEquals"]),
        st.just("t:m"), st.lists(STRINGS, min_size=1, max_size=2, unique=True),
    ),
)  # fmt: skip


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    written: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    action, resource = (
        draw(st.sampled_from(["Action", "Action", "NotAction"])),
        draw(st.sampled_from(["Resource", "NotResource"])),
    )
    written[action] = draw(st.lists(st.sampled_from(ACTION_PATTERNS), min_size=1, max_size=2, unique=True))
    written[resource] = draw(st.lists(st.sampled_from(RESOURCE_PATTERNS), min_size=1, max_size=2, unique=True))
    condition: dict[str, Any] = {}
    for operator, key, values in draw(st.lists(CONDITIONS, max_size=2)):
        condition.setdefault(operator, {})[key] = values
    if condition:
        written["Condition"] = condition
    return written


@st.composite
def requests(draw: st.DrawFn):
    keys = {
        "t_s": draw(st.none() | STRINGS),
        "t_n": draw(st.none() | st.sampled_from(["1", "2", "3"])),
        "t_b": draw(st.none() | st.sampled_from(["true", "false"])),
        "t_i": draw(st.none() | st.sampled_from(["10.1.2.3", "10.9.9.9", "192.0.2.1", "8.8.8.8"])),
        "t_m": draw(st.none() | st.lists(STRINGS, max_size=2, unique=True).map(tuple)),
    }
    given = {name: value for name, value in keys.items() if value is not None}
    return ask(action=draw(st.sampled_from(ACTIONS)), resource=draw(st.sampled_from(RESOURCES)), **given)


STATEMENTS = st.lists(statements(), min_size=1, max_size=5)
