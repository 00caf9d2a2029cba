"""Scripted answers as a test writes them: `script.on("weather").tool("get_weather", city="Paris")`.

A thin form over the rules of `models/providers/scripts`: each step sends the rule as it then is, so that it holds from
the next request on. Must not know pytest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from craton.cli.testing_server import CratonServer

_RULES = "/craton/script/rules"
_CALLS = "/craton/script/calls"


@dataclass(frozen=True)
class Called:
    """A call that the script got.

    `model` is the model id; `request` Converse's JSON, whichever operation the call came by; `rule` the name of the
    rule that answered, `default`, `pass` (the model behind answered) or "" (nothing fitted, the caller got an error).
    """

    number: int
    model: str
    stream: bool
    rule: str
    request: dict[str, Any] = field(repr=False)

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        users = [message for message in self.request.get("messages", []) if message["role"] == "user"]
        return "\n".join(block["text"] for block in users[-1]["content"] if "text" in block) if users else ""

    @property
    def system(self) -> str:
        """The text of the system prompt."""
        return "\n".join(block["text"] for block in self.request.get("system", []) if "text" in block)

    @property
    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.request.get("messages", [])
        return found

    @property
    def tools(self) -> list[str]:
        """The names of the tools on offer."""
        tools = self.request.get("toolConfig", {}).get("tools", [])
        return [tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool]

    @property
    def tool_results(self) -> list[Any]:
        """What tools gave, as texts and JSON values, in the order of the conversation."""
        return [
            content.get("text", content.get("json"))
            for message in self.messages
            for block in message["content"]
            for content in block.get("toolResult", {}).get("content", [])
        ]


class Answer:
    """One rule as it is written. Every step is sent at once; `then` begins the next answer of a sequence."""

    def __init__(self, server: CratonServer, rule: dict[str, Any]) -> None:
        self._server = server
        self._rule = {**rule, "reply": [{}]}
        self._sent = False

    @property
    def name(self) -> str:
        """The rule's name, as `Called.rule` has it."""
        return str(self._rule["name"])

    def reply(self, text: str) -> Self:
        """Answer a text; `{1}` and `{name}` stand for what the rule's patterns captured."""
        return self._with(text=text)

    def chunks(self, *texts: str, delay_ms: int = 0) -> Self:
        """Answer these pieces, with a pause between them; whole answers are all of them together."""
        return self._with(chunks=list(texts), chunk_delay_ms=delay_ms)

    def tool(self, name: str, /, **arguments: Any) -> Self:
        """Call a tool; more than once for several calls in one answer."""
        calls = [*self._last.get("tools", []), {"name": name, "input": arguments}]
        return self._with(tools=calls)

    def json(self, value: Any) -> Self:
        """Answer a JSON value as text."""
        return self._with(text=json.dumps(value, ensure_ascii=False))

    def reasoning(self, text: str) -> Self:
        """Think first."""
        return self._with(reasoning=text)

    def stop(self, reason: str, sequence: str | None = None) -> Self:
        """End for this reason, such as `max_tokens`."""
        return self._with(stop_reason=reason, stop_sequence=sequence)

    def usage(self, input_tokens: int, output_tokens: int) -> Self:
        """Tell these token counts."""
        return self._with(input_tokens=input_tokens, output_tokens=output_tokens)

    def error(
        self,
        name: str,
        message: str = "",
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        after: int = 0,
    ) -> Self:
        """Fail with an AWS error, in a stream after so many pieces of the text."""
        given = {"name": name, "message": message, "status": status, "retry_after_s": retry_after_s}
        told = {key: value for key, value in given.items() if value not in (None, "")}
        return self._with(error=told, after=after)

    def delay(self, milliseconds: int) -> Self:
        """Wait before the answer."""
        return self._with(delay_ms=milliseconds)

    def cut(self, after: int = 0) -> Self:
        """Break the stream off after so many pieces; a whole answer fails."""
        return self._with(cut=True, after=after)

    def hang(self, after: int = 0) -> Self:
        """Say nothing more after so many pieces, until the target's timeout."""
        return self._with(hang=True, after=after)

    def then(self) -> Self:
        """The steps after this are the next answer of the same rule."""
        self._rule["reply"].append({})
        return self

    def cycle(self) -> Self:
        """Begin anew when the answers are used up, instead of repeating the last."""
        return self._rewritten(then="cycle")

    def times(self, count: int) -> Self:
        """Answer at most so often; after that the rule stands back for others."""
        return self._rewritten(times=count)

    @property
    def _last(self) -> dict[str, Any]:
        found: dict[str, Any] = self._rule["reply"][-1]
        return found

    def _with(self, **members: Any) -> Self:
        self._last.update({name: value for name, value in members.items() if value is not None})
        return self._send()

    def _rewritten(self, **members: Any) -> Self:
        self._rule.update(members)
        return self._send()

    def _send(self) -> Self:
        self._server.call("POST", _RULES, {"rule": [self._rule]})
        return self


