"""What a decision costs: a principal with 20 policies of 20 statements, in several mixes, CPU microseconds each.

Owns the mixes and the clock. CPU time, not wall time, because machines are shared; the median of the rounds is shown
and the best beside it. The last two mixes are the worst that can be written: every statement speaks of every call, and has a
condition, or a variable where its resource begins. They are there so that nobody takes the others for a bound.

    python -m bench.access [--rounds 15]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from craton.aws.access.compile import PolicySet
from craton.aws.access.evaluate import Policies, evaluate
from craton.aws.access.policy import Kind, parse
from craton.aws.access.request import Request, Subject

POLICIES, STATEMENTS, CALLS = 20, 20, 2000
ACCOUNT = "111122223333"
MODEL = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2"
NAMES = ["anthropic.claude", "amazon.nova", "meta.llama", "mistral.large", "cohere.command", "stability.sd3"]
ACTIONS = ["InvokeModel", "InvokeModelWithResponseStream", "GetGuardrail", "ApplyGuardrail", "Retrieve", "ListAgents"]
USER = Subject(kind="user", arn=f"arn:aws:iam::{ACCOUNT}:user/u", account=ACCOUNT, user_id="AIDA", name="u")
KEYS = {
    "aws:principalarn": USER.arn,
    "aws:username": "u",
    "aws:requestedregion": "us-east-1",
    "aws:sourceip": "10.1.2.3",
    "aws:currenttime": "2026-01-01T00:00:00Z",
    "aws:securetransport": "true",
}
REQUEST = Request(subject=USER, action="bedrock:InvokeModel", resource=MODEL, keys=KEYS)
GOOD = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
BAD = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
GRANT = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": MODEL, "Condition": GOOD}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}


def usual(number: int) -> dict[str, Any]:
    """Policies as people write them: several actions, models by prefix, a condition in every fourth statement."""
    written: dict[str, Any] = {
        "Effect": "Deny" if number % 10 == 9 else "Allow",
        "Action": [f"bedrock:{ACTIONS[number % 6]}", "s3:Get*"],
        "Resource": [
            f"arn:aws:bedrock:*::foundation-model/{NAMES[number % 5 + 1]}-{number}*",
            f"arn:aws:s3:::b{number}/*",
        ],
    }
    return written | ({"Condition": GOOD} if number % 4 == 0 else {})


def named(number: int) -> dict[str, Any]:
    """One model by its whole ARN in every statement."""
    return {"Effect": "Allow", "Action": "bedrock:Invoke*", "Resource": f"{MODEL}-{number}"}


def prefixed(number: int) -> dict[str, Any]:
    """A prefix in every statement, of many lengths."""
    name = "x" * (number % 40) + str(number)
    return {
        "Effect": "Allow",
        "Action": "bedrock:*",
        "Resource": f"arn:aws:bedrock:us-east-1::foundation-model/{name}*",
    }


def personal(number: int) -> dict[str, Any]:
    """A policy variable in every statement, and nothing before it that tells the statements apart."""
    resource = f"arn:aws:bedrock:us-east-1::foundation-model/${{aws:username}}-{number}*"
    return {"Effect": "Allow", "Action": "bedrock:*", "Resource": resource}


def worst(number: int) -> dict[str, Any]:
    """Every statement speaks of every call, and its condition must be tried and is not met."""
    return {"Effect": "Deny" if number % 2 else "Allow", "Action": "*", "Resource": "*", "Condition": BAD}


def compiled(written: list[dict[str, Any]], kind: Kind = "identity") -> PolicySet:
    """The statements in policies of twenty."""
    documents = [written[at : at + STATEMENTS] for at in range(0, len(written), STATEMENTS)]
    texts = [json.dumps({"Version": "2012-10-17", "Statement": one}) for one in documents]
    return PolicySet(parse(text, kind) for text in texts)


def filled(mix: Callable[[int], dict[str, Any]]) -> PolicySet:
    """400 statements of a mix; two of them are the grant that decides and a Deny that is tried and does not apply."""
    written = [mix(number) for number in range(POLICIES * STATEMENTS)]
    written[217], written[311] = GRANT, DENY
    return compiled(written)


def cost(sets: Policies, request: Request, rounds: int, *, allowed: bool) -> tuple[float, float]:
    """(median, best) CPU microseconds of a decision. The first call, which makes the slice, is not counted."""
    if evaluate(request, sets).allowed is not allowed:
        raise AssertionError("the mix does not decide as it should")
    samples = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(CALLS):
            evaluate(request, sets)
        samples.append((time.process_time() - began) / CALLS * 1e6)
    return statistics.median(samples), min(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    began = time.process_time()
    plain = filled(usual)
    compile_ms = (time.process_time() - began) * 1e3
    began = time.process_time()
    plain.decide(REQUEST)
    slice_us = (time.process_time() - began) * 1e6
    guard = compiled([{"Effect": "Allow", "Action": "*", "Resource": "*"}, DENY])
    limits = Policies(identity=plain, boundary=guard, session=guard, service_control=(guard, guard))
    began = time.process_time()
    for number in range(CALLS):
        fresh = Request(subject=USER, action="bedrock:InvokeModel", resource=f"{MODEL}-{number}", keys=KEYS)
        evaluate(fresh, Policies(identity=plain))
    new_us = (time.process_time() - began) / CALLS * 1e6
    other = Request(subject=USER, action="bedrock:InvokeModel", resource=MODEL + "-none", keys=KEYS)
    rows = [
        ("usual policies, allowed", Policies(identity=plain), REQUEST, True),
        ("usual policies, refused", Policies(identity=plain), other, False),
        ("400 whole ARNs", Policies(identity=filled(named)), REQUEST, True),
        ("400 prefixes of 43 lengths", Policies(identity=filled(prefixed)), REQUEST, True),
        ("usual, with boundary, session, two guards", limits, REQUEST, True),
        ("worst: 400 variables filled in", Policies(identity=filled(personal)), REQUEST, True),
        ("worst: 400 conditions tried", Policies(identity=filled(worst)), other, False),
    ]
    print(
        f"Reading and compiling 400 statements: {compile_ms:.0f} ms; an action's first use: {slice_us:.0f} µs; "
        f"a resource's: {new_us:.0f} µs.\n"
    )
    print("| 20 policies × 20 statements | median µs | best µs |\n|---|---|---|")
    for name, sets, request, allowed in rows:
        median, best = cost(sets, request, rounds, allowed=allowed)
        print(f"| {name} | {median:.1f} | {best:.1f} |")


if __name__ == "__main__":
    main()
