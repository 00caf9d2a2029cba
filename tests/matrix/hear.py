"""What a caller is told, read from each schema's answer: text, tool call, reason to stop and usage.

One pair of functions a schema: a whole reply, and the pieces of a stream joined. Strict: what is not where the schema
has it raises KeyError or IndexError, which is a fault of the cell. Written by hand, like `say_chat`, and no dialect.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass
class Heard:
    """`call`: name and arguments. `stop`: in the schema's own word. `used`: tokens in and out, None: no place for it."""

    text: str = ""
    call: tuple[str, Json] | None = None
    stop: str | None = None
    used: tuple[int, int] | None = None


Whole = Callable[[Json], Heard]
Pieces = Callable[[list[Any]], Heard]


@dataclass(frozen=True)
class Ear:
    """How one schema's answers are heard. `ends`: its words for an answer that ended by itself; `calls`: with a call.
    `before`: what the schema has before the words of every answer.
    """

    whole: Whole
    pieces: Pieces
    ends: tuple[str, ...]
    calls: tuple[str, ...] = ()
    before: str = ""


def _used(found: Json | None, sent: str, came: str) -> tuple[int, int] | None:
    return (found[sent], found[came]) if found else None


# --- OpenAI's chat and what is shaped like it ------------------------------------------------------------------------


def _openai_call(calls: list[Json] | None) -> tuple[str, Json] | None:
    return (calls[0]["function"]["name"], json.loads(calls[0]["function"]["arguments"])) if calls else None


def openai(reply: Json) -> Heard:
    choice = reply["choices"][0]
    message = choice["message"]
    stop = choice["finish_reason"] if "finish_reason" in choice else choice["stop_reason"]
    used = _used(reply.get("usage"), "prompt_tokens", "completion_tokens")
    return Heard(message.get("content") or "", _openai_call(message.get("tool_calls")), stop, used)


def openai_pieces(chunks: list[Any]) -> Heard:
    heard, name, given = Heard(), "", ""
    for chunk in chunks:
        if chunk == "[DONE]":
            continue
        heard.used = _used(chunk.get("usage"), "prompt_tokens", "completion_tokens") or heard.used
        for choice in chunk["choices"]:
            delta = choice["delta"] if "delta" in choice else choice["message"]
            heard.text += delta.get("content") or ""
            for call in delta.get("tool_calls") or ():
                name += call["function"].get("name") or ""
                given += call["function"].get("arguments") or ""
            heard.stop = choice.get("finish_reason") or choice.get("stop_reason") or heard.stop
    heard.call = (name, json.loads(given)) if name else None
    return heard


# --- Anthropic -------------------------------------------------------------------------------------------------------


def anthropic(reply: Json) -> Heard:
    assert reply["type"] == "message"
    heard = Heard(stop=reply["stop_reason"], used=_used(reply["usage"], "input_tokens", "output_tokens"))
    for block in reply["content"]:
        if block["type"] == "text":
            heard.text += block["text"]
        elif block["type"] == "tool_use":
            heard.call = (block["name"], block["input"])
    return heard


def anthropic_pieces(chunks: list[Any]) -> Heard:
    heard, name, given, sent = Heard(), "", "", 0
    for chunk in chunks:
        kind = chunk["type"]
        if kind == "message_start":
            sent = chunk["message"]["usage"]["input_tokens"]
        elif kind == "content_block_start" and chunk["content_block"]["type"] == "tool_use":
            name = chunk["content_block"]["name"]
        elif kind == "content_block_delta":
            heard.text += chunk["delta"].get("text", "")
            given += chunk["delta"].get("partial_json", "")
        elif kind == "message_delta":
            heard.stop, used = chunk["delta"]["stop_reason"], chunk["usage"]
            heard.used = (used.get("input_tokens") or sent, used["output_tokens"])
    assert chunks[-1]["type"] == "message_stop"
    heard.call = (name, json.loads(given)) if name else None
    return heard


# --- Amazon ----------------------------------------------------------------------------------------------------------


