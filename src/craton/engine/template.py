"""Chat templates: a list of messages becomes the text that the model was trained on.

Owns the Jinja environment (sandboxed, with what templates written for transformers expect) and the preparation of
messages for it. A template is foreign code from a model's directory: it sees values only, and its errors are the
request's. Knows no tokens but their spelling.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from craton.engine.backend import EngineFault

Message = dict[str, Any]


class TemplateRefused(EngineFault):
    """The template does not take these messages; the message is the template's own reason."""


class _Generation(jinja2.ext.Extension):
    """`{% generation %}` marks answers for training; for serving it is transparent."""

    tags = {"generation"}  # noqa: RUF012 (the name and type are Jinja's)

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


class ChatTemplate:
    """The compiled templates of one model."""

    def __init__(self, templates: Mapping[str, str], special_tokens: Mapping[str, str]) -> None:
        """Compile. Raises TemplateRefused when a template is not valid Jinja."""
        environment = _environment()
        self._special = dict(special_tokens)
        try:
            self._templates = {name: environment.from_string(text) for name, text in templates.items()}
        except jinja2.TemplateError as fault:
            raise TemplateRefused(f"the chat template cannot be compiled: {fault}") from fault

    def __bool__(self) -> bool:
        return bool(self._templates)

    def render(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] | None, quote: Callable[[str], str]
    ) -> str:
        """The prompt, ending where the assistant begins to speak.

        `messages` and `tools` are OpenAI's; `quote` is applied to every string that came from the caller. Raises
        TemplateRefused when the template raises, or when there is none.
        """
        name = "tool_use" if tools and "tool_use" in self._templates else "default"
        template = self._templates.get(name) or next(iter(self._templates.values()), None)
        if template is None:
            raise TemplateRefused("this model has no chat template: it completes raw prompts only")
        try:
            return template.render(
                messages=[_quoted(_prepared(each), quote) for each in messages],
                tools=_quoted(list(tools), quote) if tools else None,
                documents=None,
                add_generation_prompt=True,
                **self._special,
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError) as fault:
            raise TemplateRefused(f"the model's chat template refuses these messages: {str(fault)[:200]}") from fault


def _environment() -> jinja2.Environment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, _Generation]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(
    value: object,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 (templates pass these by position too)
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    """As transformers does it: Jinja's own filter escapes characters for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return dt.datetime.now(tz=dt.UTC).strftime(pattern)


def _prepared(message: Message) -> Message:
    """Arguments of earlier calls as objects, which is what templates print; OpenAI sends them as text."""
    calls = message.get("tool_calls")
    if not calls:
        return {key: value for key, value in message.items() if key != "tool_calls"}
    return {**message, "content": message.get("content") or "", "tool_calls": [_prepared_call(call) for call in calls]}


def _prepared_call(call: dict[str, Any]) -> dict[str, Any]:
    function = dict(call["function"])
    arguments = function.get("arguments") or "{}"
    if isinstance(arguments, str):
        try:
            function["arguments"] = json.loads(arguments)
        except ValueError:
            function["arguments"] = arguments
    return {**call, "function": function}


def _quoted(value: Any, quote: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        return {_quoted(key, quote): _quoted(each, quote) for key, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each, quote) for each in value]
    return value
