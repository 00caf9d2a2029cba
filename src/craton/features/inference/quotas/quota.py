"""Quotas: requests and tokens per minute by account, principal and model, with Bedrock's throttling errors.

Owns which limits a request falls under, what it reserves (its input and all the output it may have) and what that
comes to once it is answered. A worker spends from slices (`slices`), so a request waits for the supervisor only where
its slice is used up. Source: Bedrock user guide, "How tokens are counted in Amazon Bedrock": input + max_tokens are
deducted at the start; at the end what was not used comes back, cache reads count nothing, and one output token of
Claude 3.7 and later counts five.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from fnmatch import fnmatchcase
from math import ceil
from types import TracebackType
from typing import Self

from craton.aws.wire.faults import TOO_MANY_REQUESTS, TOO_MANY_TOKENS, throttled
from craton.config_tables import QuotaLimitTable
from craton.context import Call
from craton.features.inference.quotas.slices import LeaseFrom, Slice
from craton.features.inference.quotas.token_estimate import input_tokens, of_text
from craton.features.inference.routing.routes import Resolved
from craton.models.canon.reply import Usage
from craton.models.canon.request import ConverseRequest

_KEPT = 4096  # callers and models whose slices are remembered together
# Of Claude only these count an output token as one.
_CLAUDE = "anthropic.claude"
_CLAUDE_BURNING_ONE = tuple(f"{_CLAUDE}-{name}" for name in ("v2", "instant", "3-haiku", "3-sonnet", "3-opus", "3-5-"))
_OUTPUT_BURN = 5.0


class Held:
    """What one request holds of its quotas until it is answered; as a context, until it is known that there is none."""

    __slots__ = ("_burn", "_reserved", "_slices")

    def __init__(self, slices: Sequence[Slice], reserved: float, burn: float) -> None:
        self._slices = slices
        self._reserved = reserved
        self._burn = burn

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.release()

    def settle(self, used: Usage) -> None:
        """Put the tokens that were used in the place of the reserved ones; once."""
        spent = used.input_tokens + (used.cache_write_input_tokens or 0) + self._burn * used.output_tokens
        self._return(self._reserved - spent)

    def release(self) -> None:
        """There was no answer: the tokens come back, the request counts."""
        self._return(self._reserved)

    def _return(self, amount: float) -> None:
        slices, self._slices = self._slices, ()
        for each in slices:
            each.give_back(amount)


NOTHING = Held((), 0.0, 1.0)
"""What a request holds where no quota is set."""


async def hold_tokens(call: Call, resolved: Resolved, texts: Iterable[str | None] = ()) -> Held:
    """What a request holds whose answer is no text: an embedding, a ranking, a picture. Raises ThrottlingException."""
    quota = call.app.quota
    if quota is None:
        return NOTHING
    held: Held = await quota.reserve(call, resolved, sum(of_text(text) for text in texts if text))
    return held


class Quota:
    """The limits of `[quota]` in one worker."""

    def __init__(self, limits: Sequence[QuotaLimitTable], workers: int, lease: LeaseFrom) -> None:
        self._limits = limits
        self._workers = workers
        self._lease = lease
        self._slices: dict[str, Slice] = {}
        self._found: dict[tuple[str, str, str], tuple[list[Slice], list[Slice]]] = {}

    async def reserve(self, call: Call, resolved: Resolved, tokens: float) -> Held:
        """Count one request and `tokens` tokens. Raises ThrottlingException."""
        model = resolved.route.model_id
        requests, of_tokens = self._of(call.caller.account, call.caller.arn, model)
        taken: list[tuple[Slice, float]] = []
        try:
            for slices, amount, text in ((requests, 1.0, TOO_MANY_REQUESTS), (of_tokens, tokens, TOO_MANY_TOKENS)):
                for each in slices:
                    wait_s = each.take(amount)
                    if wait_s is None:
                        wait_s = await each.wait_for(amount)
                    if wait_s:
                        raise throttled(text, float(ceil(wait_s)))
                    taken.append((each, amount))
        except BaseException:
            for each, amount in taken:
                each.give_back(amount)
            raise
        return Held(of_tokens, tokens, output_burn(model))

    def hold(self, call: Call, resolved: Resolved, request: ConverseRequest) -> Awaitable[Held]:
        """Count a conversation: its input, and the most that it may get. Raises ThrottlingException."""
        config = request.inference_config
        most = config.max_tokens if config is not None and config.max_tokens else resolved.route.max_output_tokens
        return self.reserve(call, resolved, input_tokens(request) + most)

    def _of(self, account: str, principal: str, model: str) -> tuple[list[Slice], list[Slice]]:
        """The slices that a caller's request to a model spends from: of requests, of tokens."""
        key = (account, principal, model)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _KEPT:
                self.forget()
            found = self._found[key] = self._find({"account": account, "principal": principal, "model": model})
        return found

    def _find(self, who: dict[str, str]) -> tuple[list[Slice], list[Slice]]:
        found: tuple[list[Slice], list[Slice]] = ([], [])
        for number, limit in enumerate(self._limits):
            patterns = {"account": limit.account, "principal": limit.principal, "model": limit.model}
            if not all(fnmatchcase(who[name], pattern) for name, pattern in patterns.items()):
                continue
            bucket = " ".join([str(number), *(who[name] for name in sorted(set(limit.per)))])
            rates = (("requests", limit.requests_per_minute), ("tokens", limit.tokens_per_minute))
            for slices, (kind, rate) in zip(found, rates, strict=True):
                if rate is not None:
                    slices.append(self._slice(f"{kind} {bucket}", float(rate)))
        return found

    def forget(self) -> None:
        """Drop all slices: the buckets are full again, or there are too many callers to remember."""
        self._slices.clear()
        self._found.clear()

    def _slice(self, name: str, per_minute: float) -> Slice:
        if name not in self._slices:
            self._slices[name] = Slice(name, per_minute, self._workers, self._lease)
        return self._slices[name]


def output_burn(model_id: str) -> float:
    """What one output token counts."""
    is_claude = model_id.startswith(_CLAUDE)
    return _OUTPUT_BURN if is_claude and not model_id.startswith(_CLAUDE_BURNING_ONE) else 1.0
