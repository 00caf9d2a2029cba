"""Quotas: who falls under which limit, what is reserved, what comes back, and how workers share a bucket."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.config_tables import QuotaLimitTable
from craton.features.inference.quotas.quota import Quota, output_burn
from craton.features.inference.quotas.token_estimate import input_tokens
from craton.infra.quota.buckets import Buckets
from craton.infra.quota.port import Lease
from craton.models.canon.reply import usage
from craton.models.canon.request import ConverseRequest

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Supervisor:
    """The buckets, one loop turn away; counts how often it is asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.buckets = Buckets(self.clock)
        self.asked = 0

    async def lease(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        self.asked += 1
        await asyncio.sleep(0)
        return self.buckets.give(name, per_minute, need, want)


def limit(**given: Any) -> QuotaLimitTable:
    return msgspec.convert(given, QuotaLimitTable)


def call(account: str = "1" * 12, principal: str = "root") -> Any:
    return SimpleNamespace(caller=SimpleNamespace(account=account, arn=f"arn:aws:iam::{account}:{principal}"))


def resolved(model: str = HAIKU, most: int = 100) -> Any:
    return SimpleNamespace(route=SimpleNamespace(model_id=model, max_output_tokens=most))


async def allowed(quota: Quota, who: Any, what: Any, times: int, tokens: float = 1.0) -> int:
    """How many of so many requests pass."""
    passed = 0
    for _ in range(times):
        try:
            await quota.reserve(who, what, tokens)
        except Fault as fault:
            seen = fault
        else:
            passed, seen = passed + 1, None
        assert seen is None or (seen.http_status(), seen.name) == (429, "ThrottlingException")
        assert seen is None or (seen.retry_after_s or 0) >= 1
    return passed


def test_so_many_requests_per_minute_and_no_more() -> None:
    """Exactly as many as configured, then Bedrock's words; they come back evenly over the minute."""
    supervisor = Supervisor()
    quota = Quota([limit(requests_per_minute=6)], 1, supervisor.lease)

    async def scene() -> list[int]:
        first = await allowed(quota, call(), resolved(), 10)
        with pytest.raises(Fault, match="Too many requests, please wait before trying again."):
            await quota.reserve(call(), resolved(), 1)
        supervisor.clock.now += 20
        await asyncio.sleep(0.26)  # a refusal is believed for a moment
        return [first, await allowed(quota, call(), resolved(), 10)]

    assert asyncio.run(scene()) == [6, 2]


def test_each_account_and_model_has_its_own_bucket() -> None:
    """That is the default `per`."""
    quota = Quota([limit(requests_per_minute=2)], 1, Supervisor().lease)

    async def scene() -> list[int]:
        whose = [(call(), resolved()), (call(), resolved(SONNET)), (call("2" * 12), resolved()), (call(), resolved())]
        return [await allowed(quota, who, what, 3) for who, what in whose]

    assert asyncio.run(scene()) == [2, 2, 2, 0]


def test_per_principal() -> None:
    """Two users of one account do not share."""
    quota = Quota([limit(requests_per_minute=2, per=["principal"])], 1, Supervisor().lease)

    async def scene() -> list[int]:
        users = [call(principal=name) for name in ("user/a", "user/b", "user/a")]
        return [await allowed(quota, user, resolved(), 3) for user in users]

    assert asyncio.run(scene()) == [2, 2, 0]


def test_patterns_choose_whom_a_limit_counts() -> None:
    """Others pass; every limit that matches must allow."""
    limits = [limit(requests_per_minute=3, model="anthropic.*", per=["account"]), limit(requests_per_minute=2)]
    quota = Quota(limits, 1, Supervisor().lease)

    async def scene() -> list[int]:
        models = (HAIKU, SONNET, "meta.llama3-8b-instruct-v1:0")
        return [await allowed(quota, call(), resolved(model), 5) for model in models]

    assert asyncio.run(scene()) == [2, 1, 2]


def test_tokens_are_reserved_and_settled() -> None:
    """Input and all the output that may come are held; what was not used comes back with the answer."""
    quota = Quota([limit(tokens_per_minute=1000)], 1, Supervisor().lease)

    async def scene() -> list[int]:
        held = await quota.reserve(call(), resolved(), 900)
        with pytest.raises(Fault, match="Too many tokens, please wait before trying again."):
            await quota.reserve(call(), resolved(), 200)
        held.settle(usage(20, 80))
        held.settle(usage(0, 0))  # a second time is nothing
        return [await allowed(quota, call(), resolved(), 9, 200), await allowed(quota, call(), resolved(), 1, 100)]

    assert asyncio.run(scene()) == [4, 1]


def test_a_request_without_an_answer_gives_its_tokens_back() -> None:
    """The request counts, the tokens do not."""
    quota = Quota([limit(tokens_per_minute=1000, requests_per_minute=3)], 1, Supervisor().lease)

    async def scene() -> int:
        for _ in range(2):
            with pytest.raises(RuntimeError), await quota.reserve(call(), resolved(), 1000):
                raise RuntimeError
        return await allowed(quota, call(), resolved(), 5, 100)

    assert asyncio.run(scene()) == 1


def test_a_conversation_reserves_its_input_and_the_most_it_may_get() -> None:
    """maxTokens, or the model's own limit where the caller names none."""
    quota = Quota([limit(tokens_per_minute=10_000)], 1, Supervisor().lease)
    body = {"messages": [{"role": "user", "content": [{"text": "word " * 80}]}]}
    plain = msgspec.convert(body, ConverseRequest)
    small = msgspec.convert({**body, "inferenceConfig": {"maxTokens": 10}}, ConverseRequest)
    assert input_tokens(plain) == 101

    async def scene() -> list[float]:
        holds = [await quota.hold(call(), resolved(most=4000), request) for request in (plain, small)]
        return [held._reserved for held in holds]

    assert asyncio.run(scene()) == [4101, 111]


@pytest.mark.parametrize(
    ("model", "burn"),
    [(HAIKU, 1), ("anthropic.claude-3-5-sonnet-20240620-v1:0", 1), (SONNET, 5), ("amazon.nova-pro-v1:0", 1)],
)
def test_an_output_token_of_later_claude_counts_five(model: str, burn: int) -> None:
    """As Bedrock's burndown rate has it."""
    assert output_burn(model) == burn


def test_most_requests_do_not_ask_the_supervisor() -> None:
    """A slice is leased ahead."""
    supervisor = Supervisor()
    quota = Quota([limit(requests_per_minute=10_000)], 1, supervisor.lease)

    async def scene() -> int:
        return await allowed(quota, call(), resolved(), 5000)

    assert asyncio.run(scene()) == 5000
    assert supervisor.asked < 50


@pytest.mark.parametrize("rate", [5, 50, 1000])
def test_workers_share_one_bucket(rate: int) -> None:
    """Together they allow what one would, but for what lies in slices: a tenth at most."""
    supervisor = Supervisor()
    workers = [Quota([limit(requests_per_minute=rate)], 4, supervisor.lease) for _ in range(4)]

    async def scene() -> int:
        turns = [allowed(workers[at % 4], call(), resolved(), 1) for at in range(rate * 2)]
        return sum([await turn for turn in turns])

    assert rate * 0.9 <= asyncio.run(scene()) <= rate


def test_many_at_once_do_not_overdraw() -> None:
    """A hundred requests meet an empty slice together."""
    quota = Quota([limit(requests_per_minute=30)], 1, Supervisor().lease)

    async def scene() -> int:
        return sum(await asyncio.gather(*(allowed(quota, call(), resolved(), 1) for _ in range(100))))

    assert asyncio.run(scene()) == 30


def test_a_reset_makes_all_full_again() -> None:
    """What a slice held or owed before is void."""
    supervisor = Supervisor()
    quota = Quota([limit(tokens_per_minute=1000)], 1, supervisor.lease)

    async def scene() -> int:
        held = await quota.reserve(call(), resolved(SONNET), 1000)
        held.settle(usage(0, 600))  # five times 600: 2,000 more than there was
        await supervisor.buckets.reset()
        quota.forget()
        return await allowed(quota, call(), resolved(SONNET), 20, 100)

    assert asyncio.run(scene()) == 10


def test_what_one_worker_does_not_need_another_gets() -> None:
    """Unused reservations go back to the bucket after a moment."""
    supervisor = Supervisor()
    one, other = (Quota([limit(tokens_per_minute=1000)], 2, supervisor.lease) for _ in range(2))

    async def scene() -> int:
        held = await one.reserve(call(), resolved(), 1000)
        assert await allowed(other, call(), resolved(), 1, 500) == 0
        held.settle(usage(10, 10))
        await asyncio.sleep(0.3)
        return await allowed(other, call(), resolved(), 1, 900)

    assert asyncio.run(scene()) == 1
