"""Calling tools: choose one, fill in its arguments, tell its result; or answer without one when none fits."""

from __future__ import annotations

import json

from recipes.chat.draw import Draw
from recipes.chat.tasks import facts, openers, smalltalk, toolbox, worlds
from recipes.chat.turns import Chat, call

SYSTEMS = (
    "You are a helpful assistant with tools.", "Use the tools when they help.", "You can call functions.",
    "You have access to these tools.", "Only use the tools that you are given.", "You are an agent.",
    "You are an app that creates playlists. Only return song names and artists.",
    "[You are|Act as|Be] [an assistant|a bot|an agent|a helper|a service|a system] [with tools|that calls functions|that can use tools|with access to an API|who uses the tools][.| when needed.| if they help.]",
    "[Call|Use|Pick|Choose|Select] [a tool|the right tool|one of the tools|the tool that fits|functions|tools] [if|when|where|whenever] [you need to|it helps|it is needed|the user asks for it|it fits][.|]",
    "[There are|You have|Here are|You got|You are given] [some tools|tools|functions|a few tools|several functions][. Use them.| to use.| for your work.|.| that may help.]",
)  # fmt: skip
FAILS = ("not found", "timeout", "access denied", "unknown", "no data", "service unavailable")


def result(d: Draw, tool: toolbox.Ready) -> tuple[str, str]:
    """What a tool returned, and how the answer tells it: each key and its value in order."""
    if d.chance(0.06):
        why = d.any(FAILS)
        return json.dumps({"error": why}), f"The tool failed: {why}."
    if d.chance(0.15):
        text = d.any(
            (
                worlds.filler(d),
                " ".join(d.terms("adjective", 2)),
                f"{toolbox.VALUES['sky'](d)}, {d.number(1, 40)} degrees",
            )
        )
        return text, text if text.endswith(".") else f"The result is {text}."
    rows = list(tool.results[: d.number(1, len(tool.results))])
    found = {key: toolbox.VALUES[kind](d) for key, kind in rows}
    said = [f"the {key.replace('_', ' ')} is {value}" for key, value in found.items()]
    text = " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
    body = json.dumps(found) if d.chance(0.7) else json.dumps(found, separators=(",", ":"))
    return body, text[0].upper() + text[1:] + "."


def exchange(d: Draw, tool: toolbox.Ready) -> list[tuple[str, str]]:
    """Question, call, result, answer."""
    values = toolbox.values(d, tool)
    shown = [f'"{value}"' if d.chance(0.06) and isinstance(value, str) else str(value) for value in values]
    question = fill(d.phrase([way.replace("{", "{{").replace("}", "}}") for way in tool.asked]), shown)
    body, said = result(d, tool)
    return [
        ("user", question),
        ("assistant", call(tool.name, dict(zip(tool.keys, values, strict=True)))),
        ("tool", body),
        ("assistant", said),
    ]


def fill(question: str, shown: list[str]) -> str:
    for at, text in enumerate(shown):
        question = question.replace("{" + str(at) + "}", text)
    return question


def handed(d: Draw, task: str, turns: list[tuple[str, str]], tools: list[toolbox.Ready]) -> Chat:
    system = d.way(SYSTEMS) if d.chance(0.3) else ""
    return Chat(task, turns, system=system, tools=[tool.definition for tool in tools])


def use(d: Draw) -> Chat:
    """One to four tools; a question for one of them, sometimes a second one after the answer."""
    kit = toolbox.kit(d, d.any((1, 2, 2, 3, 3, 4)))
    turns: list[tuple[str, str]] = []
    for _ in range(d.any((1, 2, 2, 3))):
        turns += exchange(d, d.any(kit))
    if d.chance(0.5):
        return handed(d, "tool", turns[:-2], kit)
    return handed(d, "tool-result", turns, kit)


def without(d: Draw) -> Chat:
    """Tools are there, but the question needs none of them."""
    kit = [tool for tool in toolbox.kit(d, d.any((1, 2, 3))) if tool.name not in toolbox.TOOLS[3].names]
    plain = d.any((smalltalk.talk, facts.capital, openers.cannot))(d)
    turns = list(plain.turns)
    if d.chance(0.4) and kit:
        more = exchange(d, d.any(kit))
        return handed(d, "tool", turns + more[:2], kit) if d.chance(0.5) else handed(d, "tool-none", more + turns, kit)
    return handed(d, "tool-none", turns, kit)
