"""The evaluator beside Cedar, an independent engine, on what both can say."""

from __future__ import annotations

import json
from typing import Any

import cedarpy
from hypothesis import given, settings

from craton.aws.access.evaluate import Policies, evaluate
from tests.unit.access.policy_space import STATEMENTS, requests
from tests.unit.access.scenes import policies

COMPARISONS = {"Equals": "==", "LessThan": "<", "LessThanEquals": "<=", "GreaterThan": ">", "GreaterThanEquals": ">="}


def like(name: str, patterns: list[str], fold=str) -> str:
    """Any of these patterns; neither language's texts here hold characters that need escapes."""
    return "(" + " || ".join(f'context["{name}"] like {json.dumps(fold(one))}' for one in patterns) + ")"


def comparison(operator: str, key: str, values: list[str]) -> str:
    """One value of the context against the policy's, without regard to negation."""
    at = f'context["{key}"]'
    if operator.startswith("Numeric"):
        sign = COMPARISONS[operator.removeprefix("Numeric").removeprefix("Not")]
        return " || ".join(f"{at} {sign} {value}" for value in values)
    if operator.endswith("Like"):
        return like(key, values)
    if operator.endswith("IpAddress"):
        return " || ".join(f"ip({at}).isInRange(ip({json.dumps(value)}))" for value in values)
    if operator == "Bool":
        return " || ".join(f"{at} == {value}" for value in values)
    return " || ".join(f"{at} == {json.dumps(value)}" for value in values)


def condition(full: str, key: str, values: list[str]) -> str:
    has = f'context has "{key}"'
    if full == "Null":
        return f"!({has})" if values == ["true"] else f"({has})"
    scope, _, rest = full.rpartition(":")
    operator = rest.removesuffix("IfExists")
    absent = rest.endswith("IfExists")
    if scope:
        listed, given_ = json.dumps(values), f'context["{key}"]'
        within = f"{listed}.containsAll({given_})"
        meets = f"{listed}.containsAny({given_})"
        # For all: no value outside (or, negated, none inside). For any: one inside (or, negated, one outside).
        body = {
            ("ForAllValues", False): f"!({has}) || {within}",
            ("ForAllValues", True): f"!({has}) || !{meets}",
            ("ForAnyValue", False): f"{has} && {meets}",
            ("ForAnyValue", True): f"{has} && !{within}",
        }
        return f"({body[scope, 'Not' in operator]})"
    plain = f"({has} && ({comparison(operator, key, values)}))"
    if "Not" in operator:
        return f"!{plain}"
    return f"(!({has}) || {plain})" if absent else plain


def translated(written: dict[str, Any]) -> str:
    """A statement in Cedar. Action and resource are texts of the context, because Cedar's own have no wildcards."""
    head = "permit" if written["Effect"] == "Allow" else "forbid"
    parts = []
    for element, name, fold in (("Action", "action", str.lower), ("Resource", "resource", str)):
        if element in written:
            parts.append(like(name, written[element], fold))
        else:
            parts.append("!" + like(name, written[f"Not{element}"], fold))
    for operator, keys in written.get("Condition", {}).items():
        parts += [condition(operator, key, values) for key, values in keys.items()]
    return f"{head}(principal, action, resource) when {{ {' && '.join(parts)} }};"


def native(key: str, value: Any) -> Any:
    """A context value as Cedar types it; AWS has only strings."""
    if key == "t:n":
        return int(value)
    if key == "t:b":
        return value == "true"
    return list(value) if isinstance(value, tuple) else value


@settings(max_examples=150, deadline=None)
@given(STATEMENTS, requests())
def test_cedar_says_the_same(written, request) -> None:
    """Wildcards, Not elements, conditions with absent keys and several values: Cedar's answer is ours."""
    # A key without values is an absent key to AWS, and an empty set to Cedar.
    context = {key: native(key, value) for key, value in request.keys.items() if value != ()}
    context |= {"action": request.action.lower(), "resource": request.resource}
    asked = {"principal": 'U::"u"', "action": 'A::"a"', "resource": 'R::"r"', "context": context}
    told = cedarpy.is_authorized(asked, "\n".join(map(translated, written)), [])
    assert not told.diagnostics.errors
    assert evaluate(request, Policies(identity=policies(*written))).allowed is told.allowed