def converse(reply: Json) -> Heard:
    heard = Heard(stop=reply["stopReason"], used=_used(reply["usage"], "inputTokens", "outputTokens"))
    for block in reply["output"]["message"]["content"]:
        heard.text += block.get("text", "")
        if "toolUse" in block:
            heard.call = (block["toolUse"]["name"], block["toolUse"]["input"])
    return heard


def converse_pieces(chunks: list[Any]) -> Heard:
    heard, name, given = Heard(), "", ""
    for chunk in chunks:
        if "contentBlockStart" in chunk:
            name = chunk["contentBlockStart"]["start"]["toolUse"]["name"]
        elif "contentBlockDelta" in chunk:
            delta = chunk["contentBlockDelta"]["delta"]
            heard.text += delta.get("text", "")
            given += delta["toolUse"]["input"] if "toolUse" in delta else ""
        elif "messageStop" in chunk:
            heard.stop = chunk["messageStop"]["stopReason"]
        elif "metadata" in chunk:
            heard.used = _used(chunk["metadata"]["usage"], "inputTokens", "outputTokens")
    heard.call = (name, json.loads(given)) if name else None
    return heard


# --- Cohere ----------------------------------------------------------------------------------------------------------


def command_r(reply: Json) -> Heard:
    call = (reply.get("tool_calls") or [None])[0]
    used = _used(reply.get("meta", {}).get("billed_units"), "input_tokens", "output_tokens")
    return Heard(reply["text"], (call["name"], call["parameters"]) if call else None, reply["finish_reason"], used)


def command_r_pieces(chunks: list[Any]) -> Heard:
    heard = Heard()
    for chunk in chunks:
        kind = chunk["event_type"]
        heard.text += chunk["text"] if kind == "text-generation" else ""
        for call in chunk["tool_calls"] if kind == "tool-calls-generation" else ():
            heard.call = (call["name"], call["parameters"])
    assert chunks[-1]["event_type"] == "stream-end"
    heard.stop = chunks[-1]["finish_reason"]
    return heard


def cohere_v2(reply: Json) -> Heard:
    message = reply["message"]
    text = "".join(part.get("text", "") for part in message.get("content") or ())
    used = _used(reply["usage"]["tokens"], "input_tokens", "output_tokens")
    return Heard(text, _openai_call(message.get("tool_calls")), reply["finish_reason"], used)


def cohere_v2_pieces(chunks: list[Any]) -> Heard:
    heard, name, given = Heard(), "", ""
    for chunk in chunks:
        kind, delta = chunk["type"], chunk.get("delta", {})
        if kind == "content-delta":
            heard.text += delta["message"]["content"]["text"]
        elif kind in ("tool-call-start", "tool-call-delta"):
            function = delta["message"]["tool_calls"]["function"]
            name += function.get("name", "")
            given += function["arguments"]
        elif kind == "message-end":
            heard.stop = delta["finish_reason"]
            heard.used = _used(delta["usage"]["tokens"], "input_tokens", "output_tokens")
    heard.call = (name, json.loads(given)) if name else None
    return heard


# --- Google ----------------------------------------------------------------------------------------------------------


def gemini(reply: Json) -> Heard:
    heard = Heard(used=_used(reply.get("usageMetadata"), "promptTokenCount", "candidatesTokenCount"))
    for candidate in reply.get("candidates", ()):
        heard.stop = candidate.get("finishReason")
        for part in candidate.get("content", {}).get("parts", ()):
            heard.text += part.get("text", "")
            if "functionCall" in part:
                heard.call = (part["functionCall"]["name"], part["functionCall"]["args"])
    return heard


def gemini_pieces(chunks: list[Any]) -> Heard:
    heard = Heard()
    for one in map(gemini, chunks):
        heard = Heard(heard.text + one.text, one.call or heard.call, one.stop or heard.stop, one.used or heard.used)
    return heard


# --- OpenAI's Responses ----------------------------------------------------------------------------------------------


