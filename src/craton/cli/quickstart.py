"""`craton quickstart`: a server, a real model and a tour of Bedrock's API, from nothing and leaving nothing.

Owns the order of the tour, what is shown of each answer, and the end: whatever happens, a server that is not meant to
stay is gone. The requests are `tour`'s, the looks `stage`'s, the server's life `child`'s.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from craton.cli.child import lasting_server, passing_server
from craton.cli.refusal import Refused
from craton.config_tables import SAMPLE_MODEL

if TYPE_CHECKING:
    from craton.cli.running import Running
    from craton.cli.stage import Stage

_LOAD_TIMEOUT_S = 180.0
_LISTED_PROVIDERS = 6
WELL_KNOWN = (
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "amazon.nova-pro-v1:0",
    "meta.llama3-70b-instruct-v1:0",
    "mistral.mistral-large-2402-v1:0",
)
_YES = {"1", "true", "yes"}
SMALL_PRINT = (
    "The model behind these answers is a small sample that comes with Craton and runs here, on the CPU, also in place "
    "of the two vendors' models. It shows the plumbing, not what a large model can do."
)


@dataclass(frozen=True)
class Step:
    """A stop of the tour: its title, the function of `tour` that it runs, on which client, and how answers look."""

    title: str
    run: str
    show: Callable[[Stage, Any], None]
    after: Callable[[Stage, float], None] | None = None
    service: str = "bedrock-runtime"


@click.command()
@click.option("--keep", is_flag=True, help="Leave a server running, with the default home and port (also: KEEP=1).")
@click.option("--knowledge-base", is_flag=True, help="A tour of knowledge bases: documents in S3 to cited answers.")
def quickstart(*, keep: bool, knowledge_base: bool) -> None:
    """Start a server, talk to it as a Bedrock program does, and clean up."""
    keep = keep or os.environ.get("KEEP", "").lower() in _YES
    from craton.cli.stage import open_stage

    try:
        if knowledge_base:
            from craton.cli import quickstart_kb

            quickstart_kb.run(open_stage(), keep=keep)
        else:
            run(open_stage(), keep=keep)
    except KeyboardInterrupt:
        raise Refused("stopped; nothing is left running", 130) from None


def run(stage: Stage, *, keep: bool) -> None:
    """The whole tour. Raises Refused, naming the step that failed; a server is left only by a tour that did not fail."""
    stage.title("Craton", "Amazon Bedrock that you run yourself: a server, a model and a tour, all on this machine.\n")
    with ExitStack() as ends:
        home = ends.enter_context(home_for(keep=keep))
        life = lasting_server(home) if keep else passing_server(home)
        with stage.working("Starting a server", f"A server runs (home {home})" if keep else "A server runs"):
            server = ends.enter_context(life)
        load_model(stage, home)
        clients = clients_of(server, home, ("bedrock", "bedrock-runtime"))
        for number, step in enumerate(STEPS, 1):
            take(stage, number, step, clients[step.service])
    farewell(stage, keep=keep)


@contextmanager
def home_for(*, keep: bool) -> Iterator[Path]:
    """The default home, or a temporary one that is removed at the end."""
    from craton.cli.serve import temporary_home
    from craton.config import home_path

    if keep:
        yield home_path()
        return
    with temporary_home() as home:
        yield Path(home)


def load_model(stage: Stage, home: Path, model: str = SAMPLE_MODEL) -> None:
    """Start a model now, so that the first answer need not wait for it. Raises Refused."""
    from craton.infra.control.console import Console
    from craton.infra.control.home import control_path
    from craton.infra.control.wire import ControlFault

    try:
        with (
            stage.working(f"Loading {model}", f"{model} is loaded"),
            Console(control_path(home)) as console,
        ):
            console.call("models.ensure", {"model_id": model}, timeout_s=_LOAD_TIMEOUT_S)
    except (ControlFault, TimeoutError) as error:
        raise Refused(f"the model {model} could not be loaded: {error or 'it took too long'}. {hint()}") from None


def clients_of(server: Running, home: Path, services: Iterable[str]) -> dict[str, Any]:
    """boto3's clients of the services that a tour uses."""
    from craton.cli.client import client
    from craton.infra.keys.root import load_root_key

    key = load_root_key(home, os.environ, server.account)
    return {name: client(name, server, key) for name in services}