class CratonScript:
    """The rules that answer in front of every model of a server, and the calls that came.

    Without a rule that fits a call is an error; `default` answers it, `passthrough` lets the model behind do so.
    """

    def __init__(self, server: CratonServer) -> None:
        self._server = server
        self._rules = 0
        self._rest: dict[str, Any] = {}

    def on(
        self,
        user: str = "",
        *,
        model: str = "*",
        system: str = "",
        tool_result: str = "",
        anywhere: str = "",
        tool: str = "",
        has: Sequence[str] = (),
        stream: bool | None = None,
        call: int | Sequence[int] | None = None,
        name: str = "",
        priority: int = 0,
    ) -> Answer:
        """A rule for requests that are like this, all of it; nothing holds before its first answer is given.

        Args:
            user: a regular expression, found anywhere in the last user message.
            model: a glob on the model id.
            system: a regular expression on the system prompt.
            tool_result: a regular expression on what the last message's tool results say.
            anywhere: a regular expression on any text of the conversation.
            tool: the name of a tool on offer.
            has: kinds of blocks in the last user message, such as `image` or `toolResult`.
            stream: only streams, or only whole answers.
            call: which of the requests that fit, counted from 1.
            name: how the rule is called in `Called.rule`; a rule of the same name is replaced.
            priority: the higher, the sooner it is tried; else rules are tried in the order of writing.
        """
        self._rules += 1
        rule: dict[str, Any] = {
            "name": name or f"rule {self._rules}",
            "user": user,
            "model": model,
            "system": system,
            "tool_result": tool_result,
            "anywhere": anywhere,
            "tool": tool,
            "has": list(has),
            "priority": priority,
        }
        if stream is not None:
            rule["stream"] = stream
        if call is not None:
            rule["call"] = [call] if isinstance(call, int) else list(call)
        return Answer(self._server, rule)

    def default(self, text: str = "", **reply: Any) -> None:
        """Answer whatever no rule fits; `reply` takes the keys of a rules file's reply."""
        self._rest["default"] = {"text": text, **reply}
        self._server.call("POST", _RULES, self._rest)

    def passthrough(self) -> None:
        """Let the model behind the script answer what no rule fits."""
        self._unmatched("pass")

    def refuse(self) -> None:
        """Make a request that no rule fits an error (the default)."""
        self._unmatched("refuse")

    def _unmatched(self, how: Literal["pass", "refuse"]) -> None:
        self._rest["unmatched"] = how
        self._server.call("POST", _RULES, self._rest)

    @property
    def calls(self) -> list[Called]:
        """The calls so far, in order."""
        found = self._server.call("GET", _CALLS)["calls"]
        return [Called(call["number"], call["model"], call["stream"], call["rule"], call["request"]) for call in found]

    @property
    def unused(self) -> list[str]:
        """The names of the rules that answered nothing so far."""
        return [row["name"] for row in self._server.call("GET", _RULES)["rules"] if not row["answered"]]

    def clear_calls(self) -> None:
        """Forget the calls; the rules stay."""
        self._server.call("DELETE", _CALLS)

    def clear(self) -> None:
        """Forget rules and calls."""
        self._rest = {}
        self._server.call("DELETE", _RULES)
        self.refuse()
        self.clear_calls()
