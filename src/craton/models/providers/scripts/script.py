"""A script at work: its rules in order, how often each has fitted, and the calls that came.

Rules are tried by priority, then in the order in which they were added; the first that fits answers. All state is this
process's own, so scripts want one HTTP worker. Knows neither time nor streams: it says which reply, `play` gives it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault, not_found
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest
from craton.models.providers.scripts.rules import MAX_RULES, BadRules, Reply, Rule, Rules

MAX_CALLS = 10_000
MAX_CALL_BYTES = 64 * 1024 * 1024
_PATTERNS = ("user", "system", "tool_result", "anywhere")


class Called(msgspec.Struct, omit_defaults=True):
    """A call that came. `request` is Converse's JSON, whichever operation it came by; `rule` what answered it.

    `rule` is the rule's name, `default`, `pass` (the target behind the script answered) or `` (nothing fitted).
    """

    number: int
    at: str
    model: str
    stream: bool
    rule: str
    request: msgspec.Raw


class Found(msgspec.Struct, frozen=True):
    """What a request is answered: a reply and what its rule captured; without a reply the target behind answers."""

    rule: str
    reply: Reply | None
    captured: dict[str, str] = {}


class _Kept:
    """A rule with its state. `fitted` counts requests that fit all but `call`, `used` those that it answered."""

    def __init__(self, rule: Rule, name: str) -> None:
        self.rule = rule
        self.name = name
        self.fitted = 0
        self.used = 0
        self._patterns = {key: re.compile(getattr(rule, key)) for key in _PATTERNS if getattr(rule, key)}

    def fits(self, model: str, request: ConverseRequest, *, stream: bool) -> dict[str, str] | None:
        """What the patterns captured, if the request is as the rule wants it."""
        rule = self.rule
        if not fnmatchcase(model, rule.model) or (rule.stream is not None and rule.stream != stream):
            return None
        if rule.tool and rule.tool not in _tools(request):
            return None
        if rule.has and not set(rule.has) <= {block.kind for block in _last_user(request)}:
            return None
        captured: dict[str, str] = {}
        for key, pattern in self._patterns.items():
            match = pattern.search(_TEXTS[key](request))
            if match is None:
                return None
            captured |= {str(place): text or "" for place, text in enumerate(match.groups(), 1)}
            captured |= {name: text or "" for name, text in match.groupdict().items()}
        return captured

    def take(self) -> Reply | None:
        """The reply of this turn; None if the rule stands back."""
        rule = self.rule
        self.fitted += 1
        if (rule.call is not None and self.fitted not in rule.call) or (rule.times and self.used >= rule.times):
            return None
        place = self.used
        if place >= len(rule.reply):
            if rule.then == "pass":
                return None
            place = place % len(rule.reply) if rule.then == "cycle" else -1
        self.used += 1
        return rule.reply[place]


class Script:
    """Rules, counters and calls. `rules` are those that a reset comes back to."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._first = rules or Rules()
        self._made = 0
        self._kept: list[_Kept] = []
        self._numbers = 0
        self._bytes = 0
        self.default: Reply | None = None
        self.passes = False
        self._armed = False
        self.calls: deque[Called] = deque()
        self.reset()

    @property
    def active(self) -> bool:
        """Whether it has anything to say, be it only that nothing fits."""
        return bool(self._kept) or self.default is not None or self._armed

    def reset(self) -> None:
        """As at the beginning: rules, counters, no calls."""
        self._made = 0
        self.clear_rules()
        self.clear_calls()
        self.add(self._first)

    def clear_calls(self) -> None:
        self.calls.clear()
        self._numbers = self._bytes = 0

    def clear_rules(self) -> None:
        self._kept = []
        self.default, self.passes, self._armed = None, False, False

    def add(self, rules: Rules) -> list[str]:
        """Add rules, in order; one with the name of another takes its place and begins anew. The names."""
        if len(self._kept) + len(rules.rule) > MAX_RULES:
            raise BadRules(f"a script has at most {MAX_RULES} rules")
        names: list[str] = []
        for rule in rules.rule:
            self._made += 1
            name = rule.name or f"rule {self._made}"
            there = next((place for place, kept in enumerate(self._kept) if kept.name == name), None)
            if there is None:
                self._kept.append(_Kept(rule, name))
            else:
                self._kept[there] = _Kept(rule, name)
            names.append(name)
        self._kept.sort(key=lambda kept: -kept.rule.priority)  # stable: equals stay in their order
        self.default = rules.default or self.default
        if rules.unmatched is not None:
            self.passes, self._armed = rules.unmatched == "pass", True
        return names

    def remove(self, name: str) -> bool:
        before = len(self._kept)
        self._kept = [kept for kept in self._kept if kept.name != name]
        return len(self._kept) < before

    def rows(self) -> list[dict[str, object]]:
        """The rules as they are tried, with how often each fitted and answered."""
        return [
            {"name": kept.name, "fitted": kept.fitted, "answered": kept.used, "rule": kept.rule} for kept in self._kept
        ]

    def answer(self, model: str, request: ConverseRequest, *, stream: bool, may_pass: bool = False) -> Found:
        """Who answers. The call is on the list, whatever comes of it.

        Raises:
            Fault: ResourceNotFoundException, if nothing fits.
        """
        found = self._find(model, request, stream=stream)
        if found is None and self.passes and may_pass:
            found = Found("pass", None)
        self._note(model, request, stream, found.rule if found is not None else "")
        if found is None:
            raise self._unmatched()
        return found

    def _find(self, model: str, request: ConverseRequest, *, stream: bool) -> Found | None:
        for kept in self._kept:
            captured = kept.fits(model, request, stream=stream)
            reply = kept.take() if captured is not None else None
            if captured is not None and reply is not None:
                return Found(kept.name, reply, captured)
        return Found("default", self.default) if self.default is not None else None

    def _unmatched(self) -> Fault:
        names = ", ".join(kept.name for kept in self._kept[:10])
        tried = f"Tried: {names}{', …' if len(self._kept) > 10 else ''}." if names else "It has no rule."
        return not_found(f"No rule of the script fits this request. {tried}")

    def _note(self, model: str, request: ConverseRequest, stream: bool, rule: str) -> None:  # noqa: FBT001
        text = msgspec.json.encode(request)
        self._numbers += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.calls.append(Called(self._numbers, at, model, stream, rule, msgspec.Raw(text)))
        self._bytes += len(text)
        while len(self.calls) > MAX_CALLS or (self._bytes > MAX_CALL_BYTES and len(self.calls) > 1):
            self._bytes -= len(bytes(self.calls.popleft().request))


