r"""Chat templates: how a conversation stands inside one prompt, for families whose schema has nothing but a prompt.

Owns: the shape of such templates (markers before turns, what closes them, where the system prompt goes) and the way
from a prompt to turns and back. The templates themselves are data of their families' files. Must not know bodies.

A prompt without its family's markers is one user message, word for word. Reading is generous, since prompts are
written by hand: white space around turns, a missing beginning, text before the first marker (a system prompt).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from craton.models.canon.content import Message, Role
from craton.models.canon.request import SystemBlock
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.turns import Turn, text_message

_SYSTEM = "system"


class Template(msgspec.Struct, frozen=True):
    """One family's marks.

    Args:
        marker: finds the mark before each turn; its one group is the word that names the speaker.
        speakers: that word → role; a word that is not here speaks as the user (a tool's answer, for one).
        closings: what may stand around turns beside white space: the prompt's beginning, ends of turns.
        closed: the roles whose turns these close; in the others' they are text.
        heads: what is written before a turn, by role.
        tails: what is written after a turn, by role; an assistant's last turn is a prefill and stays open.
        begin: what a prompt begins with.
        cue: what asks for the answer.
        system: what is written before and after the system prompt.
        system_inside: whether that stands within the first user turn instead of before it.
        inner_system: finds system prompts inside texts; its one group is the prompt.
    """

    marker: re.Pattern[str]
    speakers: Mapping[str, Role]
    closings: tuple[str, ...]
    closed: frozenset[str]
    heads: Mapping[Role, str]
    tails: Mapping[Role, str]
    begin: str
    cue: str
    system: tuple[str, str]
    system_inside: bool = False
    inner_system: re.Pattern[str] | None = None

    def read(self, prompt: str) -> tuple[str, list[Turn]] | None:
        """System prompt and turns, the user's first; None for a prompt that is not written so."""
        head, *pieces = self.marker.split(prompt)
        if not pieces:
            return None
        system: list[str] = []
        turns: list[Turn] = []
        for word, piece in zip([_SYSTEM, *pieces[::2]], [head, *pieces[1::2]], strict=True):
            role = _SYSTEM if word == _SYSTEM else self.speakers.get(word, "user")
            text = self._peel(self._without_system(piece, system), role)
            if role == _SYSTEM:
                system.append(text)
            elif text and turns and turns[-1].role == role:
                # Converse alternates, so turns of one speaker in a row are one turn.
                turns[-1] = Turn(turns[-1].role, f"{turns[-1].text}\n\n{text}")
            elif text:
                turns.append(Turn("assistant" if role == "assistant" else "user", text))
        if not turns or turns[0].role != "user":
            return None
        return "\n\n".join(filter(None, system)), turns

    def write(self, system: str, turns: list[Turn]) -> str:
        """The prompt, up to where the model goes on."""
        parts = [self.begin]
        if system:
            before, after = self.system
            if not self.system_inside:
                parts += [before, system, after]
            elif turns and turns[0].role == "user":
                turns = [Turn("user", f"{before}{system}{after}{turns[0].text}"), *turns[1:]]
            else:
                turns = [Turn("user", f"{before}{system}{after}"), *turns]
        spoken = [turn for turn in turns if turn.role in self.heads]
        for role, text in spoken:
            parts += [self.heads[role], text, self.tails[role]]
        if spoken and spoken[-1].role == "assistant":
            parts.pop()
        else:
            parts.append(self.cue)
        return "".join(parts)

    def _without_system(self, text: str, system: list[str]) -> str:
        if self.inner_system is None:
            return text
        system += [found.strip() for found in self.inner_system.findall(text)]
        return self.inner_system.sub("", text)

    def _peel(self, text: str, role: str) -> str:
        text = text.strip()
        marks = self.closings if role in self.closed else ()
        while mark := next((one for one in marks if text.endswith(one)), ""):
            text = text[: -len(mark)].rstrip()
        while mark := next((one for one in marks if text.startswith(one)), ""):
            text = text[len(mark) :].lstrip()
        return text


def read_prompt(prompt: str, *templates: Template) -> tuple[str, list[Turn]]:
    """System prompt and turns by the first template that the prompt is written in; else one user turn."""
    for template in templates:
        found = template.read(prompt)
        if found is not None:
            return found
    return "", [Turn("user", prompt)]


def system_blocks(system: str) -> list[SystemBlock] | None:
    return [SystemBlock(text=system)] if system else None


def messages_of(turns: list[Turn]) -> list[Message]:
    return [text_message(role, text) for role, text in turns]


def header_template(before: str, after: str, closings: tuple[str, ...], begin: str) -> Template:
    """A template that names each speaker in a header, as Llama 3 and 4 do; the first of `closings` ends a turn."""
    roles: tuple[Role, ...] = ("user", "assistant")
    heads: dict[Role, str] = {role: f"{before}{role}{after}\n\n" for role in roles}
    return Template(
        marker=re.compile(rf"{re.escape(before)}\s*(\w+)\s*{re.escape(after)}"),
        speakers={role: role for role in roles},
        closings=(begin, *closings),
        closed=frozenset({_SYSTEM, *roles}),
        heads=heads,
        tails=dict.fromkeys(roles, closings[0]),
        begin=begin,
        cue=heads["assistant"],
        system=(f"{before}{_SYSTEM}{after}\n\n", closings[0]),
    )


def instruction_template(tail: str, system: tuple[str, str]) -> Template:
    """A template with `[INST]` around what the user says, as Llama 2 and Mistral have; `tail` ends an answer."""
    return Template(
        marker=re.compile(r"\[(/?)INST\]"),
        speakers={"": "user", "/": "assistant"},
        closings=("</s>", "<s>"),
        closed=frozenset({_SYSTEM, "assistant"}),
        heads={"user": "[INST] ", "assistant": " [/INST] "},
        tails={"user": "", "assistant": tail},
        begin="<s>",
        cue=" [/INST]",
        system=system,
        system_inside=True,
        inner_system=re.compile(r"<<SYS>>(.*?)<</SYS>>", re.DOTALL),
    )


def transcript(system: str, turns: list[Turn], speakers: Mapping[str, str], ledger: Ledger) -> str:
    """A prompt for a family without a template: one user message is the prompt, anything more a transcript of it all."""
    if system:
        ledger.emulate("system")
    lead = [system] if system else []
    if len(turns) == 1 and turns[0].role == "user":
        return "\n\n".join([*lead, turns[0].text])
    ledger.emulate("messages")
    lines = [f"{speakers[role]}: {text}" for role, text in turns if role in speakers]
    return "\n\n".join([*lead, *lines, f"{speakers['assistant']}:"])
