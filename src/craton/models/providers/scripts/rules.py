"""The rules of a script as data: what a request must be like, and what it is answered.

Read from a TOML file (`[[rule]]` tables, and `[default]` for what no rule fits) or from the same shape as JSON. Owns
the names of the keys and their meaning; a misspelt key is an error that names it. Knows no request and no clock.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.config import ConfigError
from craton.models.canon.content import ToolName
from craton.models.canon.reply import StopReason

Count = Annotated[int, Meta(ge=0)]
Nth = Annotated[int, Meta(ge=1)]
Has = Literal["image", "document", "video", "audio", "toolResult", "toolUse", "reasoningContent", "searchResult"]
Then = Literal["repeat", "cycle", "pass"]

MAX_RULES = 1000


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A table of the rules file."""


class ToolCall(Part, frozen=True):
    """A call that the model makes. `id` is made up if it is not given."""

    name: ToolName
    input: dict[str, Any] = {}
    id: str = ""


class Error(Part, frozen=True):
    """An AWS error: `name` as in `ThrottlingException`; `status` only where it shall differ from AWS's own."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z]+\Z")]
    message: str = "This error stands in the script."
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    retry_after_s: Annotated[float, Meta(ge=0)] | None = None
    fields: dict[str, Any] = {}


class Reply(Part, frozen=True):
    """One answer. In texts `{1}` and `{name}` stand for what the rule's patterns captured.

    A stream brings `chunks`, or the words of `text` one by one; `delay_ms` before the first, `chunk_delay_ms` between
    them. After `after` chunks comes the `error`, the cut (`cut`) or nothing ever (`hang`), if one of them is given.
    """

    text: str = ""
    chunks: list[str] = []
    reasoning: str = ""
    tools: list[ToolCall] = []
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    fields: dict[str, Any] = {}
    delay_ms: Count = 0
    chunk_delay_ms: Count = 0
    error: Error | None = None
    cut: bool = False
    hang: bool = False
    after: Count = 0

    @property
    def whole_text(self) -> str:
        return "".join(self.chunks) or self.text


class Rule(Part, frozen=True):
    """What a request must be like, all of it; and its answers, one after another.

    Patterns are regular expressions, found anywhere: `user` in the last user message's text, `system` in the system
    prompt, `tool_result` in the texts and JSON of the last message's tool results, `anywhere` in any text of the
    conversation. `model` is a glob on the model id, `tool` the name of a tool on offer, `has` kinds of content blocks
    in the last user message. `call` counts the requests that fit all the rest, from 1. When the replies are used up
    the last one is repeated, they begin anew (`cycle`), or the rule fits no more (`pass`).
    """

    reply: Annotated[list[Reply], Meta(min_length=1)]
    name: str = ""
    model: str = "*"
    user: str = ""
    system: str = ""
    tool_result: str = ""
    anywhere: str = ""
    tool: str = ""
    has: list[Has] = []
    stream: bool | None = None
    call: Annotated[list[Nth], Meta(min_length=1)] | None = None
    times: Nth | None = None
    then: Then = "repeat"
    priority: int = 0


class Rules(Part, frozen=True):
    """A script. A request that no rule fits gets the `default`; without one it is an error, or, with
    `unmatched = "pass"` and a model behind the script, that model's to answer.
    """

    rule: Annotated[list[Rule], Meta(max_length=MAX_RULES)] = []
    default: Reply | None = None
    unmatched: Literal["refuse", "pass"] | None = None


class BadRules(ConfigError):
    """The rules cannot be used; the message says which key and why."""


def read_rules(path: str) -> Rules:
    """A rules file. Raises BadRules."""
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRules(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRules(f"{path}: not valid TOML: {error}") from error
    try:
        return to_rules(raw)
    except BadRules as error:
        raise BadRules(f"{path}: {error}") from None


def to_rules(raw: Any) -> Rules:
    """Rules from plain values, with a few short forms. Raises BadRules.

    `reply` may be one table or a text instead of a list, `error` a name, `call` one number.
    """
    try:
        rules = msgspec.convert(_spelt_out(raw), Rules)
    except msgspec.ValidationError as error:
        raise BadRules(str(error)) from None
    for place, rule in enumerate(rules.rule):
        for key in ("user", "system", "tool_result", "anywhere"):
            try:
                re.compile(getattr(rule, key))
            except re.error as error:
                raise BadRules(f"rule {rule.name or place + 1}: {key} is no regular expression: {error}") from None
    return rules


def _spelt_out(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    found = dict(raw)
    if isinstance(found.get("rule"), list):
        found["rule"] = [_rule(rule) for rule in found["rule"]]
    if "default" in found:
        found["default"] = _reply(found["default"])
    return found


def _rule(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    found = dict(raw)
    replies = found.get("reply")
    if replies is not None:
        found["reply"] = [_reply(one) for one in (replies if isinstance(replies, list) else [replies])]
    if isinstance(found.get("call"), int):
        found["call"] = [found["call"]]
    return found


def _reply(raw: Any) -> Any:
    if isinstance(raw, str):
        return {"text": raw}
    if isinstance(raw, dict) and isinstance(raw.get("error"), str):
        return {**raw, "error": {"name": raw["error"]}}
    return raw