def take(stage: Stage, number: int, step: Step, client: Any) -> None:
    """One step: its code, its answer. Raises Refused, naming the step, if the answer is not what it should be."""
    from craton.cli import tour

    function: Callable[[Any, tour.Show], None] = getattr(tour, step.run)
    stage.step(number, step.title, tour.source_of(function))
    began = time.monotonic()
    with failing(number, step.title):
        function(client, lambda answer: step.show(stage, answer))
    if step.after is not None:
        step.after(stage, time.monotonic() - began)


@contextmanager
def failing(number: int, title: str) -> Iterator[None]:
    """What goes wrong in a step, as Refused that names it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Refused(f"step {number} ({title}) failed: {error}. {hint()}") from None
    except (LookupError, ValueError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise Refused(f"step {number} ({title}) got another answer than expected ({what}). {hint()}") from None


# --- what is shown of the answers ---


def show_models(stage: Stage, models: list[dict[str, Any]]) -> None:
    by_provider = Counter(model["providerName"] for model in models)
    most = ", ".join(f"{name} {count}" for name, count in by_provider.most_common(_LISTED_PROVIDERS))
    stage.answer(f"{len(models)} models: {most}, …")
    there = {model["modelId"] for model in models}
    stage.note(f"among them {', '.join(each for each in WELL_KNOWN if each in there)}")


def show_text(stage: Stage, text: str) -> None:
    stage.answer(text.strip() or "(no words)")


def show_piece(stage: Stage, piece: str) -> None:
    if piece:
        stage.piece(piece)


def end_stream(stage: Stage, elapsed_s: float) -> None:
    count = stage.end_pieces()
    stage.note(f"{count} pieces in {elapsed_s * 1000:.0f} ms, each printed as it came")


def show_reply(stage: Stage, reply: dict[str, Any]) -> None:
    stage.answer(json.dumps(json.load(reply["body"]), ensure_ascii=False))
    standin = reply["ResponseMetadata"]["HTTPHeaders"].get("x-craton-standin")
    if standin:
        stage.note(f"x-craton-standin: {standin} answered in its place")


def show_block(stage: Stage, block: dict[str, Any]) -> None:
    call = block.get("toolUse")
    if call is None:
        show_text(stage, block.get("text", ""))
    else:
        stage.answer(f"the model calls {call['name']}({json.dumps(call['input'], ensure_ascii=False)})")


STEPS = (
    Step("List the models", "list_models", show_models, service="bedrock"),
    Step("Converse", "converse", show_text),
    Step("Stream", "stream", show_piece, after=end_stream),
    Step("InvokeModel with Anthropic's own body", "invoke_claude", show_reply),
    Step("The same question with AI21's own body", "invoke_jurassic", show_reply),
    Step("A tool call, and its result fed back", "call_a_tool", show_block),
)


# --- the end ---


def farewell(stage: Stage, *, keep: bool, small_print: str = SMALL_PRINT) -> None:
    """Three lines: how to point one's own program here."""
    from rich.text import Text

    craton = command()
    rows = (
        (f'eval "$({craton} env)"', "in the shell of your program"),
        ("python your_bedrock_program.py", "boto3, the AWS CLI, any AWS SDK: unchanged"),
        (f"{craton} stop", "when you are done"),
    )
    if not keep:
        rows = ((f"{craton} serve", "in one terminal; in another:"), *rows[:2])
    stage.line(Text(f"\n{small_print}\n", "dim"))
    stage.line(Text("Your own program:" if not keep else "The server goes on running. Your own program:", "bold"))
    width = max(len(line) for line, _ in rows)
    for line, remark in rows:
        stage.line(Text.assemble("  ", line.ljust(width), ("   # " + remark, "dim")))


def hint() -> str:
    return f"{command()} doctor tells what may be wrong."


def command() -> str:
    """What to type to call this program again: `craton` where the shell finds it, else its path."""
    here = Path(sys.executable).parent / "craton"
    found = shutil.which("craton")
    if found is not None and Path(found).resolve() == here.resolve():
        return "craton"
    try:
        return str(here.relative_to(Path.cwd()))
    except ValueError:
        return str(here)
