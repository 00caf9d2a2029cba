"""`craton chat`: a conversation in the terminal, through ConverseStream like any other program's.

Owns the conversation's history, the slash commands and what is printed. In a pipe it prints the answer alone. It
starts no server.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused

HELP = """/system TEXT   set the system prompt (without TEXT: remove it)
/model ID      talk to another model, keeping the conversation
/clear         forget the conversation
/exit          leave (as do Ctrl-D and, at the prompt, Ctrl-C)
Ctrl-C         stop an answer"""


@dataclass
class Turn:
    """What one answer was: its text, why it ended, tokens, seconds."""

    text: str = ""
    stop_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    elapsed_s: float = 0.0
    first_s: float = 0.0

    def summary(self) -> str:
        """Such as `12 + 40 tokens · 0.31 s · first after 0.08 s`."""
        tokens = f"{self.input_tokens} + {self.output_tokens} tokens"
        ended = "" if self.stop_reason in {"end_turn", ""} else f" · {self.stop_reason}"
        return f"{tokens} · {self.elapsed_s:.2f} s · first after {self.first_s:.2f} s{ended}"


@dataclass
class Conversation:
    """The turns so far and how to get the next one. `client` is boto3's `bedrock-runtime`."""

    client: Any
    model: str
    system: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str, show: Callable[[str], None]) -> Turn:
        """Send a user turn and pass the answer's pieces to `show` as they come; Ctrl-C keeps what has come so far.

        Raises ClientError and BotoCoreError, after which the conversation is as before.
        """
        turn, began = Turn(), time.monotonic()
        request: dict[str, Any] = {"system": [{"text": self.system}]} if self.system else {}
        question = {"role": "user", "content": [{"text": text}]}
        answer = self.client.converse_stream(modelId=self.model, messages=[*self.messages, question], **request)
        try:
            for piece in pieces(answer["stream"], turn):
                turn.first_s = turn.first_s or time.monotonic() - began
                turn.text += piece
                show(piece)
        except KeyboardInterrupt:
            turn.stop_reason = "stopped"
        finally:
            answer["stream"].close()
        turn.elapsed_s = time.monotonic() - began
        if turn.text.strip():  # an empty turn may not be sent back
            self.messages += [question, {"role": "assistant", "content": [{"text": turn.text}]}]
        return turn


def pieces(stream: Any, turn: Turn) -> Iterator[str]:
    """The text of a ConverseStream answer, piece by piece; what else it tells goes into `turn`."""
    for event in stream:
        if "contentBlockDelta" in event:
            yield event["contentBlockDelta"]["delta"].get("text", "")
        elif "messageStop" in event:
            turn.stop_reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = event["metadata"]["usage"]
            turn.input_tokens, turn.output_tokens = usage["inputTokens"], usage["outputTokens"]


@click.command()
@placed
@click.option("--model", metavar="ID", help="A model id, ARN or inference profile.  [default: the sample model]")
@click.option("--system", default="", metavar="TEXT", help="A system prompt.")
@click.argument("prompt", nargs=-1)
def chat(home: str | None, config: str | None, model: str | None, system: str, prompt: tuple[str, ...]) -> None:
    """Talk to a model. With a PROMPT, or with a prompt on standard input, print one answer and end."""
    place = place_of(home, config)
    if place.server is None:
        raise Refused(
            f"no server runs with the home {place.home}: start one with `craton serve` (or --home to name it)"
        )
    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    question = "\n\n".join(part for part in (" ".join(prompt), piped) if part)
    if not question and not sys.stdin.isatty():
        raise Refused("there is no prompt on standard input", 2)
    from craton.cli.client import client

    runtime = client("bedrock-runtime", place.server, place.root_key())
    talk = Conversation(runtime, model or place.settings.file.standins.model, system)
    if question:
        answer_once(talk, question)
    else:
        converse(talk)


def answer_once(talk: Conversation, question: str) -> None:
    """Print one answer; its figures only where a person looks."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        turn = talk.say(question, show)
    except (ClientError, BotoCoreError) as error:
        raise Refused(in_words(error)) from None
    click.echo()
    if sys.stdout.isatty():
        click.secho(turn.summary(), dim=True)
    if turn.stop_reason == "stopped":
        sys.exit(130)


def converse(talk: Conversation) -> None:
    """Turn after turn, until the person leaves."""
    import readline  # noqa: F401 - gives input() a history and editing

    from botocore.exceptions import BotoCoreError, ClientError

    click.secho(f"{talk.model} · /help lists the commands", dim=True)
    while True:
        try:
            line = input("\n› ").strip()
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        if line.startswith("/"):
            if not obey(talk, line):
                return
        elif line:
            try:
                turn = talk.say(line, show)
            except (ClientError, BotoCoreError) as error:
                click.secho(in_words(error), fg="red", err=True)
            except KeyboardInterrupt:
                click.secho("stopped", dim=True)
            else:
                click.echo()
                click.secho(turn.summary(), dim=True)


def obey(talk: Conversation, line: str) -> bool:
    """Do what a slash command says; False to leave."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word in {"/exit", "/quit"}:
        return False
    if word == "/system":
        talk.system = rest
        click.secho("system prompt set" if rest else "no system prompt", dim=True)
    elif word == "/model" and rest:
        talk.model = rest
        click.secho(f"now talking to {rest}", dim=True)
    elif word == "/model":
        click.secho(talk.model, dim=True)
    elif word == "/clear":
        talk.messages.clear()
        click.secho("forgotten", dim=True)
    else:
        click.secho(HELP, dim=True)
    return True


def show(piece: str) -> None:
    """A piece of an answer, at once."""
    sys.stdout.write(piece)
    sys.stdout.flush()


def in_words(error: Exception) -> str:
    """AWS's error as one line: its name and its message."""
    details = getattr(error, "response", {}).get("Error", {})
    return f"{details['Code']}: {details['Message']}" if details else str(error)