def responses(reply: Json) -> Heard:
    heard = Heard(stop=reply["status"], used=_used(reply["usage"], "input_tokens", "output_tokens"))
    for item in reply["output"]:
        if item["type"] == "message":
            heard.text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "function_call":
            heard.call = (item["name"], json.loads(item["arguments"]))
    return heard


def responses_pieces(chunks: list[Any]) -> Heard:
    """The pieces must say what the whole at the end says."""
    assert chunks[-1]["type"] == "response.completed"
    heard = responses(chunks[-1]["response"])
    text = "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "response.output_text.delta")
    given = "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "response.function_call_arguments.delta")
    assert text == heard.text
    assert heard.call is None or json.loads(given) == heard.call[1]
    return heard


# --- schemas of one prompt -------------------------------------------------------------------------------------------


def plain(text: tuple[str | int, ...], stop: tuple[str | int, ...], *used: tuple[str | int, ...]) -> Whole:
    """Where text, stop reason and the two counts stand in a reply."""

    def hear(reply: Json) -> Heard:
        counts = tuple(_at(reply, path) for path in used)
        return Heard(_at(reply, text), None, _at(reply, stop), (counts[0], counts[1]) if used else None)

    return hear


def plain_pieces(text: tuple[str | int, ...], stop: tuple[str | int, ...]) -> Pieces:
    """The same in each chunk; what is missing or null adds nothing."""

    def hear(chunks: list[Any]) -> Heard:
        heard = Heard()
        for chunk in chunks:
            heard.text += _find(chunk, text) or ""
            heard.stop = _find(chunk, stop) or heard.stop
        return heard

    return hear


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _find(value: Any, path: tuple[str | int, ...]) -> Any:
    try:
        return _at(value, path)
    except (KeyError, IndexError, TypeError):
        return None


def prompted(text: tuple[str | int, ...], stop: tuple[str | int, ...], *ends: str, before: str = "") -> Ear:
    """A schema whose chunks have the shape of its reply."""
    return Ear(plain(text, stop), plain_pieces(text, stop), ends, before=before)


EARS: dict[str, Ear] = {
    "openai": Ear(openai, openai_pieces, ("stop",), ("tool_calls",)),
    "anthropic": Ear(anthropic, anthropic_pieces, ("end_turn",), ("tool_use",)),
    "converse": Ear(converse, converse_pieces, ("end_turn",), ("tool_use",)),
    "command-r": Ear(command_r, command_r_pieces, ("COMPLETE",), ("COMPLETE",)),
    "cohere-v2": Ear(cohere_v2, cohere_v2_pieces, ("COMPLETE",), ("TOOL_CALL",)),
    "gemini": Ear(gemini, gemini_pieces, ("STOP",), ("STOP",)),
    "responses": Ear(responses, responses_pieces, ("completed",), ("completed",)),
    "anthropic.text": prompted(("completion",), ("stop_reason",), "stop_sequence", before=" "),
    "ai21.j2": prompted(("completions", 0, "data", "text"), ("completions", 0, "finishReason", "reason"), "endoftext"),
    "amazon.titan-text": Ear(
        plain(
            ("results", 0, "outputText"),
            ("results", 0, "completionReason"),
            ("inputTextTokenCount",),
            ("results", 0, "tokenCount"),
        ),
        plain_pieces(("outputText",), ("completionReason",)),
        ("FINISH", "FINISHED"),
    ),
    "cohere.command": Ear(
        plain(("generations", 0, "text"), ("generations", 0, "finish_reason")),
        plain_pieces(("text",), ("finish_reason",)),
        ("COMPLETE",),
    ),
    "meta.llama": Ear(
        plain(("generation",), ("stop_reason",), ("prompt_token_count",), ("generation_token_count",)),
        plain_pieces(("generation",), ("stop_reason",)),
        ("stop",),
    ),
    "mistral.text": prompted(("outputs", 0, "text"), ("outputs", 0, "stop_reason"), "stop"),
    # The prompt ends within the thought, so the answer begins with its end.
    "deepseek.r1": prompted(("choices", 0, "text"), ("choices", 0, "stop_reason"), "stop", before="</think>\n\n"),
}
