"""What one worker knows of one upstream model: how it answers, whether it is to be left alone, who is with it now.

Owns the circuit breaker (closed, open, half-open with one probe), the rest that an upstream asked for with Retry-After,
and the counters that `craton targets` shows. Several routes that lead to one upstream model share one state. It asks
nothing and waits for nothing; time is given, in seconds of the monotonic clock.

    closed ──failures in a row, or a rate of them──> open ──`open_s` passed──> one probe ──success──> closed
                                                      ^───────failure, for twice as long───────┘
"""

from __future__ import annotations

import random
from enum import IntEnum
from typing import Literal

import msgspec

from craton.aws.wire.faults import Fault
from craton.features.inference.targets.gate import Gate

# Faults by which an upstream shows that it is not well. Throttling counts where it comes without a time to wait.
BREAKING = frozenset(
    {
        "InternalServerException",
        "ModelErrorException",
        "ModelStreamErrorException",
        "ModelTimeoutException",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
# Faults whose wait is the upstream's own word (Retry-After on 429 and 503).
RESTING = frozenset({"ServiceUnavailableException", "ThrottlingException"})
_JITTER = 0.1


class BreakerRules(msgspec.Struct, frozen=True):
    """When a target is taken out: `failures` in a row, or a share of `rate` among at least `least` within `window_s`.

    `open_s` is the first time that it stays out; it doubles with each failed probe up to `open_max_s`. `failures` 0
    takes none out. `heed_waits`: an upstream that says how long to wait is left alone for so long.
    """

    failures: int = 5
    rate: float = 0.5
    least: int = 20
    window_s: float = 30.0
    open_s: float = 5.0
    open_max_s: float = 60.0
    heed_waits: bool = True


class Standing(IntEnum):
    """Whether a target may be asked: the lower, the rather."""

    READY = 0
    DUE = 1  # open, and it is time for its one probe
    OPEN = 2
    RESTING = 3


class Ticket(IntEnum):
    """How an ask began, which decides what its end tells of the breaker."""

    PLAIN = 0
    LAST_RESORT = 1  # asked although open, because no other was left
    PROBE = 2


class TargetState:
    """One upstream model.

    `calm` is True while nothing stands against asking it: the one look of the fast path. An answer adds to `answered`
    and ends the row of failures (`consecutive`); whoever asked writes that down himself, since every request does.
    """

    __slots__ = (
        "__weakref__",
        "_opened",
        "_probing",
        "_window_answered",
        "_window_began",
        "_window_failed",
        "answered",
        "calm",
        "consecutive",
        "failed",
        "gate",
        "last_error",
        "left",
        "open_until",
        "outstanding",
        "refused",
        "rest_name",
        "rest_until",
        "rules",
        "throttled",
    )

    def __init__(self, rules: BreakerRules | None = None, gate: Gate | None = None) -> None:
        self.rules = rules or BreakerRules()
        self.gate = gate
        self.outstanding = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew; who is with it stays."""
        self.calm = True
        self.answered = self.failed = self.throttled = self.refused = self.left = 0
        self.last_error = ""
        self.open_until = self.rest_until = 0.0
        self.rest_name = ""
        self.consecutive = self._opened = 0
        self._probing = False
        self._window_began = float("-inf")
        self._window_answered = self._window_failed = 0

    # --- before an ask ----------------------------------------------------------------------------------------------

    def standing(self, now: float) -> Standing:
        """Whether it may be asked now."""
        if self.calm:
            return Standing.READY
        if self.rest_until > now:
            return Standing.RESTING
        self.rest_until = 0.0
        if not self.open_until:
            self.calm = True
            return Standing.READY
        return Standing.DUE if now >= self.open_until and not self._probing else Standing.OPEN

    def begin(self, now: float) -> Ticket:
        """Take note of an ask of a target that is not calm."""
        if not self.open_until:
            return Ticket.PLAIN
        if self._probing or now < self.open_until:
            return Ticket.LAST_RESORT
        self._probing = True
        return Ticket.PROBE

    def shown(self, now: float) -> tuple[Literal["closed", "open", "half-open", "resting"], float]:
        """Its standing in a word, and the time from which it is asked again."""
        standing = self.standing(now)
        if standing is Standing.READY:
            return "closed", now
        if standing is Standing.RESTING:
            return "resting", self.rest_until
        return ("half-open", now) if self._probing or standing is Standing.DUE else ("open", self.open_until)

    # --- after it ---------------------------------------------------------------------------------------------------

    def close_breaker(self) -> None:
        """It answered although it was held to be ill."""
        self.open_until = 0.0
        self._opened = 0
        self._probing = False
        self._window_began = float("-inf")
        self.calm = not self.rest_until

    def failed_with(self, fault: Fault, ticket: Ticket, now: float) -> None:
        """It did not. The caller's own fault, or a cold start, tells nothing of the target's health."""
        self.last_error = fault.name
        if fault.name not in BREAKING:
            self.refused += 1
            self._no_verdict(ticket)
            return
        self.failed += 1
        self.throttled += fault.name == "ThrottlingException"
        if fault.retry_after_s and fault.name in RESTING and self.rules.heed_waits:
            self._rest(fault.name, now + fault.retry_after_s)
            self._no_verdict(ticket)
            return
        self.consecutive += 1
        self._note_failure(now)
        if ticket is Ticket.PROBE:
            self._probing = False
            self._open(now)
        elif not self.open_until and self._too_many():
            self._open(now)

    def dropped(self, ticket: Ticket) -> None:
        """The ask was given up: its caller left, or another answer was first."""
        self.left += 1
        self._no_verdict(ticket)

    def leave(self) -> None:
        """Whoever was with it has gone; the next in line may come."""
        self.outstanding -= 1
        if self.gate is not None:
            self.gate.leave()

    # --- the breaker's own ------------------------------------------------------------------------------------------

    def _no_verdict(self, ticket: Ticket) -> None:
        if ticket is Ticket.PROBE:  # another may probe
            self._probing = False

    def _rest(self, name: str, until: float) -> None:
        self.calm = False
        if until > self.rest_until:
            self.rest_until, self.rest_name = until, name

    def _note_failure(self, now: float) -> None:
        """A window begins with a failure, so that successes need no clock."""
        if now - self._window_began > self.rules.window_s:
            self._window_began = now
            self._window_answered, self._window_failed = self.answered, 0
        self._window_failed += 1

    def _too_many(self) -> bool:
        rules = self.rules
        if not rules.failures:
            return False
        seen = self._window_failed + self.answered - self._window_answered
        return self.consecutive >= rules.failures or (seen >= rules.least and self._window_failed >= rules.rate * seen)

    def _open(self, now: float) -> None:
        lasts_s = min(self.rules.open_max_s, self.rules.open_s * 2.0 ** min(self._opened, 16))
        self._opened += 1
        self.consecutive = 0
        # Workers that opened at one moment need not probe at one moment.
        self.open_until = now + lasts_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load
        self.calm = False