# --- what of a request the patterns see --------------------------------------------------------------------------


def _last_user(request: ConverseRequest) -> list[ContentBlock]:
    users = [message for message in request.messages or () if message.role == "user"]
    return users[-1].content if users else []


def _texts(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        for block in message.content:
            if block.text is not None:
                yield block.text


def _user_text(request: ConverseRequest) -> str:
    return "\n".join(block.text for block in _last_user(request) if block.text is not None)


def _system_text(request: ConverseRequest) -> str:
    return "\n".join(block.text for block in request.system or () if block.text is not None)


def _tool_results(request: ConverseRequest) -> str:
    found: list[str] = []
    for block in _last_user(request):
        for content in block.tool_result.content if block.tool_result is not None else ():
            if content.text is not None:
                found.append(content.text)
            elif isinstance(content.json, msgspec.Raw):
                found.append(bytes(content.json).decode())
    return "\n".join(found)


def _anywhere(request: ConverseRequest) -> str:
    return "\n".join((_system_text(request), *_texts(request.messages or ()), _tool_results(request)))


def _tools(request: ConverseRequest) -> set[str]:
    config = request.tool_config
    return {tool.tool_spec.name for tool in config.tools if tool.tool_spec is not None} if config is not None else set()


_TEXTS: dict[str, Any] = {
    "user": _user_text,
    "system": _system_text,
    "tool_result": _tool_results,
    "anywhere": _anywhere,
}
