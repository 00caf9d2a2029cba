"""Chat templates as models in the wild write them, run in the sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.engine.template import ChatTemplate, TemplateRefused

QWEN = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {{- "# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "assistant" and message.tool_calls %}
        {{- '<|im_start|>' + message.role }}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": "ž"}'}}


def render(template: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None) -> str:
    return ChatTemplate({"default": template}, {"bos_token": "<s>"}).render(messages, tools, lambda text: text)


def test_a_whole_conversation_with_tools() -> None:
    """Tools, a call whose arguments came as text, and its result are rendered as transformers would."""
    tool = {"type": "function", "function": {"name": "f", "description": "ž <b>", "parameters": {"type": "object"}}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    assert render(QWEN, messages, [tool]) == (
        "<|im_start|>system\n# Tools\n<tools>\n" + json.dumps(tool, ensure_ascii=False) + "\n</tools><|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "f", "arguments": {"a": "ž"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>tool\n42<|im_end|>\n<|im_start|>assistant\n"
    )


def test_special_tokens_generation_blocks_and_loop_controls() -> None:
    """The names and tags that templates expect are there."""
    template = (
        "{{ bos_token }}{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}{{ strftime_now('%Y') | length }}"
    )
    assert render(template, [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]) == "<s>a4"


def test_a_template_of_its_own_for_tools() -> None:
    """Among several templates, the one named for tools is used when there are any."""
    both = ChatTemplate({"default": "plain", "tool_use": "tools"}, {})
    assert both.render([], None, str) == "plain"
    assert both.render([], [{"type": "function"}], str) == "tools"


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('roles must alternate') }}",
        "{{ messages[0].content.undefined.deeper }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}{{ ().__class__.__bases__[0].__subclasses__() }}",
        "{{ messages[0].content + 1 }}",
    ],
)
def test_what_a_template_may_not_do_is_the_requests_fault(template: str) -> None:
    """Its own refusals, its mistakes, and every way out of the sandbox end as TemplateRefused."""
    with pytest.raises(TemplateRefused):
        render(template, [{"role": "user", "content": "x"}])


def test_broken_templates_and_none_at_all() -> None:
    """A template that does not compile is refused when it is loaded; a model without one cannot chat."""
    with pytest.raises(TemplateRefused):
        ChatTemplate({"default": "{% if %}"}, {})
    with pytest.raises(TemplateRefused, match="no chat template"):
        ChatTemplate({}, {}).render([], None, str)


def test_everything_from_the_caller_is_quoted() -> None:
    """Contents, names, keys and arguments pass through `quote`; the template's own text does not."""
    template = ChatTemplate({"default": "T{{ messages | tojson }}{{ tools | tojson }}"}, {})
    messages = [{"role": "user", "content": "t"}, {"role": "assistant", "content": "t", "tool_calls": [CALL]}]
    seen: list[str] = []

    def quote(text: str) -> str:
        seen.append(text)
        return text.upper()

    told = template.render(messages, [{"t": ["t"]}], quote)
    assert told.startswith("T[")
    assert "t" not in told.replace("null", "").replace("true", "")
    assert "ž" in seen
