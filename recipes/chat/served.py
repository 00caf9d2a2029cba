"""Scores as Craton serves the model: through the engine's HTTP, where a grammar holds names, keys and form in place.

`python -m recipes.chat.served --model DIR --out FILE` scores the same held-out conversations as `evaluate`. This file
owns how a conversation becomes an OpenAI-shaped request and what counts as right. It must not know tokens or training.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from recipes.chat.evaluate import held_out
from recipes.chat.mix import Maker
from recipes.chat.tasks import extract, tools
from recipes.chat.turns import CALL_END, CALL_START, Chat

MOST_TOKENS = 120
Body = dict[str, Any]
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def called(text: str) -> tuple[str, Any]:
    """Name and arguments of a call in the form that the model writes."""
    made = json.loads(text.removeprefix(CALL_START).removesuffix(CALL_END))
    return made["name"], made["arguments"]


def message(role: str, text: str) -> Body:
    if not text.startswith(CALL_START):
        return {"role": role, "content": text}
    name, arguments = called(text)
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": role, "content": None, "tool_calls": [{"id": "call", "type": "function", "function": function}]}


def request(chat: Chat) -> Body:
    """The conversation without its last answer, as an OpenAI client would send it; greedy."""
    system: list[Body] = [{"role": "system", "content": chat.system}] if chat.system else []
    body: Body = {
        "messages": system + [message(role, text) for role, text in chat.turns[:-1]],
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
    }
    if chat.tools:
        body["tools"] = [{"type": "function", "function": tool} for tool in chat.tools]
    return body


def offered(chat: Chat) -> Body:
    return {**request(chat), "tool_choice": "auto", "parallel_tool_calls": False}


def required(chat: Chat) -> Body:
    return {**request(chat), "tool_choice": "required", "parallel_tool_calls": False}


def by_schema(chat: Chat) -> Body:
    """With a schema that has the wanted keys in the wanted order; what the text does not tell may be null."""
    wanted: dict[str, object] = json.loads(chat.answer)
    properties = {
        key: {"type": ["string", "null"] if value is None else JSON_TYPES[type(value)]} for key, value in wanted.items()
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(wanted),
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    return {**request(chat), "response_format": form}


def right_call(chat: Chat, said: Mapping[str, Any]) -> bool:
    """One call, the right function, every argument exactly right."""
    made = [each["function"] for each in said.get("tool_calls") or []]
    return len(made) == 1 and (made[0]["name"], _parsed(made[0]["arguments"])) == called(chat.answer)


def right_text(chat: Chat, said: Mapping[str, Any]) -> bool:
    return not said.get("tool_calls") and said.get("content") == chat.answer


def right_json(chat: Chat, said: Mapping[str, Any]) -> bool:
    return bool(_parsed(said.get("content") or "") == json.loads(chat.answer))


def _parsed(text: str) -> Any:
    """The value of a JSON text; None for one that was cut off."""
    try:
        return json.loads(text)
    except ValueError:
        return None


Right = Callable[[Chat, Mapping[str, Any]], bool]
# Name, the task's name in `evaluate` with which it compares, maker, labels, the request, what is right.
SERVED: tuple[tuple[str, str, Maker, tuple[str, ...], Callable[[Chat], Body], Right], ...] = (
    ("JSON extraction, `json_schema`", "JSON extraction", extract.fields, ("extract",), by_schema, right_json),
    ("tool call, `auto`", "tool call", tools.use, ("tool",), offered, right_call),
    ("tool call, `required`", "tool call", tools.use, ("tool",), required, right_call),
    ("tools there, none needed, `auto`", "tools there, none needed", tools.without, ("tool-none",), offered, right_text),
)  # fmt: skip


@contextmanager
def engine(directory: Path) -> Iterator[HTTPConnection]:
    """A running engine on a free port of loopback, one thread; ended afterwards."""
    command = [sys.executable, "-m", "craton.engine", "--model", str(directory), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            address = ""
            for line in process.stdout or ():
                found = re.search(r"address=http://([\d.]+:\d+)", line)
                address = found.group(1) if found else address
                if "state=ready" in line:
                    break
            else:
                raise RuntimeError("the engine ended before it was ready")
            yield HTTPConnection(address, timeout=120)
        finally:
            process.terminate()


def answers(connection: HTTPConnection, bodies: Sequence[Body]) -> Iterator[Body]:
    """The assistant's message for each request. Raises RuntimeError when the engine refuses one."""
    for body in bodies:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"the engine answered {reply.status}: {text[:300]!r}")
        yield json.loads(text)["choices"][0]["message"]


def scores(connection: HTTPConnection, count: int) -> dict[str, dict[str, float]]:
    """Percent right, by kind of phrasing and task."""
    found: dict[str, dict[str, float]] = {"known phrasing": {}, "new phrasing": {}}
    for name, _, maker, labels, ask, right in SERVED:
        for kind, percent in found.items():
            chats = held_out(maker, labels, count, new_phrasing=kind == "new phrasing")
            said = answers(connection, [ask(chat) for chat in chats])
            verdicts = [right(chat, each) for chat, each in zip(chats, said, strict=True)]
            percent[name] = round(100 * sum(verdicts) / len(verdicts), 1)
        print(f"{name:36} {found['known phrasing'][name]:5.1f} {found['new phrasing'][name]:5.1f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the shipped model through the engine, with grammars.")
    parser.add_argument("--model", type=Path, required=True, help="directory in ONNX Runtime GenAI's format")
    parser.add_argument("--count", type=int, default=40, help="conversations a task")
    parser.add_argument("--out", type=Path, help="write the scores as JSON")
    options = parser.parse_args()
    with engine(options.model) as connection:
        percent = scores(connection, options.count)
    if options.out:
        options.out.write_text(json.dumps(percent, indent=2) + "\n")


if __name__ == "__main__":
    main()
